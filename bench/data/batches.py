"""A micro-batch on the device: rows of tokens padded to one length, and what heads read of them.

Shape legend: B rows, T tokens (slots included), K positions read of a row, R positions that one lane's head reads, S
slots in the whole micro-batch, D rows with a decoder, U tokens it is fed, H hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from bench.data.cutting import Shape, Ticket, row_places
from bench.data.rows import Row
from bench.seeds import derive


@dataclass(frozen=True)
class ReadPositions:
    """What one lane's head reads in a micro-batch: its tickets, and their positions one after another."""

    tickets: list[Ticket]
    rows: Tensor  # (R,) of the micro-batch
    numbers: Tensor  # (R,) which of its row's positions
    tokens: Tensor  # (R,) the token wanted at each position, 0 where none is asked for
    per_row: list[int]  # how many of the R positions belong to each row
    per_item: list[int]  # how many to each ticket

    def of(self, values: Tensor) -> Tensor:
        """Of values at every position read (B, K, …) the lane's own: (R, …)."""
        return values[self.rows, self.numbers]


@dataclass(frozen=True)
class MicroBatch:
    """Rows padded to one length, the tickets' one after another, then empty ones that belong to no lane.

    Row b belongs to lane `row_lanes[b]`; `rows`, `row_lanes` and `row_seeds` are of rows that are not empty.
    """

    tickets: Sequence[Ticket]
    rows: Sequence[Row]
    row_lanes: Sequence[int]
    row_seeds: Sequence[int]
    ids: Tensor  # (B, T)
    mask: Tensor  # (B, T), 1 at real tokens and slots; an empty row has one token, so that attention has something
    types: Tensor  # (B, T)
    slot_rows: Tensor  # (S,)
    slot_columns: Tensor  # (S,)
    slot_numbers: Tensor  # (S,) which prompt vector of the row's lane
    read_columns: Tensor  # (B, K) the positions that heads read, 0 where a row has fewer
    decoder_rows: Tensor  # (D,) the rows that a decoder reads on
    decoder_ids: Tensor  # (D, U) what it is fed, padded on the right, where it looks to the left alone

    @cached_property
    def rows_of(self) -> dict[int, list[int]]:
        """By lane, in the order of their first rows, the numbers of its rows."""
        by_lane: dict[int, list[int]] = {}
        for at, lane in enumerate(self.row_lanes):
            by_lane.setdefault(lane, []).append(at)
        return by_lane

    def gathered(self, hidden: Tensor) -> Tensor:
        """(B, T, H) -> (B, K, H), the states at the positions that heads read."""
        places = torch.arange(len(hidden), device=hidden.device)
        return hidden[places[:, None], self.read_columns]

    def read_by(self, lane: int) -> ReadPositions | None:
        """What a lane's head reads; None when it has no row here."""
        lane_rows = [(at, row) for at, row in enumerate(self.rows) if self.row_lanes[at] == lane]
        if not lane_rows:
            return None
        device = self.ids.device
        places = [(at, number) for at, row in lane_rows for number in range(len(row.read))]
        tokens = [token for _, row in lane_rows for token in (row.tokens or [0] * len(row.read))]
        tickets = [ticket for ticket in self.tickets if ticket.lane == lane]
        where = torch.tensor(places, dtype=torch.long).view(-1, 2).to(device)
        return ReadPositions(
            tickets=tickets,
            rows=where[:, 0],
            numbers=where[:, 1],
            tokens=torch.tensor(tokens, dtype=torch.long).to(device),
            per_row=[len(row.read) for _, row in lane_rows],
            per_item=[ticket.item.num_read for ticket in tickets],
        )

    @property
    def num_tokens(self) -> int:
        return sum(row.num_tokens for row in self.rows)


def collate(tickets: Sequence[Ticket], pad_id: int, device: torch.device, shape: Shape | None = None) -> MicroBatch:
    """Pad on the right, to the longest row or to a fixed shape, and move to the device."""
    places = row_places(tickets)
    rows = [row for _, _, row in places]
    shape = shape or Shape(
        rows=len(rows),
        length=max(len(row.ids) for row in rows),
        fed=max(len(row.decoder) for row in rows),
        read=max(len(row.read) for row in rows),
    )
    slots = [(at, column, number) for at, row in enumerate(rows) for number, column in enumerate(row.slots)]

    def tensor(values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.long).to(device, non_blocking=True)

    def padded(parts: Sequence[list[int]], size: tuple[int, int], filler: int) -> Tensor:
        """(rows, width): what `parts` lack in length is filler, and so are the empty rows."""
        count, width = size
        filled = tensor([part + [filler] * (width - len(part)) for part in parts]).view(len(parts), width)
        return torch.cat([filled, filled.new_full((count - len(parts), width), filler)])

    where = tensor(slots).view(-1, 3)
    decoded = [at for at, row in enumerate(rows) if row.decoder]
    empty = range(len(rows), shape.rows)
    fed = [*decoded, *empty] if decoded else []
    mask = padded([[1] * len(row.ids) for row in rows], (shape.rows, shape.length), 0)
    mask[len(rows) :, 0] = 1
    return MicroBatch(
        tickets=tickets,
        rows=rows,
        row_lanes=[ticket.lane for ticket, _, _ in places],
        row_seeds=[derive(ticket.seed, "row", number) if number else ticket.seed for ticket, number, _ in places],
        ids=padded([row.ids for row in rows], (shape.rows, shape.length), pad_id),
        mask=mask,
        types=padded([row.types for row in rows], (shape.rows, shape.length), 0),
        slot_rows=where[:, 0],
        slot_columns=where[:, 1],
        slot_numbers=where[:, 2],
        read_columns=padded([row.read for row in rows], (shape.rows, shape.read), 0),
        decoder_rows=tensor(fed),
        decoder_ids=padded([rows[at].decoder for at in decoded], (len(fed), shape.fed), pad_id),
    )
