"""Each method against its own description."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from bench.registry import build, find_method, find_suite

RTE = find_suite("superglue").task("rte")
HIDDEN, LAYERS, VOCABULARY = 32, 2, 74  # of the tiny BERT


@pytest.fixture(scope="module")
def backbone(workshop):
    return workshop.backbone()


def attach(backbone, method, **settings):
    torch.manual_seed(0)
    return build(find_method(method), settings).attach(backbone, RTE)


def size(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("length", "layers", "count"), [(20, "all", 2), (5, "2-2", 1), (7, "1", 1)])
def test_ptv2_trains_a_key_and_a_value_per_position_and_layer(backbone, length, layers, count):
    attachment = attach(backbone, "ptv2", length=length, layers=layers)
    assert size(attachment) == length * count * 2 * HIDDEN
    prompts = attachment.prompts()
    assert prompts.prefixes.shape == (count, 2, 4, length, HIDDEN // 4)
    assert prompts.layers == {"all": (0, 1), "2-2": (1,), "1": (0,)}[layers]


def test_ptv2_stores_no_more_with_reparameterisation(backbone):
    attachment = attach(backbone, "ptv2", length=5, reparam="mlp", reparam_hidden=16)
    width = LAYERS * 2 * HIDDEN
    assert size(attachment) == 5 * HIDDEN + (HIDDEN * 16 + 16) + (16 * width + width)
    assert sum(tensor.numel() for tensor in attachment.stored().values()) == 5 * width


def test_ptv2_lays_keys_and_values_as_the_reference_view_does(backbone):
    """The reference reads its (P, L*2*H) table as (P, L*2, heads, size), layers outermost, key before value."""
    attachment = attach(backbone, "ptv2", length=3)
    table = attachment.vectors.detach().view(3, LAYERS * 2, 4, HIDDEN // 4)
    prefixes = attachment.prompts().prefixes
    for layer in range(LAYERS):
        for part in range(2):
            torch.testing.assert_close(prefixes[layer, part].transpose(0, 1), table[:, 2 * layer + part])


def test_prompt_tuning_uniform_is_within_a_half(backbone):
    vectors = attach(backbone, "prompt_tuning", init="uniform").vectors
    assert vectors.shape == (100, HIDDEN)
    assert -0.5 <= vectors.min() < -0.45
    assert 0.45 < vectors.max() <= 0.5


def rows_of(vectors, table) -> list[int]:
    distances = torch.cdist(vectors.detach(), table, compute_mode="donot_use_mm_for_euclid_dist")
    assert distances.min(dim=1).values.max() < 1e-4
    return distances.argmin(dim=1).tolist()


def test_prompt_tuning_vocab_draws_different_words_without_special_tokens(backbone):
    ids = rows_of(attach(backbone, "prompt_tuning", init="vocab", length=60).vectors, backbone.embeddings.weight)
    assert len(set(ids)) == 60
    assert min(ids) > 4


def test_prompt_tuning_classes_starts_with_the_label_words(backbone):
    vectors = attach(backbone, "prompt_tuning", init="classes", length=4).vectors
    ids = rows_of(vectors, backbone.embeddings.weight)
    assert backbone.tokenizer.convert_ids_to_tokens(ids[:2]) == ["yes", "no"]


def test_prompt_tuning_text_is_repeated_to_the_length(backbone):
    vectors = attach(backbone, "prompt_tuning", init="text", init_text="word1 word2", length=5).vectors
    ids = rows_of(vectors, backbone.embeddings.weight)
    assert backbone.tokenizer.convert_ids_to_tokens(ids) == ["word1", "word2", "word1", "word2", "word1"]


def test_prompt_tuning_text_needs_a_text():
    with pytest.raises(ValidationError, match="go together"):
        find_method("prompt_tuning")(init="text")


def test_ptuning_v1_encodes_with_a_two_layer_bilstm_or_an_mlp(backbone):
    half = HIDDEN // 2
    lstm_layer = lambda inputs: 2 * 4 * (half * inputs + half * half + 2 * half)  # noqa: E731
    mlp = (HIDDEN * HIDDEN + HIDDEN) * 2
    lstm = attach(backbone, "ptuning_v1", length=6)
    assert size(lstm) == 6 * HIDDEN + lstm_layer(HIDDEN) + lstm_layer(2 * half) + mlp
    assert size(attach(backbone, "ptuning_v1", length=6, encoder="mlp")) == 6 * HIDDEN + mlp
    assert lstm.prompts().slots.shape == (6, HIDDEN)
    assert {name: tensor.shape for name, tensor in lstm.stored().items()} == {"slots": (6, HIDDEN)}


def test_ptuning_v1_may_tune_the_backbone_at_its_own_rate(workshop):
    (cell,) = workshop.cells("ptuning_v1", settings={"ptuning_v1": {"tune_backbone": True}})
    lane = workshop.lane(cell, workshop.backbone(frozen=False))
    assert [group["lr"] for group in lane.optimizer.param_groups] == [1e-3, 1e-5]
    names = set(lane.training_tensors())
    assert {"attachment.slots.vectors", "backbone.bert.embeddings.word_embeddings.weight"} <= names
    assert any(name.startswith("backbone.cls") for name in names)


def test_finetune_leaves_the_language_model_head_alone_unless_scores_go_through_it(workshop):
    for head, reached in (("linear", False), ("verbalizer", True)):
        (cell,) = workshop.cells("finetune", settings={"finetune": {"head": head}})
        names = workshop.lane(cell, workshop.backbone(frozen=False)).training_tensors()
        assert any(name.startswith("backbone.cls") for name in names) is reached


def test_every_method_starts_its_head_from_the_same_values(workshop):
    backbone = workshop.backbone()
    heads = [
        workshop.lane(workshop.cells(name, settings={name: {"head": "linear"}})[0], backbone).head.linear.weight
        for name in ("ptv2", "prompt_tuning", "ptuning_v1")
    ]
    assert torch.equal(heads[0], heads[1])
    assert torch.equal(heads[0], heads[2])
