"""What an attachment stores is what a fresh one is restored from, whole."""

from __future__ import annotations

import pytest
import torch

from bench.model.attachment import LayerPrefixes, SlotPrompts, Weights
from bench.registry import find_suite

RTE = find_suite("superglue").task("rte")


def slots(backbone) -> SlotPrompts:
    return SlotPrompts(torch.randn(2, backbone.geometry.embedding))


def prefixes(backbone) -> LayerPrefixes:
    geometry = backbone.geometry
    width = 2 * geometry.kv_heads * geometry.head_size
    return LayerPrefixes(torch.randn(3, width), (1,), geometry.kv_heads, geometry.head_size, offset=3)


def weights_and_prefixes(backbone) -> Weights:
    return Weights(backbone, RTE, with_lm_head=False, slots=prefixes(backbone))


@pytest.mark.parametrize("attachment_of", [slots, prefixes, weights_and_prefixes])
def test_restoring_takes_all_that_is_stored_and_says_what_is_lacking(workshop, attachment_of) -> None:
    backbone = workshop.backbone(frozen=False)
    first, second = attachment_of(backbone), attachment_of(backbone)
    stored = first.stored()
    second.restore(stored)
    wanted, restored = first.prompts(), second.prompts()
    assert (restored.layers, restored.offset) == (wanted.layers, wanted.offset)
    assert all(torch.equal(tensor, stored[name]) for name, tensor in second.stored().items())
    for name in stored:
        with pytest.raises(KeyError, match=name):
            second.restore({other: tensor for other, tensor in stored.items() if other != name})
