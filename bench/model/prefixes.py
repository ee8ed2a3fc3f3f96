"""From stacked prompts to what every row of a micro-batch has: key/value prefixes, and vectors in its slots.

Shape legend: B rows, L layers with a prefix, A key/value heads, P prompt length, D head size, H embedding size.
"""

from __future__ import annotations

from torch import Tensor

from bench.data.batches import MicroBatch
from bench.model.attention import RowPrefixes
from bench.model.dropout import keep_mask
from bench.model.stacked import Stacked


def row_prefixes(batch: MicroBatch, stacked: Stacked) -> RowPrefixes | None:
    """Each row's prefixes by layer, dropped out by its own seed; None when no row has any."""
    if not stacked.has("prefixes"):
        return None
    keys, values = {}, {}
    for at, layer in enumerate(stacked.layers):
        keys[layer], values[layer] = _dropped(batch, stacked, "prefixes", at).unbind(1)  # (B, A, P, D) each
    return RowPrefixes(keys, values)


def slot_vectors(batch: MicroBatch, stacked: Stacked) -> Tensor:
    """The vector of every slot of every row: (B, P, H)."""
    return _dropped(batch, stacked, "slots")


def _dropped(batch: MicroBatch, stacked: Stacked, name: str, part: int | None = None) -> Tensor:
    values = stacked.by_row(name, batch.owners, part)
    if not stacked.drops:
        return values
    rates = stacked.rates(batch.owners)
    return values * keep_mask(batch.seeds, rates, tuple(values.shape[1:]), "prompt", part or 0)
