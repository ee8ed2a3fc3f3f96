"""How a step's items are cut: what a lane's own rows come to must not depend on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.cutting import LADDER, Buckets, Shape, Tickets, bucket, ladder_of, own
from bench.data.rows import Item, Row
from bench.data.table import item_table


def item(*lengths: int, fed: int = 0, read: int = 1) -> Item:
    rows = [
        Row(list(range(1, length + 1)), [0] * length, [], list(range(read)), decoder=[1] * fed) for length in lengths
    ]
    return Item(0, tuple(rows), [0], [0], False)


class Step:
    """Items of a step with their lanes; an item's place is its number among those of its lane."""

    def __init__(self, *items: Item, lanes: list[int] | None = None) -> None:
        count = len(items)
        owners = np.array(lanes or [0] * count)
        places = np.array([int((owners[:at] == owners[at]).sum()) for at in range(count)], np.int64)
        self.sizes = item_table([list(items)], [lambda _: 1], 0).sizes
        self.tickets = Tickets(np.arange(count), owners, places, np.zeros(count, np.int64))

    def cut(
        self, way: str, token_budget: int, positions: int = 0, wants_tokens: bool = False, fixed_cost: int = 0,
        exact: bool = False, alone: bool = False,
    ):  # fmt: skip
        if way == "own":
            return list(own(self.sizes, self.tickets, token_budget))
        ladder = () if exact else ladder_of(self.sizes, self.tickets) if alone else LADDER
        buckets = Buckets(token_budget, positions, wants_tokens, fixed_cost, ladder)
        return list(getattr(buckets, way)(self.sizes, self.tickets))

    def lengths(self, cuts) -> list[list[int]]:
        return [self.sizes.longest[self.tickets.items[cut.chosen]].tolist() for cut in cuts]

    def of_lane(self, cuts, lane: int) -> list[tuple[int, Shape]]:
        """A lane's items by their places, in the order in which they go, with the shape each has."""
        return [(int(self.tickets.places[at]), cut.shape)
                for cut in cuts for at in cut.chosen if self.tickets.owners[at] == lane]  # fmt: skip


def test_own_micro_batches_hold_one_lane_and_stay_within_the_budget():
    step = Step(*[item(length) for length in (5, 30, 7, 12, 30, 3)], item(8), lanes=[0] * 6 + [1])
    cuts = step.cut("own", 40)
    assert step.lengths(cuts) == [[30], [30], [12, 7, 5], [3], [8]]
    assert [cut.shape for cut in cuts[2:]] == [Shape(3, 12, 0, 1, 1), Shape(1, 3, 0, 1, 1), Shape(1, 8, 0, 1, 1)]


def test_a_row_over_the_budget_goes_alone():
    step = Step(item(100), item(100))
    assert step.lengths(step.cut("own", 10)) == [[100], [100]]


def test_the_rows_of_an_item_stay_together():
    step = Step(*[item(4, 6)] * 3, item(9))
    cuts = step.cut("own", 24)
    assert [step.sizes.rows[step.tickets.items[cut.chosen]].tolist() for cut in cuts] == [[1], [2, 2], [2]]
    assert [cut.shape for cut in cuts[1:]] == [Shape(4, 6, 0, 1, 2), Shape(2, 6, 0, 1, 2)]


def test_buckets_are_powers_of_two_and_above_64_the_middles_between_them():
    assert [bucket(length, 32) for length in (1, 32, 33, 64, 65, 97, 129, 193)] == [32, 32, 64, 64, 96, 128, 192, 256]


def test_a_bucket_fills_micro_batches_of_one_shape_with_rows_of_every_lane():
    step = Step(*[item(20)] * 18, item(40), lanes=[at % 2 for at in range(18)] + [0])
    cuts = step.cut("fixed", 512)
    # 32 rows of 64 tokens are too many, 16 too; so many of 32 fit
    assert [cut.shape for cut in cuts] == [Shape(8, 64, 0, 1, 1), *[Shape(16, 32, 0, 1, 1)] * 2]
    assert [step.tickets.owners[cut.chosen].tolist() for cut in cuts] == [[0], [0] * 9 + [1] * 7, [1] * 2]


def test_what_is_read_of_a_tag_is_every_token_and_with_words_asked_a_bucket_of_positions():
    (cut,) = Step(item(10, read=9)).cut("fixed", 8192)
    assert cut.shape == Shape(32, 32, 0, 32, 1)
    (asked,) = Step(item(10, read=9)).cut("fixed", 8192, wants_tokens=True)
    assert asked.shape == Shape(32, 32, 0, 16, 1)
    assert [Step(item(10, read=read)).cut("fixed", 8192)[0].shape.read for read in (1, 2, 4)] == [1, 4, 4]


def test_no_row_is_padded_beyond_the_models_positions():
    step = Step(item(20))
    assert [step.cut("fixed", 60, positions)[0].shape for positions in (22, 20)] == [
        Shape(2, 22, 0, 1, 1), Shape(3, 20, 0, 1, 1),
    ]  # fmt: skip


def test_what_a_decoder_is_fed_has_buckets_of_its_own():
    shapes = [Step(item(20, fed=fed)).cut("fixed", 8192)[0].shape.fed for fed in (0, 2, 4, 5, 9)]
    assert shapes == [0, 2, 4, 8, 16]


@pytest.mark.parametrize("way", ["own", "fixed", "queued"])
def test_an_item_of_more_rows_than_fit_goes_alone(way):
    step = Step(item(*[30] * 5), item(30), item(30))
    cuts = step.cut(way, 64)
    alone = next(cut for cut in cuts if 0 in cut.chosen)
    assert (alone.chosen.tolist(), alone.shape.rows >= 5) == ([0], True)
    assert sorted(at for cut in cuts for at in cut.chosen.tolist()) == [0, 1, 2]
    assert step.cut("own", 64)[0].shape == Shape(5, 30, 0, 1, 5)


def test_queued_micro_batches_have_the_rows_of_a_ladder_and_share_where_that_costs_less():
    step = Step(*[item(20)] * 3, *[item(40)] * 2)
    (cut,) = step.cut("queued", 8192, fixed_cost=10_000)
    assert (cut.chosen.tolist(), cut.shape) == ([3, 4, 0, 1, 2], Shape(16, 64, 0, 1, 1))
    apart = Step(*[item(20)] * 64, *[item(200)] * 16).cut("queued", 65536)
    assert [cut.shape for cut in apart] == [Shape(16, 256, 0, 1, 1), Shape(64, 32, 0, 1, 1)]


def test_a_lane_that_is_alone_has_micro_batches_of_few_rows_where_its_steps_have_few():
    for count, rows in ((1, 1), (3, 4), (8, 8), (12, 16), (17, 32)):
        step = Step(*[item(20)] * count)
        (cut,) = step.cut("queued", 8192, alone=True)
        assert cut.shape == Shape(rows, 32, 0, 1, 1)
        assert step.cut("queued", 8192)[0].shape.rows == max(16, rows)


def test_exact_micro_batches_are_as_large_as_their_rows():
    step = Step(*[item(20)] * 70, *[item(200, read=3)] * 5, item(260))
    found = [cut.shape for cut in step.cut("queued", 100_000, fixed_cost=1_000, exact=True)]
    assert found == [Shape(6, 260, 0, 3, 1), Shape(70, 20, 0, 1, 1)]
    small = [cut.shape for cut in step.cut("queued", 800, fixed_cost=1_000, exact=True)]
    assert small == [Shape(3, 260, 0, 3, 1), Shape(3, 200, 0, 3, 1), Shape(40, 20, 0, 1, 1), Shape(30, 20, 0, 1, 1)]


def mixed(seed: int, lanes: int = 3, read: int = 9) -> Step:
    """Items of many sizes, some of several rows, of several lanes."""
    rng = np.random.default_rng(seed)
    items = []
    for _ in range(80):
        lengths, fed = rng.integers(1, 60, rng.choice([1, 1, 1, 2, 5])), int(rng.integers(0, 12))
        items.append(item(*lengths, fed=fed, read=int(rng.integers(1, min(read, fed or min(lengths)) + 1))))
    return Step(*items, lanes=rng.integers(0, lanes, 80).tolist())


@pytest.mark.parametrize("way", ["own", "fixed", "queued"])
@pytest.mark.parametrize("token_budget", [1, 64, 700, 4096, 100_000])
@pytest.mark.parametrize("seed", range(3))
def test_every_ticket_goes_once_in_a_shape_that_holds_it_and_is_no_larger_than_the_budget(way, token_budget, seed):
    step = mixed(seed)
    cuts = step.cut(way, token_budget, fixed_cost=500)
    assert sorted(np.concatenate([cut.chosen for cut in cuts]).tolist()) == list(range(80))
    for cut in cuts:
        items, shape = step.tickets.items[cut.chosen], cut.shape
        assert shape.rows >= step.sizes.rows[items].sum()
        for values, most in (
            (step.sizes.length, shape.length), (step.sizes.fed, shape.fed), (step.sizes.read, shape.read),
            (step.sizes.rows, shape.width),
        ):  # fmt: skip
            assert values[items].max() <= most
        assert shape.rows * shape.longest <= token_budget or len(items) == 1
        of_items = (of[items].tolist() for of in (step.sizes.length, step.sizes.fed, step.sizes.read, step.sizes.rows))
        fixed_shapes = {Buckets(token_budget, 0, False, 500).shape_of(*each) for each in zip(*of_items, strict=True)}
        assert set(cut.covers) == (fixed_shapes if way == "queued" else set())
        if way == "queued" and len(items) > 1:
            assert shape.rows in LADDER or shape.rows < LADDER[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_lanes_items_go_in_one_order_with_fixed_and_with_queued_micro_batches(seed):
    step = mixed(seed)
    orders = [[place for place, _ in step.of_lane(step.cut(way, 700, fixed_cost=cost), 1)]
              for way, cost in (("fixed", 0), ("queued", 0), ("queued", 100_000))]  # fmt: skip
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize("neighbours", [0, 1, 3, 10, 60])
@pytest.mark.parametrize("way", ["own", "fixed", "queued"])
def test_a_lanes_items_have_the_same_order_in_any_company_and_but_for_queues_the_same_shapes(way, neighbours):
    sizes = ((5, 1), (30, 9), (17, 1), (40, 6), (33, 2), (16, 1), (17, 1), (5, 3))
    mine = [item(length, read=read) for length, read in sizes]
    others = [item(3 + 7 * at % 45, read=1 + at % 9) for at in range(neighbours)]
    alone = Step(*mine, lanes=[7] * len(mine))
    beside = Step(*others, *mine, lanes=[at % 2 * 9 for at in range(neighbours)] + [7] * len(mine))
    found = [step.of_lane(step.cut(way, 96, fixed_cost=50), 7) for step in (alone, beside)]
    if way == "queued":
        found = [[place for place, _ in of_lane] for of_lane in found]
    assert found[0] == found[1]
