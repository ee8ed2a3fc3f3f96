"""Rows on the device: padding, empty rows, and what each lane's head reads."""

from __future__ import annotations

import torch

from bench.data.batches import collate
from bench.data.cutting import Shape, Ticket
from bench.data.rows import Item, Row


def ticket(length: int, slots: list[int] | None = None, lane: int = 0) -> Ticket:
    return Ticket(lane, Item(0, (row(length, slots),), [0], [0], False))


def row(length: int, slots: list[int] | None = None) -> Row:
    return Row(list(range(1, length + 1)), [0] * length, slots or [], [0])


def test_padding_is_masked_and_slots_are_listed_with_their_numbers():
    batch = collate([ticket(2), ticket(4, slots=[1, 3], lane=1)], pad_id=9, device=torch.device("cpu"))
    assert batch.ids.tolist() == [[1, 2, 9, 9], [1, 2, 3, 4]]
    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.rows_of == {0: [0], 1: [1]}
    assert [batch.slot_rows.tolist(), batch.slot_columns.tolist(), batch.slot_numbers.tolist()] == [
        [1, 1], [1, 3], [0, 1],
    ]  # fmt: skip
    assert batch.num_tokens == 6


def test_reading_tells_which_positions_belong_to_which_row_and_item():
    wide = Row([1, 2, 3], [0] * 3, [], [1, 2], tokens=[7, 8])
    tickets = [Ticket(0, Item(0, (wide, row(2)), [0, 1], [0, 1], False)), ticket(2, lane=1), ticket(3)]
    batch = collate(tickets, 0, torch.device("cpu"))
    hidden = torch.arange(12.0).view(4, 3, 1)
    reading = batch.read_by(0)
    assert reading is not None
    assert reading.of(batch.gathered(hidden))[:, 0].tolist() == [1.0, 2.0, 3.0, 9.0]
    assert (reading.tokens.tolist(), reading.per_row, reading.per_item) == ([7, 8, 0, 0], [2, 1, 1], [3, 1])
    assert batch.read_by(5) is None


def test_a_fixed_shape_is_filled_with_empty_rows_that_see_one_token():
    batch = collate([ticket(2), ticket(3, lane=1)], 9, torch.device("cpu"), Shape(rows=4, length=6, fed=0, read=2))
    assert batch.ids.tolist() == [[1, 2, 9, 9, 9, 9], [1, 2, 3, 9, 9, 9], [9] * 6, [9] * 6]
    assert batch.mask.sum(dim=1).tolist() == [2, 3, 1, 1]
    assert batch.read_columns.shape == (4, 2)
    assert (batch.rows_of, batch.num_tokens) == ({0: [0], 1: [1]}, 5)


def test_each_row_of_an_item_draws_its_own_dropout():
    batch = collate([Ticket(0, Item(0, (row(2), row(2)), [0, 1], [0, 1], False), seed=5)], 0, torch.device("cpu"))
    assert batch.row_seeds[0] == 5
    assert batch.row_seeds[1] not in (5, 6)
