"""Equal-budget selection: which trials must run, and what is chosen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cell import TRIAL_SEED, Budget, Cell, Plan
from bench.plan.selection import choose, contests, trials_to_run
from bench.store.record import Record
from bench.store.store import Store


def make_trial(number: int, task: str = "rte") -> Cell:
    return Cell(
        suite="superglue", task=task, task_version=1, data_fingerprint="d", model="small", model_fingerprint="m",
        method="ptv2", settings={"length": number}, seed=TRIAL_SEED, budget=Budget(), protocol="holdout",
        precision="fp32", stage="trial", drawn={"length": number},
    )  # fmt: skip


TRIALS = tuple(make_trial(number) for number in (20, 8, 64))
FINALS = tuple(
    TRIALS[0].changed(stage="score", seed=seed, drawn={}, trials=3, tried=tuple(trial.id for trial in TRIALS))
    for seed in (0, 1)
)
GRID = Plan(FINALS, trials=TRIALS)


def trial_record(trial: Cell, score: float | None, status: str = "done") -> Record:
    return Record(
        id=trial.id, cell=trial, status=status, main_metric="accuracy", selection_score=score, selected_step=5,
        reason=None if status == "done" else "no luck",
    )  # fmt: skip


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Store]:
    """A store with these outcomes of TRIALS: a selection score, a status, or None for no record."""

    def make(*outcomes: float | str | None) -> Store:
        store = Store.create(tmp_path / "results")
        for trial, outcome in zip(TRIALS, outcomes, strict=True):
            if isinstance(outcome, str):
                store.write(trial_record(trial, None, outcome))
            elif outcome is not None:
                store.write(trial_record(trial, outcome))
        return store

    return make


@pytest.mark.parametrize(
    ("outcomes", "length"),
    [
        ((50.0, 60.0, 55.0), 8), ((60.0, 50.0, 70.0), 64),
        ((60.0, 60.0, 60.0), 20), ((50.0, 60.0, 60.0), 8),  # of equals the earlier
        (("diverged", 0.0, 0.0), 8), ((10.0, "diverged", "diverged"), 20),
    ],
)  # fmt: skip
def test_the_best_selection_score_is_chosen_for_every_seed(stored: Any, outcomes: Any, length: int) -> None:
    choice = choose(GRID, stored(*outcomes))
    assert [(cell.settings, cell.drawn, cell.seed) for cell in choice.cells] == [
        ({"length": length}, {"length": length}, seed) for seed in (0, 1)
    ]
    assert (choice.waiting, choice.skips) == ((), ())
    assert {cell.label for cell in choice.cells} == {"ptv2 (chosen of 3 trials)"}


def test_a_chosen_cell_is_another_than_the_same_settings_set_by_hand(stored: Any) -> None:
    (chosen, _) = choose(GRID, stored(50.0, 60.0, 55.0)).cells
    assert chosen.id != chosen.changed(trials=0, tried=(), drawn={}, given={"length": 8}).id


def test_cells_wait_while_a_trial_is_missing(stored: Any) -> None:
    store = stored(50.0, None, 60.0)
    assert trials_to_run(GRID, store) == [TRIALS[1]]
    choice = choose(GRID, store)
    assert (choice.cells, choice.waiting) == ((), FINALS)


def test_a_failed_trial_is_tried_again_and_loses_when_it_fails_again(stored: Any) -> None:
    store = stored(50.0, "failed", 60.0)
    assert trials_to_run(GRID, store) == [TRIALS[1]]
    assert choose(GRID, store).waiting == FINALS
    assert {cell.settings["length"] for cell in choose(GRID, store, {TRIALS[1].id}).cells} == {64}


def test_a_diverged_trial_has_lost_for_good_unless_nothing_else_finished(stored: Any) -> None:
    assert trials_to_run(GRID, stored("diverged", "diverged", None)) == list(TRIALS)
    assert trials_to_run(GRID, stored("diverged", "diverged", 60.0)) == []


def test_where_all_trials_fail_the_cells_are_skipped_with_the_reason(stored: Any) -> None:
    store = stored("diverged", "failed", "failed")
    assert trials_to_run(GRID, store) == list(TRIALS)
    choice = choose(GRID, store, {trial.id for trial in TRIALS})
    (skip,) = choice.skips
    assert (choice.cells, choice.waiting) == ((), FINALS)
    assert skip.reason == "none of its 3 trials finished; the first diverged: no luck"


def test_the_choice_looks_at_nothing_but_the_selection_score(stored: Any) -> None:
    """Scores would not be there; if they were, they would not matter."""
    store = stored(None, None, None)
    for trial, selection, dev in zip(TRIALS, (60.0, 50.0, 40.0), (1.0, 2.0, 99.0), strict=True):
        store.write(trial_record(trial, selection).model_copy(update={"scores": {"accuracy": dev}}))
    (contest,) = contests(GRID, store).values()
    assert contest.winner == TRIALS[0]
