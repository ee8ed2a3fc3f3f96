"""Rows in a sorted queue cut by tokens."""

from __future__ import annotations

import torch

from bench.data.batches import Ticket, collate, micro_batches
from bench.data.encode import Row


def ticket(length: int, slots: list[int] | None = None, lane: int = 0) -> Ticket:
    return Ticket(lane, Row(0, list(range(1, length + 1)), [0] * length, slots or [], [0], [0], [0], False))


def test_no_micro_batch_is_over_the_budget_and_no_row_is_lost():
    tickets = [ticket(length) for length in (5, 30, 7, 12, 30, 3)]
    cut = list(micro_batches(tickets, 40))
    lengths = [[len(one.row.ids) for one in micro] for micro in cut]
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
