"""Sweeps are found by what varies while all else is equal, and a figure of all methods stays readable."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.cell import TRIAL_SEED, Budget
from bench.report.files import collect
from bench.report.read.frame import frame
from bench.report.read.sweeps import Sweep, SweepPoint, find_sweeps, layer_range, shown_lines, sweep_points, value_type
from bench.report.statistics.samples import samples
from bench.report.statistics.summary import summarise

BASE = {"length": 20, "layers": "all", "reparam": "none", "head": "linear"}


def sweeps_of(made: Any) -> dict[str, list[Sweep]]:
    rows = frame([made])
    return find_sweeps(sweep_points(rows, summarise(rows, samples(rows, {}))))


def values(sweep: Sweep) -> list[Any]:
    return [point.settings[sweep.setting] for point in sweep.points]


def changed(cell: Any, **settings: Any) -> Any:
    return cell(settings=BASE | settings, given=settings)


def test_a_product_of_two_settings_is_swept_along_both(cell: Any, record: Any, store: Any) -> None:
    made = store(
        record(changed(cell, length=length, reparam=reparam), 60.0)
        for length in (8, 2, 32)
        for reparam in ("none", "mlp")
    )
    found = sweeps_of(made)
    assert {name: len(lines) for name, lines in found.items()} == {"length": 2, "reparam": 3}
    assert {line.name: values(line) for line in found["length"]} == {
        "ptv2 (reparam=none)": [2, 8, 32], "ptv2 (reparam=mlp)": [2, 8, 32]
    }  # fmt: skip
    assert [line.name for line in found["reparam"]] == ["ptv2 (length=2)", "ptv2 (length=32)", "ptv2 (length=8)"]


def test_two_settings_changed_at_once_are_no_sweep(cell: Any, record: Any, store: Any) -> None:
    made = store([record(changed(cell), 60.0), record(changed(cell, length=8, reparam="mlp"), 61.0)])
    assert sweeps_of(made) == {}


@pytest.mark.parametrize("other", [{"task": "cb"}, {"model": "large"}, {"budget": Budget(epochs=3)}])
def test_values_at_another_task_model_or_budget_are_no_sweep(
    other: dict[str, Any], cell: Any, record: Any, store: Any
) -> None:
    made = store([record(cell(settings=BASE), 60.0), record(cell(settings=BASE | {"length": 8}, **other), 61.0)])
    assert sweeps_of(made) == {}


def test_two_budgets_of_one_sweep_are_two_lines_named_by_it(cell: Any, record: Any, store: Any) -> None:
    made = store(
        record(cell(settings=BASE | {"length": length}, budget=Budget(epochs=epochs)), 60.0)
        for length in (2, 8)
        for epochs in (3, 10)
    )
    names = [line.name for line in sweeps_of(made)["length"]]
    assert sorted(names) == ["ptv2 (10 epochs × batch 32)", "ptv2 (3 epochs × batch 32)"]


def test_a_setting_that_differs_between_tasks_alone_names_no_line(cell: Any, record: Any, store: Any) -> None:
    """A verbalizer becomes a linear head on a task without a cloze form."""
    made = store(
        record(cell(task, settings=BASE | {"head": head, "length": length}), 60.0)
        for task, head in (("rte", "verbalizer"), ("ner", "linear"))
        for length in (2, 8)
    )
    assert [(line.first.task, line.name) for line in sweeps_of(made)["length"]] == [("ner", "ptv2"), ("rte", "ptv2")]


def test_what_is_equal_in_all_settings_but_is_not_the_same_starts_another_line(
    cell: Any, record: Any, store: Any
) -> None:
    made = store(
        record(cell(settings=BASE | {"length": length}, data_fingerprint=data), 60.0)
        for length in (2, 8)
        for data in ("x", "y")
    )
    assert [values(line) for line in sweeps_of(made)["length"]] == [[2, 8], [2, 8]]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([1, 2.5], "number"), ([False, True], "choice"), (["1-4", "all"], "layers"), (["3", "2-4"], "layers"),
        (["1", "2"], "choice"), (["none", "mlp"], "choice"), ([1, None], "choice"), (["all", "none"], "choice"),
    ],
)  # fmt: skip
def test_the_kind_of_a_setting_is_told_by_its_values(found: list[Any], expected: str) -> None:
    made = [
        SweepPoint("rte", "accuracy", "m", "ptv2", "", {"x": value}, (), 60.0, math.nan, math.nan, 50.0, 1e6, 24.0)
        for value in found
    ]
    assert value_type([Sweep("x", tuple(made))]) == expected


def test_layers_are_counted_from_one_and_all_needs_the_depth() -> None:
    assert [layer_range(text, 24) for text in ("5-8", "3", "all")] == [(5, 8), (3, 3), (1, 24)]
    assert layer_range("all", math.nan) is None


def test_up_to_eight_lines_are_all_shown(cell: Any, record: Any, store: Any) -> None:
    made = store(record(changed(cell, length=length), 60.0) for length in range(1, 9))
    labels, note = shown_lines(frame([made]))
    assert (len(labels), note) == (8, "")


def test_of_more_lines_each_method_shows_its_default_or_fullest_whatever_they_score(
    cell: Any, record: Any, store: Any
) -> None:
    cells = [changed(cell, length=length) for length in range(1, 9)] + [cell(settings=BASE)]
    other = [
        cell(method="other", seed=seed, settings={"length": n}, given={"length": n}) for n, seed in ((1, 0), (2, 0))
    ]
    other.append(cell(method="other", seed=1, settings={"length": 2}, given={"length": 2}))
    labels, note = shown_lines(frame([store(record(one, 50.0 + n) for n, one in enumerate([*cells, *other]))]))
    assert labels == ["other (length=2)", "ptv2"]
    assert note.startswith("Of the lines of other (2), ptv2 (9) one each is shown")


def test_of_more_lines_that_is_shown_which_others_are_compared_with(cell: Any, record: Any, store: Any) -> None:
    made = [record(changed(cell, length=length), 60.0) for length in (16, *range(2, 11))]
    folder = store([*made, record(cell(settings=BASE), 60.0)])
    for asked, shown in ((None, "ptv2"), ("ptv2 (length=7)", "ptv2 (length=7)")):
        report = collect([folder.path], reference=asked)
        labels, note = shown_lines(report.frame, report.references)
        assert (labels, note[:48]) == ([shown], "Of the lines of ptv2 (11) one each is shown, the")


def test_lines_swept_with_trials_are_a_sweep_by_what_was_given(cell: Any, record: Any, store: Any) -> None:
    records = []
    for length, rate in ((2, 0.1), (8, 0.01)):  # each point's trials chose another rate
        settings = {"length": length, "learning_rate": rate, "head": "linear"}
        trial = cell(stage="trial", seed=TRIAL_SEED, settings=settings, given={"length": length},
                     drawn={"learning_rate": rate})  # fmt: skip
        records += [record(trial.changed(stage="score", seed=0, trials=1, tried=(trial.id,)), 60.0 + length)]
    report = collect([store(records).path], {})
    sweeps = find_sweeps(sweep_points(report.frame, report.summary))
    assert {setting: [[v.score for v in line.points] for line in lines] for setting, lines in sweeps.items()} == {
        "length": [[62.0, 68.0]]
    }
