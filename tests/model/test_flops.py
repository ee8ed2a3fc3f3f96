"""Model FLOPs: the parameters a token is multiplied with, and the formula, against operations that torch counts."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

from bench.model.flops import Network, model_flops, network_of
from bench.model.geometry import token_weights
from bench.resolved import resolve

HIDDEN, INNER = 32, 64  # of the tiny checkpoints
MATRICES = 4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER  # of a layer of BERT's kind
VECTORS = 4 * HIDDEN + INNER + HIDDEN + 4 * HIDDEN  # biases and two LayerNorms


def task_of(workshop, name: str = "rte"):
    (cell,) = workshop.cells("ptv2", tasks=(name,))
    return resolve(cell).task


def test_tables_are_left_out_and_every_other_parameter_is_used_once(workshop) -> None:
    backbone = workshop.backbone()
    network = network_of(backbone, task_of(workshop), [])
    norm_of_embeddings = 2 * HIDDEN
    assert network == Network(2 * (MATRICES + VECTORS) + norm_of_embeddings, 0, 2, HIDDEN)


def test_a_layer_that_serves_all_depths_is_used_as_often(load) -> None:
    backbone = load("albert")
    (uses,) = {uses for _, uses in token_weights(backbone.encoder, backbone.model.config)}
    assert uses == backbone.geometry.layers == 2


def test_of_a_mixture_s_experts_a_token_takes_some(load) -> None:
    backbone = load("mixtral")
    config = backbone.model.config
    names = {id(weight): name for name, weight in backbone.encoder.named_parameters()}
    uses = {".experts." in names[id(weight)]: uses for weight, uses in token_weights(backbone.encoder, config)}
    assert uses == {True: config.num_experts_per_tok / config.num_local_experts, False: 1.0}


@pytest.mark.parametrize(("family", "parts"), [("t5", 1), ("bart", 2)])
def test_tokens_go_through_the_encoder_or_where_the_decoder_is_fed_the_text_through_one_of_both(
    load, workshop, family: str, parts: int
) -> None:
    backbone = load(family)
    numbers = [
        sum(weight.numel() for weight, _ in token_weights(part, backbone.model.config))
        for part in (backbone.encoder, backbone.decoder)
    ]
    network = network_of(backbone, task_of(workshop), [])
    assert network.parameters == sum(numbers[:parts]) / parts


def test_forward_is_what_torch_counts_of_an_encoder_s_products() -> None:
    """Torch's counter sees matrix products alone, so what biases and norms have is taken off."""
    config = BertConfig(
        vocab_size=50, hidden_size=HIDDEN, num_hidden_layers=3, num_attention_heads=4, intermediate_size=INNER,
        attn_implementation="eager",
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).eval()
    rows, length = 2, 17
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.ones((rows, length), dtype=torch.long))
    matrices = Network(3 * MATRICES, 0, 3, HIDDEN)
    assert model_flops(matrices, rows * length, rows, 0.0) == counter.get_total_flops()


def test_with_all_weights_training_it_is_palm_s_formula() -> None:
    parameters, layers, hidden, length, rows = 1000, 3, 8, 10, 4
    flops = model_flops(Network(parameters, parameters, layers, hidden), rows * length, rows, 1.0)
    assert flops == rows * length * (6 * parameters + 12 * layers * hidden * length)


def test_a_frozen_backbone_needs_two_thirds_of_the_parameters_part_and_a_search_mostly_goes_forward() -> None:
    network = Network(1000, 0, 3, 8)
    assert model_flops(network, 40, 4, 1.0) == 40 * (4 * 1000 + 12 * 3 * 8 * 10)
    assert model_flops(network, 40, 4, 0.25) == 40 * (2 * 1000 + 4 * 3 * 8 * 10 + 0.25 * (2 * 1000 + 8 * 3 * 8 * 10))
    assert model_flops(network, 0, 0, 1.0) == 0


def test_what_trains_of_the_layers_counts_and_a_table_that_trains_does_not(workshop) -> None:
    backbone = workshop.backbone(frozen=False)
    network = network_of(backbone, task_of(workshop), backbone.encoder.parameters())
    assert network.trained == network.parameters < backbone.geometry.parameters
