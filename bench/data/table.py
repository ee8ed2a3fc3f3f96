"""Encoded items as padded tensors, so that a micro-batch is a gather and no row is handled in Python.

Shape legend: N items, M rows, T tokens of the longest row, P slots, K positions read of a row, U tokens that a decoder
is fed, W targets of an item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.rows import Item

Integers = NDArray[np.int64]
NONE = -1  # the column of a slot that a row has not


@dataclass(frozen=True, eq=False)
class ItemSizes:
    """What cutting asks of items, on the host: (N,) each."""

    first: Integers  # the first of its rows
    rows: Integers
    length: Integers  # of its longest row
    fed: Integers  # most tokens that a decoder is fed
    read: Integers  # most positions read of a row
    terms: Integers  # losses that it brings to the mean of a batch
    tokens: Integers  # of all its rows, padding not counted

    @property
    def longest(self) -> Integers:
        return np.maximum(self.length, self.fed)


@dataclass(frozen=True, eq=False)
class ItemTable:
    """The items of one loop, one set after another; row M, the last, is an empty one.

    The tensors lie where `to` has brought them: on the device, or in pinned memory of the host.
    """

    sizes: ItemSizes
    pad_id: int
    starts: tuple[int, ...]  # of each set, the number of its first item
    ids: Tensor  # (M + 1, T) int32
    types: Tensor  # (M + 1, T) uint8
    lengths: Tensor  # (M + 1,)
    slots: Tensor  # (M + 1, P) int32, the column of each prompt vector; NONE where a row has fewer
    read: Tensor  # (M + 1, K) int32
    num_read: Tensor  # (M + 1,)
    tokens: Tensor  # (M + 1, K) int32, the token wanted at each position read, 0 where none is asked for
    fed: Tensor  # (M + 1, U) int32, padded on the right
    targets: Tensor  # (N, W) float32
    wants_tokens: bool
    all_slots: bool  # whether every row has as many slots as the widest
    masks: bool = False  # whether a row reads a position at which the mask token stands

    @property
    def empty(self) -> int:
        """The number of the empty row."""
        return len(self.ids) - 1

    @property
    def num_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors().values())

    def to(self, device: torch.device, most_bytes: float) -> ItemTable:
        """On the device, or beside it in pinned memory where it would take more bytes than that."""
        if device.type == "cpu":
            return self
        if self.num_bytes > most_bytes:
            return self._moved(lambda tensor: tensor.pin_memory())
        return self._moved(lambda tensor: tensor.to(device))

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def _moved(self, move: Callable[[Tensor], Tensor]) -> ItemTable:
        return replace(self, **{name: move(tensor) for name, tensor in self._tensors().items()})  # type: ignore[arg-type]


def item_table(
    sets: Sequence[Sequence[Item]],
    num_terms: Sequence[Callable[[Item], int]],
    pad_id: int,
    mask_id: int | None = None,
) -> ItemTable:
    """The table of some sets of items; `num_terms` of each set tells how many losses an item brings to a mean."""
    items = [item for of_set in sets for item in of_set]
    rows = [row for item in items for row in item.rows]
    counts = np.array([len(item.rows) for item in items], dtype=np.int64)
    sizes = ItemSizes(
        first=np.concatenate([[0], counts.cumsum()[:-1]]).astype(np.int64) if items else counts,
        rows=counts,
        length=_numbers(items, lambda item: max(len(row.ids) for row in item.rows)),
        fed=_numbers(items, lambda item: max(len(row.decoder) for row in item.rows)),
        read=_numbers(items, lambda item: max(len(row.read) for row in item.rows)),
        terms=np.array(
            [terms(item) for terms, of_set in zip(num_terms, sets, strict=True) for item in of_set], np.int64
        ),
        tokens=_numbers(items, lambda item: item.num_tokens),
    )
    slot_counts = {len(row.slots) for row in rows}
    return ItemTable(
        sizes=sizes,
        pad_id=pad_id,
        starts=tuple(np.cumsum([0, *map(len, sets)])[:-1].tolist()),
        ids=_padded([*(row.ids for row in rows), [pad_id]], pad_id, torch.int32),
        types=_padded([*(row.types for row in rows), [0]], 0, torch.uint8),
        lengths=torch.tensor([*(len(row.ids) for row in rows), 1]),
        slots=_padded([*(row.slots for row in rows), []], NONE, torch.int32),
        read=_padded([*(row.read for row in rows), []], 0, torch.int32),
        num_read=torch.tensor([*(len(row.read) for row in rows), 0]),
        tokens=_padded([*(row.tokens for row in rows), []], 0, torch.int32),
        fed=_padded([*(row.decoder for row in rows), []], pad_id, torch.int32),
        targets=_padded([item.targets for item in items], 0, torch.float32),
        wants_tokens=any(row.tokens for row in rows),
        all_slots=len(slot_counts) <= 1,
        masks=any(row.ids[column] == mask_id for row in rows for column in row.read if column < len(row.ids)),
    )


def _numbers(items: Sequence[Item], number: Callable[[Item], int]) -> Integers:
    return np.fromiter(map(number, items), np.int64, len(items))


def _padded(values: Sequence[Sequence[float]], filler: int, dtype: torch.dtype) -> Tensor:
    """(len(values), longest), filled up on the right."""
    width = max(map(len, values), default=0)
    table = np.full((len(values), width), filler, dtype=np.float32 if dtype.is_floating_point else np.int64)
    for at, row in enumerate(values):
        table[at, : len(row)] = row
    return torch.from_numpy(table).to(dtype)
