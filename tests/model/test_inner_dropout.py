"""The backbone's own dropout is a row's: the same beside any rows, another at each call, step and seed."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import dropout

from bench.data.batches import collate
from bench.data.cutting import Shape
from bench.data.rows import Item, Row
from bench.model.inner_dropout import RowDropout, row_dropout
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked
from tests.model.families import FAMILIES

CPU = torch.device("cpu")
SHORT, LONG = [2, 20, 21, 22, 3], [2, *range(20, 30), 3]


def batch_of(*rows, pad_id=0, shape=None):
    """A micro-batch of rows: the tokens and the seed of each."""
    items = [Item(0, (Row(ids, [0] * len(ids), [], [0]),), [0], [0], False) for ids, _ in rows]
    return collate(items, pad_id, CPU, seeds=[seed for _, seed in rows], shape=shape)


def hidden(backbone, *rows, shape=None):
    """States in training mode, and how many calls have drawn."""
    batch = batch_of(*rows, pad_id=backbone.pad_id, shape=shape)
    draws = RowDropout(batch, backbone.family.query_stream)
    backbone.model.train()
    with torch.no_grad(), row_dropout(draws):
        return backbone.hidden(batch, Stacked([Prompts()])), draws.calls


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_loses_the_same_alone_and_beside_longer_and_empty_rows(family, load):
    backbone = load(family)
    for module in backbone.model.modules():  # some configs drop nothing out
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    alone, calls = hidden(backbone, (SHORT, 7))
    beside, _ = hidden(backbone, (LONG, 5), (SHORT, 7))
    filled, _ = hidden(backbone, (SHORT, 7), shape=Shape(rows=3, length=9, fed=0, read=1, width=1))
    for other in (beside[1:, : len(SHORT)], filled[:1, : len(SHORT)]):
        torch.testing.assert_close(other, alone, atol=2e-5, rtol=0)
    if calls:
        assert not torch.allclose(hidden(backbone, (SHORT, 8))[0], alone, atol=1e-3)
        assert torch.equal(hidden(backbone, (SHORT, 7))[0], alone)


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5", "xlnet", "bart", "deberta-v2", "mpnet"])
def test_families_with_dropout_in_modules_in_functions_and_in_attention_draw(family, load):
    backbone = load(family)
    backbone.model.eval()
    assert hidden(backbone, (SHORT, 7))[1] >= backbone.geometry.layers


def test_each_call_draws_anew_and_a_share_of_rate_is_lost():
    draws = RowDropout(batch_of((SHORT, 1), (SHORT, 2)), False)
    states = torch.ones(2, 100, 64)
    with row_dropout(draws):
        first, second = dropout(states, 0.25), dropout(states, 0.25)
        kept = dropout(states, 0.25, training=False)
    assert torch.equal(kept, states)
    for found in (first, second):
        assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
        assert found.mean().item() == pytest.approx(1, abs=0.02)
    both = ((first == 0) & (second == 0)).float().mean().item()
    assert both == pytest.approx(0.0625, abs=0.01)
    assert torch.equal(dropout(states, 0.0), states)


def test_a_tensor_without_rows_is_named():
    draws = RowDropout(batch_of((SHORT, 1), (SHORT, 2)), False)
    with row_dropout(draws), pytest.raises(ValueError, match="says nothing of 2 rows"):
        dropout(torch.ones(3, 4, 5), 0.5)
