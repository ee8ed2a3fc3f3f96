"""How a step's rows are cut: what a lane's own rows come to must not depend on its neighbours."""

from __future__ import annotations

import pytest

from bench.data.cutting import Shape, Ticket, bucket, fixed, own
from bench.data.rows import Item, Row


def row(length: int, fed: int = 0, read: int = 1) -> Row:
    return Row(list(range(1, length + 1)), [0] * length, [], list(range(read)), decoder=[1] * fed)


def ticket(*lengths: int, lane: int = 0, fed: int = 0, read: int = 1) -> Ticket:
    return Ticket(lane, Item(0, tuple(row(length, fed, read) for length in lengths), [0], [0], False))


def lengths(cuts):
    return [[one.item.longest for one in cut.tickets] for cut in cuts]


def test_own_micro_batches_hold_one_lane_and_stay_within_the_budget():
    tickets = [ticket(length) for length in (5, 30, 7, 12, 30, 3)] + [ticket(8, lane=1)]
    assert lengths(own(tickets, 40)) == [[30], [30], [12, 7, 5], [3], [8]]


def test_a_row_over_the_budget_goes_alone():
    assert lengths(own([ticket(100), ticket(100)], 10)) == [[100], [100]]


def test_the_rows_of_an_item_stay_together():
    cut = list(own([*[ticket(4, 6)] * 3, ticket(9)], 24))
    assert [[len(one.item.rows) for one in each.tickets] for each in cut] == [[1], [2, 2], [2]]


def test_buckets_are_powers_of_two_and_above_64_the_middles_between_them():
    assert [bucket(length, 16) for length in (1, 16, 17, 33, 49, 65, 97, 129)] == [16, 16, 32, 64, 64, 96, 128, 192]


def test_a_bucket_fills_micro_batches_of_one_shape_with_rows_of_every_lane():
    tickets = [ticket(20, lane=at % 2) for at in range(5)] + [ticket(40)]
    cuts = list(fixed(tickets, 128, ["same", "same"], 0))
    assert [cut.shape for cut in cuts] == [Shape(2, 64, 0, 1), *[Shape(4, 32, 0, 1)] * 2]
    assert [[one.lane for one in cut.tickets] for cut in cuts] == [[0], [0, 1, 0, 1], [0]]


def test_a_micro_batch_of_short_rows_has_64_and_a_tag_is_read_at_every_token():
    (cut,) = fixed([ticket(10, read=9)], 8192, [0], 0)
    assert cut.shape == Shape(64, 16, 0, 16)


def test_lanes_of_other_kinds_share_nothing():
    cuts = list(fixed([ticket(20), ticket(20, lane=1)], 720, ["prefix", "none"], 0))
    assert [[one.lane for one in cut.tickets] for cut in cuts] == [[0], [1]]


def test_no_row_is_padded_beyond_the_models_positions():
    assert [cut.shape for cut in fixed([ticket(20)], 60, [0], 22)] == [Shape(2, 22, 0, 1)]
    assert [cut.shape for cut in fixed([ticket(20)], 60, [0], 20)] == [Shape(3, 20, 0, 1)]


def test_an_item_of_more_rows_than_fit_goes_alone():
    cuts = list(fixed([ticket(*[30] * 5), ticket(30)], 64, [0], 0))
    assert [(cut.shape.rows, len(cut.tickets)) for cut in cuts] == [(5, 1), (2, 1)]


@pytest.mark.parametrize("neighbours", [0, 1, 3, 10])
def test_a_lanes_rows_have_the_same_shapes_and_order_in_any_company(neighbours):
    mine = [ticket(length, lane=0, read=read) for length, read in ((5, 1), (30, 9), (17, 1), (40, 6), (33, 2), (16, 1))]
    others = [ticket(3 + 7 * at % 45, lane=1, read=1 + at % 9) for at in range(neighbours)]
    alone = [(one, cut.shape) for cut in fixed(mine, 96, [0, 0], 0) for one in cut.tickets]
    beside = [(one, cut.shape) for cut in fixed([*others, *mine], 96, [0, 0], 0) for one in cut.tickets]
    assert [(one, shape) for one, shape in beside if one.lane == 0] == alone
