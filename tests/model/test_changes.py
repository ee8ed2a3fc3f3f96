"""Changes by row: in which families, of which rows, and what may not meet."""

from __future__ import annotations

import pytest
import torch

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.errors import CannotShare
from bench.model.prefixes import row_changes
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked
from bench.registry import build, find_method, find_suite
from tests.model.families import FAMILIES

RTE, TAGS = find_suite("superglue").task("rte"), find_suite("ner").task("conll03")
SHORT, LONG = [2, 20, 21, 3], [2, *range(20, 29), 3]
CPU = torch.device("cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_shares_the_backbone_of_every_family_but_for_positions_that_all_rows_share(family, load):
    backbone = load(family)
    if family == "deberta-v2":
        with pytest.raises(CannotShare, match="a module was given 1 rows, which are not those of 2 texts"):
            find_method("lora")().attach(backbone, RTE)
    else:
        assert find_method("lora")().attach(backbone, RTE).sites


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("deberta", r"q_bias is no bias that a row passes"), ("xlnet", r"r_r_bias is no bias that a row passes"),
        ("deberta-v2", "a module was given 1 rows"), ("mobilebert", None), ("albert", None), ("gpt2", None),
        ("bart", None), ("opt", None),
    ],
)  # fmt: skip
def test_biases_share_where_each_is_added_to_what_a_module_gives(family, reason, load):
    if reason:
        with pytest.raises(CannotShare, match=reason):
            find_method("bitfit")().attach(load(family), RTE)
    else:
        assert find_method("bitfit")().attach(load(family), RTE).sites


def test_experts_that_are_no_modules_are_changed_in_a_model_of_a_cells_own(load):
    method = build(find_method("lora"), {"targets": "all-linear"})
    with pytest.raises(CannotShare, match="ParamWrapper"):
        method.attach(load("mixtral"), RTE)


def items(*fed: list[int]) -> list[Item]:
    """Two texts; those that are fed something are read on by a decoder."""
    texts = (SHORT, LONG)
    return [
        Item(at, (Row(ids, [0] * len(ids), [], [0], [], decoder),), [0], [0], False)
        for at, (ids, decoder) in enumerate(zip(texts, fed, strict=True))
    ]


def drawn(attachment, seed):
    """Its prompts, with other values."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in attachment.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return attachment.prompts()


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_a_decoder_changes_each_row_by_its_own_lane(family, load):
    backbone, method = load(family), build(find_method("lora"), {"targets": "all-linear"})
    lanes = [drawn(method.attach(backbone, RTE), seed) for seed in (1, 2)]
    both = items([0, 20], [0, 21])
    with torch.no_grad():
        together = backbone.hidden(collate(both, backbone.pad_id, CPU, owners=(0, 1)), Stacked(lanes))
        swapped = backbone.hidden(collate(both, backbone.pad_id, CPU, owners=(1, 0)), Stacked(lanes))
        for at, lane in enumerate(lanes):
            alone = backbone.hidden(collate([both[at]], backbone.pad_id, CPU), Stacked([lane]))
            torch.testing.assert_close(together[at], alone[0], atol=1e-4, rtol=0)
            assert not torch.allclose(swapped[at], alone[0], atol=1e-2)


def test_tags_are_read_in_the_encoder_whose_modules_alone_are_changed(load):
    method = build(find_method("lora"), {"targets": "all-linear"})
    of_tags, of_classes = (method.attach(load("t5"), task).sites for task in (TAGS, RTE))
    assert all(path.startswith("encoder.") for path, _ in of_tags)
    assert {path for path, _ in of_tags} < {path for path, _ in of_classes}


def test_rows_changed_at_different_sites_or_not_at_all_may_not_meet(load):
    backbone = load("bert")
    lora, bitfit = (find_method(name)().attach(backbone, RTE).prompts() for name in ("lora", "bitfit"))
    for other in (bitfit, Prompts()):
        with pytest.raises(ValueError, match="what is stacked must be of one shape"):
            Stacked([lora, other])
    assert row_changes(collate(items([], []), backbone.pad_id, CPU), Stacked([Prompts()] * 2), False) is None
