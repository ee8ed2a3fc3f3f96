"""A step's rows, from whichever lanes, as a sorted queue cut into micro-batches of at most N tokens.

Shape legend: B rows, T tokens (slots included), R positions that heads read, S slots in the whole micro-batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.data.encode import Row


@dataclass(frozen=True, slots=True)
class Ticket:
    """A row on its way through the backbone: whose it is and which draw of dropout belongs to it."""

    lane: int  # index among the lanes of the loop
    row: Row
    seed: int = 0  # of this row's dropout in this step


@dataclass(frozen=True)
class MicroBatch:
    """Rows padded to one length. Row b belongs to lane `lanes[b]`."""

    tickets: Sequence[Ticket]
    ids: Tensor  # (B, T)
    mask: Tensor  # (B, T), 1 at real tokens and slots
    types: Tensor  # (B, T)
    lanes: Tensor  # (B,)
    slot_rows: Tensor  # (S,)
    slot_columns: Tensor  # (S,)
    slot_numbers: Tensor  # (S,) which prompt vector of the row's lane

    def read(self, hidden: Tensor, lane: int) -> tuple[list[Ticket], Tensor]:
        """A lane's tickets, and the hidden states (R, H) its head reads in them, ticket after ticket."""
        own = [(at, ticket) for at, ticket in enumerate(self.tickets) if ticket.lane == lane]
        rows = [at for at, ticket in own for _ in ticket.row.read]
        columns = [column for _, ticket in own for column in ticket.row.read]
        return [ticket for _, ticket in own], hidden[rows, columns]

    @property
    def num_tokens(self) -> int:
        return sum(len(ticket.row.ids) for ticket in self.tickets)


def micro_batches(tickets: Sequence[Ticket], token_budget: int) -> Iterator[list[Ticket]]:
    """Cut the tickets, longest first, so that rows x longest stays within the budget; one row always passes."""
    queue = sorted(tickets, key=lambda ticket: -len(ticket.row.ids))
    while queue:
        size = max(1, token_budget // len(queue[0].row.ids))
        yield queue[:size]
        queue = queue[size:]


def collate(tickets: Sequence[Ticket], pad_id: int, device: torch.device) -> MicroBatch:
    """Pad on the right and move to the device."""
    width = max(len(ticket.row.ids) for ticket in tickets)
    ids = [ticket.row.ids + [pad_id] * (width - len(ticket.row.ids)) for ticket in tickets]
    mask = [[1] * len(ticket.row.ids) + [0] * (width - len(ticket.row.ids)) for ticket in tickets]
    types = [ticket.row.types + [0] * (width - len(ticket.row.types)) for ticket in tickets]
    slots = [
        (row, column, number) for row, ticket in enumerate(tickets) for number, column in enumerate(ticket.row.slots)
    ]

    def tensor(values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.long).to(device, non_blocking=True)

    where = tensor(slots).view(-1, 3)
    return MicroBatch(
        tickets=tickets,
        ids=tensor(ids),
        mask=tensor(mask),
        types=tensor(types),
        lanes=tensor([ticket.lane for ticket in tickets]),
        slot_rows=where[:, 0],
        slot_columns=where[:, 1],
        slot_numbers=where[:, 2],
    )
