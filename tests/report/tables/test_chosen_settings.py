"""Chosen settings: lines that trials chose for are never mixed with others, and what is not chosen yet is said."""

from __future__ import annotations

from typing import Any

from bench.cell import TRIAL_SEED, Cell
from bench.report.read.frame import frame, scored
from bench.report.read.outcomes import outcomes
from bench.report.tables.trials import chosen_table
from bench.store.record import Record


def trials_of(cell: Any, task: str, *lengths: int) -> list[Cell]:
    return [
        cell(
            task,
            stage="trial",
            seed=TRIAL_SEED,
            settings={"length": length, "head": "linear"},
            drawn={"length": length},
        )
        for length in lengths
    ]


def tried(record: Any, trial: Cell, score: float | None = None, status: str = "done") -> Record:
    return record(trial, status=status).model_copy(update={"selection_score": score})


def chosen(trials: list[Cell], winner: int | None, seed: int = 0) -> Cell:
    """The scoring cell of some trials: with the winner's settings, or waiting with the first one's."""
    of = trials[winner or 0]
    return of.changed(stage="score", seed=seed, trials=len(trials), tried=tuple(trial.id for trial in trials),
                      drawn={} if winner is None else of.drawn)  # fmt: skip


def test_one_line_over_tasks_whose_chosen_settings_differ_and_none_of_it_with_settings_by_hand(
    cell: Any, record: Any, store: Any
) -> None:
    rte, cb = trials_of(cell, "rte", 20, 8), trials_of(cell, "cb", 20, 8)
    cells = [chosen(rte, 1), chosen(cb, 0), cell("rte"), cell("rte", settings={"length": 8, "head": "linear"},
                                                              given={"length": 8})]  # fmt: skip
    made = store([record(one, 60.0) for one in cells] + [tried(record, trial, 50.0) for trial in rte + cb])
    rows = frame([made])
    assert sorted(zip(rows["task"], rows["label"], rows["trials"], strict=True)) == [
        ("cb", "ptv2 (chosen of 2 trials)", 2),
        ("rte", "ptv2", 0), ("rte", "ptv2 (chosen of 2 trials)", 2), ("rte", "ptv2 (length=8)", 0),
    ]  # fmt: skip
    by_label = {(row.task, row.label): (row.settings["length"], row.given) for row in rows.itertuples()}
    assert by_label["rte", "ptv2 (chosen of 2 trials)"] == (8, {})
    assert by_label["rte", "ptv2 (length=8)"] == (8, {"length": 8})


def test_trials_are_named_in_no_label_where_all_lines_have_as_many(cell: Any, record: Any, store: Any) -> None:
    cells = [chosen(trials_of(cell, task, 20, 8), 1) for task in ("rte", "cb")]
    assert set(frame([store([record(one, 60.0) for one in cells])])["label"]) == {"ptv2"}


def test_two_folders_that_came_to_two_choices_are_told_apart_in_that_entry_alone(
    cell: Any, record: Any, store: Any
) -> None:
    rte, cb = trials_of(cell, "rte", 20, 8), trials_of(cell, "cb", 20, 8)
    first = store([record(chosen(rte, 1), 60.0), record(chosen(cb, 1), 60.0)], name="a")
    second = store([record(chosen(rte, 0, seed=1), 80.0), record(chosen(cb, 1, seed=1), 60.0)], name="b")
    rows = frame([first, second])
    assert sorted(set(zip(rows["task"], rows["label"], strict=True))) == [
        ("cb", "ptv2"),
        ("rte", "ptv2 [length=20]"), ("rte", "ptv2 [length=8]"),
    ]  # fmt: skip


def test_a_later_choice_of_the_same_trials_takes_the_place_of_an_earlier_one(
    cell: Any, record: Any, store: Any
) -> None:
    trials = trials_of(cell, "rte", 20, 8)
    earlier, later = chosen(trials, 0), chosen(trials, 1)
    made = store([record(earlier, 60.0)], planned=[*trials, earlier])
    store([record(later, 70.0)], planned=[*trials, later])
    rows = frame([made])
    assert list(zip(rows["label"], rows["score"], strict=True)) == [("ptv2", 70.0)]


def test_a_cell_that_waits_is_missing_with_the_reason_until_its_choice_is_planned(
    cell: Any, record: Any, store: Any
) -> None:
    trials = trials_of(cell, "rte", 20, 8)
    waiting = [chosen(trials, None, seed) for seed in (0, 1)]
    made = store([tried(record, trials[0], 50.0)], planned=[*trials, *waiting])
    rows = frame([made])
    assert list(rows["status"]) == ["missing", "missing"]
    assert set(rows["reason"]) == {"its setting is not chosen yet: 1 of 2 trials are finished"}
    table = chosen_table(outcomes([made]), rows, "superglue")
    assert table is not None
    assert table.rows == (
        ("small", "ptv2", "rte", "its setting is not chosen yet: 1 of 2 trials are finished", "–",
         "2 (1 missing)"),
    )  # fmt: skip
    store([tried(record, trials[1], 55.0)], planned=[*trials, *(chosen(trials, 1, seed) for seed in (0, 1))])
    assert list(frame([made])["reason"]) == ["", ""]


def test_the_chosen_settings_of_every_line_model_and_task_are_listed(cell: Any, record: Any, store: Any) -> None:
    trials = trials_of(cell, "rte", 20, 8, 64)
    outcomes_of = [(60.0, "done"), (75.25, "done"), (None, "diverged")]
    made = store(
        [record(chosen(trials, 1, seed), 61.0) for seed in (0, 1)]
        + [tried(record, trial, *outcome) for trial, outcome in zip(trials, outcomes_of, strict=True)]
        + [record(cell("cb"), 50.0)]
    )
    found = outcomes([made])
    table = chosen_table(found, scored(found), "superglue")
    assert table is not None
    assert table.rows == (("small", "ptv2 (chosen of 3 trials)", "rte", "length=8", "75.2", "3 (1 diverged)"),)
    assert "the slice held out of train" in table.notes[0]
    assert chosen_table(found, scored(found), "other") is None
