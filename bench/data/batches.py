"""A step's items, from whichever lanes, as a sorted queue cut into micro-batches of at most N tokens.

Shape legend: B rows, T tokens (slots included), R positions that heads read, S slots in the whole micro-batch, D rows
with a decoder, U tokens it is fed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.data.rows import Item, Row
from bench.seeds import derive


@dataclass(frozen=True, slots=True)
class Ticket:
    """An item on its way through the backbone: whose it is and which draw of dropout belongs to it."""

    lane: int  # index among the lanes of the loop
    item: Item
    seed: int = 0  # of this item's dropout in this step


@dataclass(frozen=True)
class Reading:
    """What one lane's head reads in a micro-batch: its tickets, and their positions one after another."""

    tickets: list[Ticket]
    states: Tensor  # (R, H)
    tokens: Tensor  # (R,) the token wanted at each position, 0 where none is asked for
    per_row: list[int]  # how many of the R positions belong to each row
    per_item: list[int]  # how many to each ticket


@dataclass(frozen=True)
class MicroBatch:
    """Rows padded to one length, the tickets' one after another. Row b belongs to lane `row_lanes[b]`."""

    tickets: Sequence[Ticket]
    rows: Sequence[Row]
    row_lanes: Sequence[int]
    row_seeds: Sequence[int]
    ids: Tensor  # (B, T)
    mask: Tensor  # (B, T), 1 at real tokens and slots
    types: Tensor  # (B, T)
    lanes: Tensor  # (B,)
    slot_rows: Tensor  # (S,)
    slot_columns: Tensor  # (S,)
    slot_numbers: Tensor  # (S,) which prompt vector of the row's lane
    decoder_rows: Tensor  # (D,) the rows that a decoder reads on
    decoder_ids: Tensor  # (D, U) what it is fed, padded on the right, where it looks to the left alone

    def read(self, hidden: Tensor, lane: int) -> Reading | None:
        """What a lane's head reads of the hidden states (B, T, H); None when it has no row here."""
        own = [(at, row) for at, row in enumerate(self.rows) if self.row_lanes[at] == lane]
        if not own:
            return None
        at = [number for number, row in own for _ in row.read]
        columns = [column for _, row in own for column in row.read]
        tokens = [token for _, row in own for token in (row.tokens or [0] * len(row.read))]
        tickets = [ticket for ticket in self.tickets if ticket.lane == lane]
        return Reading(
            tickets=tickets,
            states=hidden[at, columns],
            tokens=torch.tensor(tokens, device=hidden.device),
            per_row=[len(row.read) for _, row in own],
            per_item=[ticket.item.num_read for ticket in tickets],
        )

    @property
    def num_tokens(self) -> int:
        return sum(row.num_tokens for row in self.rows)


def micro_batches(tickets: Sequence[Ticket], token_budget: int) -> Iterator[list[Ticket]]:
    """Cut the tickets, longest first, so that rows x longest stays within the budget; one item always passes whole."""
    queue = sorted(tickets, key=lambda ticket: -ticket.item.longest)
    batch: list[Ticket] = []
    rows = 0
    for ticket in queue:
        more = len(ticket.item.rows)
        if batch and (rows + more) * batch[0].item.longest > token_budget:
            yield batch
            batch, rows = [], 0
        batch.append(ticket)
        rows += more
    if batch:
        yield batch


def collate(tickets: Sequence[Ticket], pad_id: int, device: torch.device) -> MicroBatch:
    """Pad on the right and move to the device."""
    owned = [(ticket, number, row) for ticket in tickets for number, row in enumerate(ticket.item.rows)]
    rows = [row for _, _, row in owned]
    row_lanes = [ticket.lane for ticket, _, _ in owned]
    width = max(len(row.ids) for row in rows)
    ids = [row.ids + [pad_id] * (width - len(row.ids)) for row in rows]
    mask = [[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in rows]
    types = [row.types + [0] * (width - len(row.types)) for row in rows]
    slots = [(at, column, number) for at, row in enumerate(rows) for number, column in enumerate(row.slots)]

    def tensor(values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.long).to(device, non_blocking=True)

    where = tensor(slots).view(-1, 3)
    decoded = [at for at, row in enumerate(rows) if row.decoder]
    longest = max((len(rows[at].decoder) for at in decoded), default=0)
    fed = [rows[at].decoder + [pad_id] * (longest - len(rows[at].decoder)) for at in decoded]
    return MicroBatch(
        tickets=tickets,
        rows=rows,
        row_lanes=row_lanes,
        row_seeds=[derive(ticket.seed, "row", number) if number else ticket.seed for ticket, number, _ in owned],
        ids=tensor(ids),
        mask=tensor(mask),
        types=tensor(types),
        lanes=tensor(row_lanes),
        slot_rows=where[:, 0],
        slot_columns=where[:, 1],
        slot_numbers=where[:, 2],
        decoder_rows=tensor(decoded),
        decoder_ids=tensor(fed).view(len(decoded), longest),
    )
