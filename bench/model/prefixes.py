"""From lanes' prompts to what every row of a micro-batch has: key/value prefixes, vectors in its slots, and changes
inside modules.

Rows that share a micro-batch have prefixes of one shape and changes at the same sites, or have none
(bench.data.cutting).

Shape legend: B rows, N rows of a lane, L layers with a prefix, A key/value heads, P prompt length, D head size, H
embedding size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.model.attention import RowPrefixes
from bench.model.changes import RowChanges
from bench.model.dropout import keep_mask
from bench.model.prompts import Prompts
from bench.model.rows import assembled, repeated


def row_prefixes(batch: MicroBatch, prompts: Sequence[Prompts], rates: Sequence[float]) -> RowPrefixes | None:
    """Each row's prefixes by layer, dropped out by its own seed; None when no row has any.

    `prompts` and `rates` go by lane. ValueError when rows with prefixes of different shapes, or with and without, meet.
    """
    lanes = list(batch.rows_of)
    shapes = {(_shape(prompts[lane].prefixes), prompts[lane].layers) for lane in lanes}
    if len(shapes) > 1:
        raise ValueError("rows of a micro-batch must have prefixes of one shape, or none")
    lane_prefixes = [prompts[lane].prefixes for lane in lanes]
    if lane_prefixes[0] is None:
        return None
    vectors = {lane: prefixes for lane, prefixes in zip(lanes, lane_prefixes, strict=True) if prefixes is not None}
    values = _by_row(batch, vectors, rates)
    return RowPrefixes(
        keys={layer: values[:, at, 0] for at, layer in enumerate(prompts[lanes[0]].layers)},
        values={layer: values[:, at, 1] for at, layer in enumerate(prompts[lanes[0]].layers)},
    )


def row_changes(batch: MicroBatch, prompts: Sequence[Prompts], time_first: bool) -> RowChanges | None:
    """Each row's changes inside the model; None when no row has any. `time_first` as in RowChanges.

    ValueError when rows with changes at different sites, or with and without, meet.
    """
    lanes = list(batch.rows_of)
    sites = prompts[lanes[0]].sites
    if any(prompts[lane].sites != sites for lane in lanes):
        raise ValueError("rows of a micro-batch must have changes at the same sites, or none")
    if not sites:
        return None
    no_dropout = [0.0] * len(prompts)
    tensors = {
        name: _by_row(batch, {lane: prompts[lane].changes[name] for lane in lanes}, no_dropout)
        for name in prompts[lanes[0]].changes
    }
    return RowChanges(dict(sites), tensors, len(batch.ids), time_first)


def slot_vectors(batch: MicroBatch, prompts: Sequence[Prompts], rates: Sequence[float]) -> Tensor:
    """The vector at every slot of a micro-batch: (S, H)."""
    vectors = {lane: slots for lane in batch.rows_of if (slots := prompts[lane].slots) is not None}
    longest = max(map(len, vectors.values()))
    padded = {lane: _padded(slots, longest) for lane, slots in vectors.items()}
    return _by_row(batch, padded, rates)[batch.slot_rows, batch.slot_numbers]


def _padded(slots: Tensor, length: int) -> Tensor:
    """(P, H) -> (length, H), zeros at the end."""
    num_missing = length - len(slots)
    return torch.cat([slots, slots.new_zeros(num_missing, slots.shape[1])]) if num_missing else slots


def _by_row(batch: MicroBatch, tensors: dict[int, Tensor], rates: Sequence[float]) -> Tensor:
    """(B, *shape): each row's lane's tensor with the row's dropout; zeros where a row is empty or its lane has none."""
    rows_of = {lane: rows for lane, rows in batch.rows_of.items() if lane in tensors}
    blocks = []
    for lane, rows in rows_of.items():
        block = repeated(tensors[lane], len(rows))
        if rates[lane]:
            seeds = [batch.row_seeds[row] for row in rows]
            shape = tuple(tensors[lane].shape)
            block = block * keep_mask(seeds, [rates[lane]] * len(rows), shape, block.device, "prompt")
        blocks.append(block)
    return assembled(blocks, list(rows_of.values()), len(batch.ids))


def _shape(prefixes: Tensor | None) -> tuple[int, ...] | None:
    return None if prefixes is None else tuple(prefixes.shape)
