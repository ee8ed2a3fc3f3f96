"""The copies that tests work on are what comes from the disk, and nobody else's."""

from __future__ import annotations

import pytest
import torch

from bench.model.loading import load_backbone
from bench.model.source import find_model
from tests.loaded import loaded
from tests.model.test_families import IDS, LONGER, hidden, prefix, row


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("family", ["bert", "albert", "gpt2", "t5", "xlnet", "deberta-v2", "mpt", "led"])
def test_a_copy_is_what_is_loaded_and_what_is_done_to_it_stays_with_it(family, checkpointing, folders):
    source = find_model(str(folders(family)))
    fresh = load_backbone(source, torch.device("cpu"), "fp32", True, checkpointing)
    spoiled, whole = loaded(source.path, True, checkpointing), loaded(source.path, True, checkpointing)
    expected = given(fresh)
    assert all(torch.equal(*pair) for pair in zip(expected, given(spoiled), strict=True))
    with torch.no_grad():
        for weight in spoiled.model.parameters():
            weight.add_(1.0)
    for module in spoiled.model.modules():
        module.register_forward_pre_hook(lambda *_: pytest.fail("another's module has run"))
    spoiled.tokenizer.add_tokens(["word1 word2"])
    found = given(whole)
    assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))
    assert len(found) > 10
    assert len(whole.tokenizer) == len(fresh.tokenizer) == len(spoiled.tokenizer) - 1
    assert (whole.geometry, whole.family, whole.shared) == (fresh.geometry, fresh.family, True)
    state, other = whole.model.state_dict(), fresh.model.state_dict()
    assert list(state) == list(other)
    assert all(torch.equal(state[name], other[name]) for name in state)


def given(backbone) -> list[torch.Tensor]:
    """States of rows with a prefix, and the gradients that they have in every weight."""
    weights = [weight.requires_grad_() for weight in backbone.model.parameters()]
    states = hidden.__wrapped__(backbone, row(IDS), row(LONGER), prompts=prefix(backbone))
    states.square().sum().backward()
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    for weight in weights:
        weight.grad = None
    return [states.detach(), *gradients]
