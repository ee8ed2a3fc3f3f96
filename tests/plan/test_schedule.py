"""Longest first on several workers, by hand."""

from __future__ import annotations

from bench.plan.schedule import Piece, Schedule, schedule


def test_the_longest_go_first_to_the_worker_that_is_free_first() -> None:
    pieces = [Piece(1.0), Piece(4.0), Piece(2.0), Piece(3.0), Piece(2.0)]
    # 4 and 3, then 2 beside each other's end, then 1: [4, 2] and [3, 2, 1]
    assert schedule(pieces, 2) == Schedule(wall_seconds=6.0, busy_seconds=12.0, waiting_seconds=0.0)


def test_one_worker_takes_the_sum_and_more_workers_than_pieces_the_longest() -> None:
    pieces = [Piece(5.0), Piece(2.0)]
    assert schedule(pieces, 1).wall_seconds == 7.0
    assert schedule(pieces, 9).wall_seconds == 5.0


def test_a_model_is_loaded_once_on_each_worker_that_uses_it() -> None:
    pieces = [Piece(4.0, model, load_seconds=1.0) for model in ("a", "a", "a", "b")]
    # [a, a] and [a, b]: three loadings
    assert schedule(pieces, 2) == Schedule(wall_seconds=10.0, busy_seconds=19.0, waiting_seconds=0.0)


def test_what_waits_begins_when_the_last_trial_is_over_and_the_time_that_goes_by_is_counted() -> None:
    pieces = [
        Piece(5.0, trial=True),
        Piece(2.0, trial=True),
        Piece(1.0),
        Piece(3.0, waits=True),
        Piece(3.0, waits=True),
    ]
    # [trial of 5, waiting of 3] and [trial of 2, the one of 1, nothing for 2, waiting of 3]
    assert schedule(pieces, 2) == Schedule(wall_seconds=8.0, busy_seconds=14.0, waiting_seconds=2.0)


def test_nothing_to_do_takes_no_time() -> None:
    assert schedule([], 3) == Schedule(0.0, 0.0, 0.0)
