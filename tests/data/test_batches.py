"""Rows in a sorted queue cut by tokens."""

from __future__ import annotations

import torch

from bench.data.batches import Ticket, collate, micro_batches
from bench.data.rows import Item, Row


def ticket(length: int, slots: list[int] | None = None, lane: int = 0) -> Ticket:
    return Ticket(lane, Item(0, (row(length, slots),), [0], [0], False))


def row(length: int, slots: list[int] | None = None) -> Row:
    return Row(list(range(1, length + 1)), [0] * length, slots or [], [0])


def test_no_micro_batch_is_over_the_budget_and_no_row_is_lost():
    tickets = [ticket(length) for length in (5, 30, 7, 12, 30, 3)]
    cut = list(micro_batches(tickets, 40))
    lengths = [[one.item.longest for one in micro] for micro in cut]
    assert lengths == [[30], [30], [12, 7, 5], [3]]


def test_a_row_over_the_budget_goes_alone():
    assert [len(micro) for micro in micro_batches([ticket(100), ticket(100)], 10)] == [1, 1]


def test_padding_is_masked_and_slots_are_listed_with_their_numbers():
    batch = collate([ticket(2), ticket(4, slots=[1, 3], lane=1)], pad_id=9, device=torch.device("cpu"))
    assert batch.ids.tolist() == [[1, 2, 9, 9], [1, 2, 3, 4]]
    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.lanes.tolist() == [0, 1]
    assert [batch.slot_rows.tolist(), batch.slot_columns.tolist(), batch.slot_numbers.tolist()] == [
        [1, 1], [1, 3], [0, 1],
    ]  # fmt: skip
    assert batch.num_tokens == 6


def test_the_rows_of_an_item_stay_together():
    choices = [Ticket(0, Item(at, (row(4), row(6)), [0, 1], [0, 1], False)) for at in range(3)]
    cut = list(micro_batches([*choices, ticket(9)], 24))
    assert [[one.item.num_tokens for one in micro] for micro in cut] == [[9], [10, 10], [10]]


def test_reading_tells_which_positions_belong_to_which_row_and_item():
    wide = Row([1, 2, 3], [0] * 3, [], [1, 2], tokens=[7, 8])
    tickets = [Ticket(0, Item(0, (wide, row(2)), [0, 1], [0, 1], False)), ticket(2, lane=1), ticket(3)]
    batch = collate(tickets, 0, torch.device("cpu"))
    hidden = torch.arange(12.0).view(4, 3, 1)
    reading = batch.read(hidden, 0)
    assert reading is not None
    assert reading.states[:, 0].tolist() == [1.0, 2.0, 3.0, 9.0]
    assert (reading.tokens.tolist(), reading.per_row, reading.per_item) == ([7, 8, 0, 0], [2, 1, 1], [3, 1])
    assert batch.read(hidden, 5) is None


def test_each_row_of_an_item_draws_its_own_dropout():
    batch = collate([Ticket(0, Item(0, (row(2), row(2)), [0, 1], [0, 1], False), seed=5)], 0, torch.device("cpu"))
    assert batch.row_seeds[0] == 5
    assert batch.row_seeds[1] not in (5, 6)
