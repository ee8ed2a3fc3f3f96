"""From stacked prompts to what every row of a micro-batch has: key/value prefixes, vectors in its slots, and changes
inside modules.

Shape legend: B rows, L layers with a prefix, A key/value heads, P prompt length, D head size, H embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.model.attention import RowPrefixes
from bench.model.changes import RowChanges
from bench.model.prompts import CHANGE
from bench.model.stacked import Stacked


def row_prefixes(
    batch: MicroBatch, stacked: Stacked, devices: Mapping[int, torch.device] | None = None
) -> RowPrefixes | None:
    """Each row's prefixes by layer, dropped out by its own seed; None when no row has any.

    `devices` are those of layers that lie elsewhere: keys and values go there together, which leaves them as they lie
    in memory, and products of them as they are rounded.
    """
    if not stacked.has("prefixes"):
        return None
    draws, keys, values, devices = stacked.draws(batch, "prompt"), {}, {}, devices or {}
    for at, layer in enumerate(stacked.layers):
        by_row = stacked.by_row("prefixes", batch.owners, at, draws)  # (B, 2, A, P, D)
        keys[layer], values[layer] = by_row.to(devices.get(layer, by_row.device)).unbind(1)
    return RowPrefixes(keys, values)


def row_changes(batch: MicroBatch, stacked: Stacked, time_first: bool) -> RowChanges | None:
    """Each row's changes inside the model; None when no row has any. `time_first` as in RowChanges."""
    if not stacked.sites:
        return None
    names = [name for name in stacked.values if name.startswith(CHANGE)]
    tensors = {name.removeprefix(CHANGE): stacked.by_row(name, batch.owners) for name in names}
    return RowChanges(dict(stacked.sites), tensors, len(batch.ids), time_first)


def slot_vectors(batch: MicroBatch, stacked: Stacked) -> Tensor:
    """The vector of every slot of every row, dropped out by the row's seed: (B, P, H)."""
    return stacked.by_row("slots", batch.owners, draws=stacked.draws(batch, "prompt"))
