"""A micro-batch: rows of tokens padded to one length, whose they are, and what is read and wanted of them.

Shape legend: B rows, T tokens (slots included), P slots, K positions read of a row, U tokens that a decoder is fed, I
items, W rows of an item, V targets of an item.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.data.cutting import Cut, Shape, Tickets
from bench.data.rows import Item
from bench.data.table import NONE, ItemTable, item_table

_ROWS, _ITEMS = 3, 4  # lines of an index: of each row its number, owner and seed; of each item its number, …
_STEP, _MIX = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9  # of SplitMix64


@dataclass(frozen=True)
class MicroBatch:
    """Rows of items one after another, then empty ones.

    `owners` are lanes by their numbers; the number after the last is nobody's, and the empty rows' and items'.
    An item's loss goes to (`item_owners`, `item_places`), divided by `terms`.
    """

    ids: Tensor  # (B, T)
    mask: Tensor  # (B, T), 1 at real tokens and slots; an empty row has one token, so that attention has something
    types: Tensor  # (B, T)
    numbers: Tensor  # (B,) of the table's rows
    owners: Tensor  # (B,)
    seeds: Tensor  # (B,) of each row's dropout
    slots: Tensor  # (B, P) the column of each prompt vector; T where a row has fewer
    read: Tensor  # (B, K) the columns that heads read, 0 where a row has fewer
    is_read: Tensor  # (B, K)
    tokens: Tensor  # (B, K) the token wanted at each position, 0 where none is asked for
    fed: Tensor  # (B, U) what a decoder is fed; U is 0 where none reads the rows on
    rows: Tensor  # (I, W) the rows of each item
    has_row: Tensor  # (I, W)
    targets: Tensor  # (I, V) float; V is W where items have several rows, else K
    terms: Tensor  # (I,)
    item_owners: Tensor  # (I,)
    item_places: Tensor  # (I,)
    all_slots: bool = True  # whether no row has fewer slots than P
    masks: bool = False  # whether a row may read a position at which the mask token stands

    def gathered(self, hidden: Tensor) -> Tensor:
        """(B, T, H) -> (B, K, H), the states at the positions that heads read."""
        places = torch.arange(len(hidden), device=hidden.device)
        return hidden[places[:, None], self.read]

    def moved(self, move: Callable[[Tensor], Tensor]) -> MicroBatch:
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        moved: dict[str, Any] = {name: move(value) for name, value in values.items() if isinstance(value, Tensor)}
        return replace(self, **moved)

    def to(self, device: torch.device) -> MicroBatch:
        """On a GPU, without waiting for it."""
        return self.moved(lambda tensor: tensor.pin_memory().to(device, non_blocking=True))

    def copy_(self, other: MicroBatch) -> None:
        """Take another's values, of the same shape, without waiting for the device."""
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Tensor):
                value.copy_(getattr(other, each.name), non_blocking=True)


def batch_index(table: ItemTable, tickets: Tickets, cut: Cut, terms: np.ndarray, nobody: int) -> Tensor:
    """What tells a micro-batch apart from others of its shape: (3 B + (4 + W) I,) int64, on the host.

    `terms` (n,): by what each ticket's loss is divided. There are as many items as rows, the last ones empty.
    """
    shape, sizes = cut.shape, table.sizes
    items = tickets.items[cut.chosen]
    counts = sizes.rows[items]
    owner_of_row = np.repeat(np.arange(len(items)), counts)
    numbers = np.arange(len(owner_of_row)) - np.repeat(counts.cumsum() - counts, counts)
    of_rows = np.full((_ROWS, shape.rows), [[table.empty], [nobody], [0]], np.int64)
    count = len(owner_of_row)
    of_rows[0, :count] = sizes.first[items][owner_of_row] + numbers
    of_rows[1, :count] = tickets.owners[cut.chosen][owner_of_row]
    of_rows[2, :count] = _row_seeds(tickets.seeds[cut.chosen][owner_of_row], numbers)
    of_items = np.full((_ITEMS + shape.width, shape.rows), -1, np.int64)
    of_items[:_ITEMS] = [[0], [nobody], [0], [1]]
    of_items[:_ITEMS, : len(items)] = items, tickets.owners[cut.chosen], tickets.places[cut.chosen], terms[cut.chosen]
    of_items[_ITEMS + numbers, owner_of_row] = np.arange(count)
    return torch.from_numpy(np.concatenate([of_rows.ravel(), of_items.ravel()]))


def _row_seeds(seeds: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """A seed for every row of an item: the item's own for the first, and mixed with the row's number for others."""
    with np.errstate(over="ignore"):
        mixed = (seeds.astype(np.uint64) + numbers.astype(np.uint64) * np.uint64(_STEP)) * np.uint64(_MIX)
    mixed ^= mixed >> np.uint64(31)
    return np.where(numbers > 0, (mixed >> np.uint64(1)).astype(np.int64), seeds)


def gather(table: ItemTable, index: Tensor, shape: Shape) -> MicroBatch:
    """The micro-batch of an index, where the table's tensors and the index lie."""
    count = shape.rows
    row_numbers, owners, seeds = index[: _ROWS * count].view(_ROWS, count)
    item_numbers, item_owners, item_places, terms, *of_items = index[_ROWS * count :].view(-1, count)
    rows = torch.stack(of_items, dim=1)

    def of_rows(values: Tensor, width: int, filler: int = 0) -> Tensor:
        return widened(values[:, :width].index_select(0, row_numbers), width, filler).long()

    ids, read = of_rows(table.ids, shape.length, table.pad_id), shape.read
    columns = torch.arange(shape.length, device=ids.device)
    slots = of_rows(table.slots, table.slots.shape[1])
    slots = slots.masked_fill(slots == NONE, shape.length - table.all_slots)  # an empty row then has some, of no effect
    wanted = shape.width if shape.width > 1 else read
    return MicroBatch(
        ids=ids,
        mask=(columns < table.lengths.index_select(0, row_numbers)[:, None]).long(),
        types=of_rows(table.types, shape.length),
        numbers=row_numbers,
        owners=owners,
        seeds=seeds,
        slots=slots,
        read=of_rows(table.read, read),
        is_read=torch.arange(read, device=ids.device) < table.num_read.index_select(0, row_numbers)[:, None],
        tokens=of_rows(table.tokens, read if table.wants_tokens else 0),
        fed=of_rows(table.fed, shape.fed, table.pad_id),
        rows=rows.clamp(min=0),
        has_row=rows >= 0,
        targets=widened(table.targets[:, :wanted].index_select(0, item_numbers), wanted, 0),
        terms=terms,
        item_owners=item_owners,
        item_places=item_places,
        all_slots=table.all_slots,
        masks=table.masks,
    )


def widened(values: Tensor, width: int, filler: int = 0) -> Tensor:
    """(B, at most width, …) -> (B, width, …)."""
    missing = width - values.shape[1]
    beside = (0, 0) * (values.dim() - 2)
    return torch.nn.functional.pad(values, (*beside, 0, missing), value=filler) if missing else values


def collate(
    items: Sequence[Item], pad_id: int, device: torch.device, owners: Sequence[int] = (), seeds: Sequence[int] = (),
    shape: Shape | None = None, mask_id: int | None = None,
) -> MicroBatch:  # fmt: skip
    """A micro-batch of these items, padded to the longest or to a shape; all lane 0's unless `owners` are given."""
    count = len(items)
    table = item_table([items], [lambda item: len(item.targets)], pad_id, mask_id)
    tickets = Tickets(
        np.arange(count), np.array(owners or [0] * count), np.arange(count), np.array(seeds or [0] * count, np.int64)
    )
    sizes = table.sizes
    exact = Shape(int(sizes.rows.sum()), *(int(of.max()) for of in (sizes.length, sizes.fed, sizes.read, sizes.rows)))
    cut = Cut(np.arange(count), shape or exact)
    index = batch_index(table, tickets, cut, np.ones(count, np.int64), int(tickets.owners.max()) + 1)
    on_device = table.to(device, float("inf"))
    return gather(on_device, index.to(device), cut.shape)
