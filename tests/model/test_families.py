"""Every family: the backbone means the same by slots, prefixes and padding, and every method trains on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.data.batches import Ticket, collate
from bench.data.rows import Item, Row
from bench.errors import UsageError
from bench.model.attachment import Prompts
from bench.model.backbone import Backbone, load_backbone
from bench.model.source import find_model
from bench.plan import Grid, plan
from bench.registry import methods
from bench.score.evaluate import predict
from bench.train.loop import fit
from tests.conftest import Workshop
from tests.model.families import FAMILIES

WORK = list(FAMILIES)
EXACT = {"atol": 2e-5, "rtol": 0}
IDS, LONGER = [2, 20, 21, 22, 3], [2, *range(20, 30), 3]
Load = Callable[[str], Backbone]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of a family, written once."""
    made: dict[str, Path] = {}

    def write(family: str) -> Path:
        if family not in made:
            made[family] = FAMILIES[family](tmp_path_factory.mktemp("families") / family)
        return made[family]

    return write


@pytest.fixture
def load(folders: Callable[[str], Path]) -> Load:
    def loader(family: str) -> Backbone:
        return load_backbone(find_model(str(folders(family))), torch.device("cpu"), "fp32", True)

    return loader


def row(ids: list[int], slots: tuple[int, ...] = ()) -> Item:
    return Item(0, (Row(ids, [0] * len(ids), list(slots), [0]),), [0], [0], False)


@torch.no_grad()
def hidden(backbone: Backbone, *rows: Item, prompts: Prompts | None = None) -> torch.Tensor:
    batch = collate([Ticket(0, each) for each in rows], backbone.pad_id, backbone.device)
    return backbone.hidden(batch, [prompts or Prompts()], [0.0])


def prefix(backbone: Backbone, length: int = 3) -> Prompts:
    g = backbone.geometry
    made = torch.randn(g.layers, 2, g.kv_heads, length, g.head_size, generator=torch.Generator().manual_seed(0))
    return Prompts(prefixes=made, layers=tuple(range(g.layers)))


@pytest.mark.parametrize("family", WORK)
@pytest.mark.parametrize("prefixed", [False, True])
def test_padding_changes_nothing(family, prefixed, load):
    backbone = load(family)
    prompts = prefix(backbone) if prefixed else None
    alone = hidden(backbone, row(IDS), prompts=prompts)
    beside = hidden(backbone, row(IDS), row(LONGER), prompts=prompts)
    torch.testing.assert_close(beside[:1, : len(IDS)], alone, **EXACT)


@pytest.mark.parametrize("family", WORK)
def test_slots_filled_with_words_own_embeddings_are_those_words(family, load):
    backbone = load(family)
    vectors = backbone.embeddings.weight[torch.tensor([20, 21])]
    with_slots = hidden(backbone, row([2, 0, 0, 22, 3], (1, 2)), prompts=Prompts(slots=vectors))
    torch.testing.assert_close(with_slots, hidden(backbone, row(IDS)), **EXACT)


@pytest.mark.parametrize("family", WORK)
def test_every_layers_prefix_reaches_every_token(family, load):
    backbone = load(family)
    plain = hidden(backbone, row(IDS))
    whole = prefix(backbone)
    for layer in range(backbone.geometry.layers):
        one = Prompts(prefixes=whole.prefixes[layer : layer + 1], layers=(layer,))
        moved = (hidden(backbone, row(IDS), prompts=one) - plain).abs().amax(dim=-1)
        assert (moved > 1e-4).all()


@pytest.mark.parametrize("family", WORK)
def test_a_prefix_that_is_a_copy_of_no_key_weighs_as_softmax_says(family, load):
    """Two equal prefix columns take the weight of one whose key scores log 2 more: the prefix is inside the softmax."""
    backbone = load(family)
    one = prefix(backbone, 1)
    twice = Prompts(prefixes=one.prefixes.repeat(1, 1, 1, 2, 1), layers=one.layers)
    single, double = (hidden(backbone, row(IDS), prompts=each) for each in (one, twice))
    assert (single - double).abs().max() > 1e-4


@pytest.mark.parametrize("family", WORK)
def test_the_language_model_head_is_the_models_own(family, load):
    backbone = load(family)
    ids = torch.tensor([IDS])
    with torch.no_grad():
        expected = backbone.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        if backbone.family.mixes_neighbours:
            expected = expected.clone()
        found = backbone.lm_logits(hidden(backbone, row(IDS))[0])
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("family", [name for name in WORK if name in ("gpt2", "llama", "opt", "gemma2", "glm")])
def test_a_decoders_token_does_not_see_what_follows(family, load):
    backbone = load(family)
    assert backbone.causal
    for prompts in (None, prefix(backbone)):
        first = hidden(backbone, row(IDS), prompts=prompts)[0, :3]
        other = hidden(backbone, row([*IDS[:3], 40, 41]), prompts=prompts)[0, :3]
        torch.testing.assert_close(first, other, **EXACT)


CASES = [(family, method, head) for family in WORK for method in methods() for head in ("linear", "verbalizer")]


@pytest.mark.parametrize(("family", "method", "head"), CASES, ids=lambda value: str(value))
def test_every_method_trains_what_it_should_and_what_it_stores_gives_the_same_scores(
    family, method, head, folders, fixed_superglue
):
    workshop = Workshop(folders(family), fixed_superglue)
    try:
        (cell,) = workshop.cells(method, settings={method: {"head": head}}, budget={"steps": 4, "evaluations": 1})
        backbone = workshop.backbone(frozen=False)
        lane = workshop.lane(cell, backbone)
    except UsageError as reason:
        pytest.skip(str(reason))
    fit(backbone, [lane], 300)
    assert (lane.status, lane.reason) == ("done", None)
    expected, stored = scores(lane, backbone), lane.stored()
    fresh = workshop.backbone(frozen=False)
    again = workshop.lane(cell.model_copy(update={"seed": 99}), fresh)
    again.attachment.restore(stored)
    again.head.load_state_dict({name: stored[f"head.{name}"] for name in again.head.state_dict()})
    assert scores(again, fresh) == expected


def scores(lane, backbone):
    (found,) = predict(backbone, [lane], [lane.data.scored], [lane.data.scored_examples], 300)
    return [each.probabilities for each in found.found]


@pytest.mark.parametrize("family", WORK)
def test_a_prefixs_size_is_the_formulas(family, folders, fixed_superglue):
    workshop = Workshop(folders(family), fixed_superglue)
    (cell,) = workshop.cells("ptv2")
    backbone = workshop.backbone()
    lane, g = workshop.lane(cell, backbone), backbone.geometry
    sizes = {name: tensor.numel() for name, tensor in lane.stored().items()}
    assert sizes == {
        "prefixes": 6 * 2 * g.layers * g.kv_heads * g.head_size, "head.linear.weight": 2 * g.hidden,
        "head.linear.bias": 2,
    }  # fmt: skip


@pytest.mark.parametrize("family", [name for name in WORK if name not in ("deberta-v2",)])
def test_prompts_up_to_the_last_position_work_and_one_more_is_refused(family, folders, fixed_superglue):
    source = find_model(str(folders(family)))
    assert source.positions == 64
    grid = {"suite": "superglue", "tasks": ("rte",), "methods": ("prompt_tuning",), "models": (source.path,),
            "seeds": (0,), "data": fixed_superglue, "budget": {"max_length": 32}}  # fmt: skip
    plan(Grid(**grid, settings={"prompt_tuning": {"length": 32}}))
    with pytest.raises(UsageError, match=r"33 prompt positions \+ 32 text tokens = 65, but model .* has 64 positions"):
        plan(Grid(**grid, settings={"prompt_tuning": {"length": 33}}))
    backbone = load_backbone(source, torch.device("cpu"), "fp32", True)
    assert hidden(backbone, row([20] * 64)).isfinite().all()


@pytest.mark.parametrize("family", ["xlnet", "t5", "bart"])
def test_a_family_that_does_not_work_is_refused_with_the_reason(family, folders):
    with pytest.raises(UsageError, match=f"models of the family {family} cannot be used: "):
        load_backbone(find_model(str(folders(family))), torch.device("cpu"), "fp32", True)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma", "modernbert"])
def test_bias_terms_of_a_model_without_any_are_a_skip_in_the_plan(family, folders, fixed_superglue):
    made = plan(Grid(suite="superglue", tasks=("rte",), methods=("bitfit", "ptv2"), models=(str(folders(family)),),
                     seeds=(0,), data=fixed_superglue, budget={"max_length": 32}))  # fmt: skip
    assert [(skip.method, skip.reason) for skip in made.skips] == [
        ("bitfit", f"the layers of model '{family}' have no bias terms")
    ]
    assert {cell.method for cell in made.cells} == {"ptv2"}
