"""Masks that are extended by a prefix's columns."""

from __future__ import annotations

import gc
import weakref

import torch

from bench.model.attention import RowPrefixes

LENGTH = 2


def prefixes() -> RowPrefixes:
    """A prefix of two positions in layers 0 and 1 of one row, one head of size 1."""
    vectors = {layer: torch.zeros(1, 1, LENGTH, 1) for layer in (0, 1)}
    return RowPrefixes(keys=vectors, values=vectors)


def test_a_prefix_is_seen_whatever_the_mask_hides() -> None:
    hidden = torch.tensor([[[[False, True, False]]]])
    assert prefixes().extended(0, hidden).tolist() == [[[[True, True, False, True, False]]]]
    added = torch.tensor([[[[-5.0, 0.0, -5.0]]]])
    assert prefixes().extended(0, added).tolist() == [[[[0.0, 0.0, -5.0, 0.0, -5.0]]]]
    assert prefixes().extended(0, None) is None


def test_layers_that_share_a_mask_share_its_extension_and_others_do_not() -> None:
    rows, first, second = (
        prefixes(),
        torch.ones(1, 1, 1, 3, dtype=torch.bool),
        torch.zeros(1, 1, 1, 3, dtype=torch.bool),
    )
    assert rows.extended(0, first) is rows.extended(1, first)
    assert rows.extended(1, second).tolist() == [[[[True, True, False, False, False]]]]


def test_a_mask_lives_as_long_as_what_is_known_by_its_id() -> None:
    """Else another mask could come to have the id of one that is gone, and get its extension."""
    rows, mask = prefixes(), torch.ones(1, 1, 1, 3, dtype=torch.bool)
    rows.extended(0, mask)
    alive = weakref.ref(mask)
    del mask
    gc.collect()
    assert alive() is not None
    assert set(rows.masks) == {id(alive())}
