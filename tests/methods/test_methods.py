"""Each method against its own description."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from bench.errors import UsageError
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.registry import build, find_method, find_suite
from bench.train.optim import Moved

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


def test_ptv2_offsets_positions_by_its_length_only_when_asked(backbone):
    plain, offset = (attach(backbone, "ptv2", length=5, offset_positions=on) for on in (False, True))
    assert (plain.prompts().offset, offset.prompts().offset, Stacked([offset.prompts()]).offset) == (0, 5, 5)
    torch.testing.assert_close(plain.prompts().prefixes, offset.prompts().prefixes)
    offset.restore(offset.stored())
    assert offset.prompts().offset == 5


@pytest.mark.parametrize("name", ["ptv2", "prefix_tuning"])
def test_prefixes_take_positions_only_when_they_offset_them(name):
    assert build(find_method(name), {"length": 7}).positions() == 0
    assert build(find_method(name), {"length": 7, "offset_positions": True}).positions() == 7


def test_prefix_tuning_makes_its_prefixes_with_an_mlp_and_stores_them_finished(backbone):
    attachment = attach(backbone, "prefix_tuning", length=5)
    width = LAYERS * 2 * HIDDEN
    assert size(attachment) == 5 * HIDDEN + (HIDDEN * 512 + 512) + (512 * width + width)
    first, tanh, last = attachment.encoder
    made = last(tanh(first(attachment.vectors))).view(5, LAYERS, 2, 4, HIDDEN // 4)
    torch.testing.assert_close(attachment.prompts().prefixes, made.permute(1, 2, 3, 0, 4))
    assert {name: tensor.numel() for name, tensor in attachment.stored().items()} == {"prefixes": 5 * width}


def test_prefix_tuning_starts_as_torch_draws_embeddings_and_linear_layers(backbone):
    attachment = attach(backbone, "prefix_tuning", length=64)
    assert 0.9 < attachment.vectors.std() < 1.1
    for layer in (attachment.encoder[0], attachment.encoder[2]):
        bound = layer.in_features**-0.5  # uniform within it, weights and biases
        assert 0.9 * bound < layer.weight.abs().max() <= bound
        assert 0 < layer.bias.abs().max() <= bound


@pytest.mark.parametrize("name", ["ptv2", "prefix_tuning"])
def test_a_prefix_in_layers_that_the_model_lacks_is_refused_by_its_own_name(name, workshop):
    reason = build(find_method(name), {"layers": "1-9"}).unfit(RTE, find_model(str(workshop.model)))
    assert reason is not None
    assert reason.startswith(f"{name}.layers=1-9, but model 'tiny-bert' has 2 layers")


def test_linear_probe_trains_the_head_alone(workshop):
    (cell,) = workshop.cells("linear_probe")
    lane = workshop.lane(cell, workshop.backbone())
    assert set(lane.training_tensors()) == {"head.linear.weight", "head.linear.bias"}
    assert set(lane.stored()) == {"head.linear.weight", "head.linear.bias"}


def test_linear_probe_with_a_verbalizer_is_skipped_with_the_reason(workshop):
    reason = build(find_method("linear_probe"), {"head": "verbalizer"}).unfit(RTE, find_model(str(workshop.model)))
    assert reason == "linear_probe trains a linear head only: with head=verbalizer there is nothing to train"


@pytest.mark.parametrize(("head", "through_lm_head"), [("linear", False), ("verbalizer", True)])
def test_bitfit_trains_every_bias_that_scores_depend_on_and_the_head(workshop, head, through_lm_head):
    (cell,) = workshop.cells("bitfit", settings={"bitfit": {"head": head}})
    backbone = workshop.backbone(frozen=False)
    names = set(workshop.lane(cell, backbone).training_tensors())
    reached = backbone.model if through_lm_head else backbone.encoder
    prefix = "backbone." if through_lm_head else "backbone.bert."
    biases = {f"{prefix}{name}" for name, _ in reached.named_parameters() if name.endswith("bias")}
    assert names - {"head.linear.weight", "head.linear.bias"} == biases
    assert len([name for name in biases if ".layer." in name]) == LAYERS * 8  # q k v, 2 outputs, middle, 2 LayerNorms
    assert all(weight.requires_grad == ("bias" in name) for name, weight in reached.named_parameters())


def test_bitfit_on_a_model_without_biases_says_so(workshop):
    backbone = workshop.backbone(frozen=False)
    for part in backbone.model.modules():
        if getattr(part, "bias", None) is not None:
            part.bias = None
    with pytest.raises(UsageError, match=r"BertForMaskedLM.* has no bias terms to train"):
        attach(backbone, "bitfit")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("bert.encoder.layer.0.attention.self.query.bias", True),
        ("deberta.encoder.layer.0.attention.self.q_bias", True),
        ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", False),
        ("bert.embeddings.LayerNorm.weight", False),
    ],
)
def test_bitfit_knows_biases_by_name(name, is_one):
    from bench.methods.bitfit import is_bias

    assert is_bias(name) is is_one


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
    lstm_layer = lambda inputs: 2 * 4 * (HIDDEN * inputs + HIDDEN * HIDDEN + 2 * HIDDEN)  # noqa: E731
    square = HIDDEN * HIDDEN + HIDDEN
    lstm = attach(backbone, "ptuning_v1", length=6)
    doubled = 2 * HIDDEN * HIDDEN + HIDDEN  # both ways come into the first linear layer
    assert size(lstm) == 6 * HIDDEN + lstm_layer(HIDDEN) + lstm_layer(2 * HIDDEN) + doubled + square
    mlp = 2 * square
    assert size(attach(backbone, "ptuning_v1", length=6, encoder="mlp")) == 6 * HIDDEN + mlp
    assert lstm.prompts().slots.shape == (6, HIDDEN)
    assert {name: tensor.shape for name, tensor in lstm.stored().items()} == {"slots": (6, HIDDEN)}


def test_ptuning_v1_may_tune_the_backbone_at_its_own_rate(workshop):
    (cell,) = workshop.cells("ptuning_v1", settings={"ptuning_v1": {"tune_backbone": True}})
    lane = workshop.lane(cell, workshop.backbone(frozen=False))
    groups = Moved(lane.method, lane.attachment, [lane.head], lane.num_steps).groups()
    assert [rate for _, rate in groups] == [1e-4, 1e-5]
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
        for name in ("ptv2", "prompt_tuning", "ptuning_v1", "prefix_tuning", "linear_probe")
    ]
    assert all(torch.equal(heads[0], other) for other in heads[1:])
