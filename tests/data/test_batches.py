"""Rows gathered from a table: padding, empty rows and items, slots, what is read and wanted, and seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.data.batches import batch_index, collate, gather
from bench.data.cutting import Cut, Shape, Tickets
from bench.data.rows import Item, Row
from bench.data.table import item_table

CPU = torch.device("cpu")


def item(*lengths: int, slots: list[int] | None = None, targets: list[float] | None = None, fed: int = 0) -> Item:
    rows = tuple(row(length, slots, fed) for length in lengths)
    return Item(0, rows, targets or [0] * len(rows), list(range(len(rows))), False)


def row(length: int, slots: list[int] | None = None, fed: int = 0) -> Row:
    return Row(list(range(1, length + 1)), [0, *[1] * (length - 1)], slots or [], [0], [], list(range(7, 7 + fed)))


def test_padding_is_masked_and_each_slot_has_its_column():
    batch = collate([item(2), item(4, slots=[3, 1])], 9, CPU, owners=[0, 1])
    assert batch.ids.tolist() == [[1, 2, 9, 9], [1, 2, 3, 4]]
    assert batch.mask.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch.types.tolist() == [[0, 1, 0, 0], [0, 1, 1, 1]]
    assert batch.slots.tolist() == [[4, 4], [3, 1]]  # 4 is beyond the last column
    assert (batch.owners.tolist(), batch.all_slots) == ([0, 1], False)


def test_rows_that_all_have_their_slots_need_no_place_beyond_and_an_empty_one_has_some_within():
    shape = Shape(rows=3, length=6, fed=0, read=1, width=1)
    batch = collate([item(2, slots=[0, 1]), item(4, slots=[2, 1])], 9, CPU, shape=shape)
    assert batch.all_slots
    assert batch.slots.tolist() == [[0, 1], [2, 1], [5, 5]]


def test_reading_tells_which_positions_belong_to_which_row_and_rows_to_which_item():
    wide = Row([1, 2, 3], [0] * 3, [], [1, 2], tokens=[7, 8])
    items = [Item(0, (wide, row(2)), [0, 1], [0, 1], False), item(2), item(3)]
    batch = collate(items, 0, CPU, owners=[0, 1, 0])
    hidden = torch.arange(12.0).view(4, 3, 1)
    assert batch.gathered(hidden)[..., 0].tolist() == [[1.0, 2.0], [3.0, 3.0], [6.0, 6.0], [9.0, 9.0]]
    assert batch.is_read.tolist() == [[True, True], *[[True, False]] * 3]
    assert batch.tokens.tolist() == [[7, 8], [0, 0], [0, 0], [0, 0]]
    assert batch.rows[:3].tolist() == [[0, 1], [2, 0], [3, 0]]
    assert batch.has_row[:3].tolist() == [[True, True], [True, False], [True, False]]
    assert batch.owners.tolist() == [0, 0, 1, 0]
    assert batch.item_owners.tolist() == [0, 1, 0, 2]  # there are as many items as rows; 2 is nobody
    assert not batch.has_row[3].any()


def test_a_fixed_shape_is_filled_with_empty_rows_that_see_one_token():
    shape = Shape(rows=4, length=6, fed=0, read=2, width=1)
    batch = collate([item(2), item(3)], 9, CPU, owners=[0, 1], shape=shape)
    assert batch.ids.tolist() == [[1, 2, 9, 9, 9, 9], [1, 2, 3, 9, 9, 9], [9] * 6, [9] * 6]
    assert batch.mask.sum(dim=1).tolist() == [2, 3, 1, 1]
    assert (batch.read.shape, batch.is_read.sum(dim=1).tolist()) == ((4, 2), [1, 1, 0, 0])
    assert (batch.owners.tolist(), batch.item_owners.tolist()) == ([0, 1, 2, 2], [0, 1, 2, 2])
    assert (batch.item_places.tolist(), batch.terms.tolist()) == ([0, 1, 0, 0], [1, 1, 1, 1])
    assert batch.has_row.tolist() == [[True], [True], [False], [False]]
    assert batch.seeds.tolist() == [0] * 4


def test_targets_are_an_items_own_and_0_beyond():
    tags = Item(0, (Row([1, 2, 3], [0] * 3, [], [0, 1, 2]),), [5, 6, 7], [0, 1, 2], False)
    batch = collate([tags, item(2, targets=[2])], 0, CPU, shape=Shape(3, 5, 0, 4, 1))
    assert batch.targets.tolist() == [[5, 6, 7, 0], [2, 0, 0, 0], [5, 6, 7, 0]]  # an empty item has some, not given
    assert batch.is_read.tolist() == [[True, True, True, False], [True, False, False, False], [False] * 4]
    of_choices = collate([item(2, 2, targets=[0, 1]), item(2, 2, 2, targets=[1, 0, 1])], 0, CPU)
    assert of_choices.targets[:2].tolist() == [[0, 1, 0], [1, 0, 1]]


def test_a_number_wanted_keeps_its_fraction():
    assert collate([item(2, targets=[2.5])], 0, CPU).targets.tolist() == [[2.5]]


def test_a_decoder_is_fed_a_rows_own_tokens_padded_on_the_right():
    batch = collate([item(2, fed=3), item(4, fed=1)], 9, CPU, shape=Shape(3, 4, 4, 1, 1))
    assert batch.fed.tolist() == [[7, 8, 9, 9], [7, 9, 9, 9], [9] * 4]
    assert collate([item(2)], 9, CPU).fed.shape == (1, 0)


def test_masked_positions_are_known_of_the_whole_table():
    items = [item(2), Item(0, (Row([1, 50, 3], [0] * 3, [], [1]),), [0], [0], False)]
    assert collate(items, 0, CPU, mask_id=50).masks
    assert not collate(items[:1], 0, CPU, mask_id=50).masks
    assert not collate([Item(0, (Row([50, 1], [0] * 2, [], [1]),), [0], [0], False)], 0, CPU, mask_id=50).masks


def test_each_row_of_an_item_draws_its_own_dropout():
    batch = collate([item(2, 2, 2), item(2)], 0, CPU, seeds=[5, 6])
    assert batch.seeds[[0, 3]].tolist() == [5, 6]
    assert len(set(batch.seeds.tolist())) == 4
    assert (batch.seeds >= 0).all()
    again = collate([item(2), item(2, 2, 2)], 0, CPU, seeds=[6, 5])
    assert again.seeds.tolist() == batch.seeds[[3, 0, 1, 2]].tolist()


def made():
    """A table of two sets, some tickets in another order than the table's, and what each one's loss is divided by."""
    first = [item(3, slots=[1], targets=[1]), item(6, slots=[2], targets=[2])]
    second = [item(2, 4, slots=[0], targets=[0, 1], fed=2)]
    table = item_table([first, second], [lambda _: 1, lambda each: len(each.targets)], 9)
    tickets = Tickets(np.array([2, 1, 0]), np.array([1, 0, 0]), np.array([4, 0, 7]), np.array([50, 60, 70]))
    return table, tickets, np.array([3, 5, 5])


def test_a_table_holds_sets_one_after_another_and_an_empty_row():
    table, _, _ = made()
    assert (table.starts, table.empty, table.all_slots, table.wants_tokens) == ((0, 2), 4, True, False)
    assert table.ids.tolist() == [
        [1, 2, 3, 9, 9, 9], [1, 2, 3, 4, 5, 6], [1, 2, 9, 9, 9, 9], [1, 2, 3, 4, 9, 9], [9] * 6,
    ]  # fmt: skip
    assert table.lengths.tolist() == [3, 6, 2, 4, 1]
    sizes = table.sizes
    found = [sizes.first, sizes.rows, sizes.length, sizes.fed, sizes.read, sizes.terms, sizes.tokens]
    assert [each.tolist() for each in found] == [
        [0, 1, 2], [1, 1, 2], [3, 6, 4], [0, 0, 2], [1, 1, 1], [1, 1, 2], [3, 6, 10],
    ]  # fmt: skip
    assert table.num_bytes == sum(t.numel() * t.element_size() for t in vars(table).values() if torch.is_tensor(t))


@pytest.mark.parametrize("length", [6, 11])
def test_what_is_gathered_is_what_was_chosen_padded_to_the_shape_even_beyond_the_tables_width(length):
    table, tickets, terms = made()
    cut = Cut(np.array([0, 2]), Shape(rows=4, length=length, fed=3, read=4, width=2))
    batch = gather(table, batch_index(table, tickets, cut, terms, nobody=2), cut.shape)
    pad = [9] * (length - 6)
    assert batch.ids.tolist() == [
        [1, 2, *[9] * 4, *pad],
        [1, 2, 3, 4, 9, 9, *pad],
        [1, 2, 3, 9, 9, 9, *pad],
        [9] * length,
    ]
    assert batch.mask.sum(dim=1).tolist() == [2, 4, 3, 1]
    assert batch.fed.tolist() == [[7, 8, 9], [7, 8, 9], [9] * 3, [9] * 3]
    assert batch.owners.tolist() == [1, 1, 0, 2]
    assert batch.slots.tolist() == [[0], [0], [1], [length - 1]]
    assert (batch.seeds[[0, 2, 3]].tolist(), batch.seeds[1].item() in (0, 50, 51, 70)) == ([50, 70, 0], False)
    assert batch.rows[:2].tolist() == [[0, 1], [2, 0]]
    assert batch.has_row.tolist() == [[True, True], [True, False], [False, False], [False, False]]
    assert batch.targets[:2].tolist() == [[0, 1], [1, 0]]
    assert (batch.item_owners.tolist(), batch.item_places.tolist()) == ([1, 0, 2, 2], [4, 7, 0, 0])
    assert batch.terms.tolist() == [3, 5, 1, 1]
    assert (batch.read.shape, batch.is_read.sum(dim=1).tolist()) == ((4, 4), [1, 1, 1, 0])


def test_values_are_copied_into_a_batch_of_the_same_shape_where_they_lie():
    table, tickets, terms = made()
    one, other = (Cut(np.array([at]), Shape(2, 6, 2, 1, 2)) for at in (0, 1))
    first, second = (gather(table, batch_index(table, tickets, cut, terms, 2), cut.shape) for cut in (one, other))
    place = first.ids.data_ptr()
    first.copy_(second)
    assert first.ids.data_ptr() == place
    for name, value in vars(second).items():
        assert not torch.is_tensor(value) or torch.equal(getattr(first, name), value), name


def test_an_empty_set_has_a_table():
    table = item_table([[]], [lambda _: 1], 9)
    assert (table.empty, table.ids.tolist(), table.starts) == (0, [[9]], (0,))
