"""The queue of a job with trials: they come first, and whoever comes first chooses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cell import Cell, Plan
from bench.plan.selection import choose
from bench.report.read.outcomes import outcomes
from bench.store.store import Store
from tests.execute.seat import Seat, make_plan, no_pause

__all__ = ["no_pause"]


def settings_score(cell: Cell) -> float:
    return 1000 * float(cell.settings["learning_rate"])


@pytest.fixture
def searched() -> Plan:
    return make_plan(methods="linear_probe", trials=3, seeds=2)


def best(of: Plan) -> dict[str, Any]:
    return max(of.trials, key=settings_score).settings


def test_trials_come_first_and_the_best_is_run_with_all_seeds(tmp_path: Path, searched: Plan) -> None:
    seat = Seat(tmp_path, searched)
    trials, chosen = seat.do_all(settings_score)
    assert [cell.id for cell in trials] == [trial.id for trial in searched.trials]
    assert [(cell.settings, cell.seed) for cell in chosen] == [(best(searched), 0), (best(searched), 1)]
    assert [len(choice.cells) for choice in seat.choices] == [2]
    planned = {cell.id for cell in seat.store.planned()}
    assert planned == {cell.id for cell in (*trials, *chosen)}


def test_what_was_chosen_stands_whatever_times_a_copy_gave_the_plans(tmp_path: Path, searched: Plan) -> None:
    """`cp -r`, git and downloads date files anew, in any order: a plan that waits may look newer than the choice."""
    seat = Seat(tmp_path, searched)
    asked = choose(searched, seat.store)
    seat.store.write_plan([*searched.trials, *asked.cells, *asked.waiting])
    for trial in seat.next():
        seat.write(trial, settings_score(trial))
    first, second = seat.next()
    seat.write(first)  # what has a record tells for itself; the other is only planned
    assert best(searched) != asked.waiting[0].settings
    plans = list((tmp_path / "plans").iterdir())
    for earlier, later in (plans, reversed(plans)):
        os.utime(earlier, (1, 1))
        os.utime(later, (2, 2))
        found = outcomes([Store.open(tmp_path)])
        assert {outcome.cell.id for outcome in found} == {cell.id for cell in (*searched.trials, first, second)}
        assert [outcome.cell.id for outcome in found if outcome.record is None] == [second.id]


def test_whoever_comes_first_chooses_and_all_choose_alike(
    tmp_path: Path, searched: Plan, no_pause: list[Callable[[], object]]
) -> None:
    """A worker stays for the trials of others, even one that does not wait for their cells."""
    one, other = (Seat(tmp_path, searched, workers=2, max_lanes=1) for _ in range(2))
    idle = Seat(tmp_path, searched, workers=2, max_lanes=1)
    (first,), (second,) = one.next(), other.next()
    one.write(first, settings_score(first))
    (third,) = one.next()
    assert {first.id, second.id, third.id} == {trial.id for trial in searched.trials}
    no_pause += [
        lambda: other.write(second, settings_score(second)),
        lambda: one.write(third, settings_score(third)),
    ]
    (last,) = idle.next()
    assert no_pause == []
    ((next_of_one,), (next_of_other)) = one.next(), list(other.groups)
    assert next_of_other == []  # both cells are held
    assert {last.seed, next_of_one.seed} == {0, 1}
    assert last.settings == next_of_one.settings == best(searched)
    assert [seat.choices for seat in (one, other)] == [idle.choices] * 2
    assert len(list((tmp_path / "plans").iterdir())) == 1


def test_a_trial_that_fails_in_one_worker_is_not_waited_for_by_another(tmp_path: Path, searched: Plan) -> None:
    one, other = (Seat(tmp_path, searched, workers=2, max_lanes=3) for _ in range(2))
    trials = [*one.next(), *other.next()]
    assert len(trials) == 3
    winner = max(trials, key=settings_score)
    for trial in trials:
        if trial is winner:
            one.write(trial, status="failed", reason="no luck")
        else:
            one.write(trial, settings_score(trial))
    second = max((trial for trial in trials if trial is not winner), key=settings_score)
    assert {tuple(cell.settings.items()) for cell in (*one.next(), *other.next())} == {tuple(second.settings.items())}


def test_where_no_trial_is_finished_the_cells_are_not_waited_for(tmp_path: Path, searched: Plan) -> None:
    seat = Seat(tmp_path, searched, wait=True)
    for trial in seat.next():
        seat.write(trial, status="failed", reason="no luck")
    with pytest.raises(StopIteration):
        seat.next()
    ((skip,),) = (choice.skips for choice in seat.choices)
    assert "none of its 3 trials finished" in skip.reason
