"""What trackers are told, of every way in which cells train; a tracker that fails costs a cell nothing."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.store.store import Store
from bench.track import known
from bench.track.teller import MOST_FAILURES
from bench.track.tracker import Run, Tracker
from tests.conftest import Bench
from tests.track.conftest import Kept

GRID = ("--methods", "ptv2,finetune", "--steps", "6", "--seeds", "2")


def test_a_cell_is_a_run_with_its_settings_curve_and_scores(bench: Bench, kept: type[Kept]) -> None:
    assert bench.run(*GRID, "--track", "kept")[0] == 0
    records = {record.id: record for record in Store.open(Path("out")).records()}
    assert kept.runs.keys() == records.keys()
    for cell_id, record in records.items():
        told = kept.runs[cell_id]
        run: Run = told["run"]
        assert (run.group, run.name) == (
            "out",
            f"rte · tiny-bert · {record.cell.label} · seed {record.cell.seed} {cell_id[:6]}",
        )
        assert run.settings["settings.learning_rate"] == record.cell.settings["learning_rate"]
        assert (run.settings["budget.steps"], run.settings["seed"]) == (6, record.cell.seed)
        assert kept.series(cell_id, "selection/accuracy") == [(p.step, p.scores["accuracy"]) for p in record.curve]
        assert kept.series(cell_id, "train/mean_loss") == [(p.step, p.train_loss) for p in record.curve if p.train_loss]
        assert [step for step, _ in kept.series(cell_id, "train/loss")] == [1, 2, 3, 4, 5, 6]
        status, final = told["closed"]
        assert (status, final["score/accuracy"], final["selection/step"]) == (
            "done", record.scores["accuracy"], record.selected_step,
        )  # fmt: skip
        assert final["costs/train_seconds"] == record.costs.train_seconds


def test_the_losses_are_those_whose_means_the_curve_has(bench: Bench, kept: type[Kept]) -> None:
    bench.run("--steps", "6", "--track", "kept")
    (record,) = Store.open(Path("out")).records()
    losses = [loss for _, loss in kept.series(record.id, "train/loss")]
    begun = 0
    for point in record.curve:
        of_point = losses[begun : point.step]
        assert point.train_loss == (pytest.approx(sum(of_point) / len(of_point)) if of_point else None)
        begun = point.step


def test_trials_are_runs_too(bench: Bench, kept: type[Kept]) -> None:
    assert bench.run("--steps", "3", "--trials", "2", "--track", "kept")[0] == 0
    stages = sorted(told["run"].settings["stage"] for told in kept.runs.values())
    assert stages == ["score", "trial", "trial"]
    assert all(told["closed"][0] == "done" for told in kept.runs.values())
    assert sum("selection/best" in told["closed"][1] for told in kept.runs.values()) == 3


def test_a_first_stage_is_no_run(bench: Bench, kept: type[Kept]) -> None:
    bench.run("--methods", "mpt2", "--set", "mpt2.tasks=rte,cb", "--track", "kept")
    assert {told["run"].cell.task for told in kept.runs.values()} == {"rte"}
    assert len(kept.runs) == 1


def test_many_losses_are_told_sparsely(bench: Bench, kept: type[Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.track.tracked.MOST_LOSSES", 4)
    bench.run("--steps", "10", "--track", "kept")
    (cell_id,) = kept.runs
    assert [step for step, _ in kept.series(cell_id, "train/loss")] == [2, 4, 6, 8, 10]


def test_a_tracker_changes_no_id_and_leaves_no_thread(bench: Bench, kept: type[Kept]) -> None:
    before = threading.enumerate()
    bench.run("--track", "kept")
    assert threading.enumerate() == before
    _, out, _ = bench.run()
    assert "0 to run" in out


class Failing(Tracker):
    """Fails where `at` says."""

    at = "begin"
    asked: list[str] = []

    def __init__(self, run: Run) -> None:
        self._do("begin")

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        self._do("log")

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        self._do("close")

    def _do(self, what: str) -> None:
        self.asked.append(what)
        if what == self.at:
            raise RuntimeError("the service\nis down")


@pytest.mark.parametrize("at", ["begin", "log", "close"])
def test_a_tracker_that_fails_costs_the_cell_nothing_and_is_told_once(
    at: str, bench: Bench, kept: type[Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    known.tracker("failing")(Failing)
    monkeypatch.setattr(Failing, "at", at)
    monkeypatch.setattr(Failing, "asked", [])
    code, out, err = bench.run("--seeds", str(MOST_FAILURES + 2), "--lanes", "1", "--track", "failing,kept")
    assert (code, f"{MOST_FAILURES + 2} cells written" in out) == (0, True)
    assert [line for line in err.splitlines() if "failing" in line] == [
        "warning: --track failing: RuntimeError: the service is down; cells train without it"
    ]
    assert Failing.asked.count(at) == MOST_FAILURES  # after so many it is not asked again
    assert {told["closed"][0] for told in kept.runs.values()} == {"done"}


def test_a_cell_that_is_interrupted_says_so(bench: Bench, kept: type[Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    def step(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.commands.progress.PlainProgress.step", step)
    assert bench.run("--track", "kept")[0] == 130
    assert [told["closed"] for told in kept.runs.values()] == [("interrupted", {})]


@pytest.mark.slow
def test_what_trains_in_other_processes_is_told_here(bench: Bench, kept: type[Kept]) -> None:
    assert bench.run(*GRID, "--device", "cpu:2", "--track", "kept")[0] == 0
    records = {record.id: record for record in Store.open(Path("out")).records()}
    assert kept.runs.keys() == records.keys()
    for cell_id, record in records.items():
        assert kept.series(cell_id, "selection/accuracy") == [(p.step, p.scores["accuracy"]) for p in record.curve]
        assert kept.runs[cell_id]["closed"][0] == "done"


def test_a_tracker_of_a_file_is_named_like_the_others(bench: Bench, plugin: Path) -> None:
    assert bench.run("--plugin", plugin, "--track", "lines")[0] == 0
    (record,) = Store.open(Path("out")).records()
    assert Path(f"out/{record.id}.txt").read_text() == "done"


def test_an_unknown_tracker_and_one_that_is_not_installed_are_refused_before_anything_trains(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "unknown tracker 'tensorbord'; did you mean 'tensorboard'?" in bench.refuses("--track", "tensorbord")
    monkeypatch.setattr("bench.track.known.is_installed", lambda name: False)
    said = bench.refuses("--track", "wandb")
    assert "--track wandb: wandb is not installed; pip install wandb" in said
    assert not Path("out").exists()


def test_another_package_s_tracker_comes_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value = "theirs", "theirs.module:Theirs"

        def load(self) -> Any:
            return known.tracker("theirs")(Failing)

    class Broken(Point):
        name = "broken"

        def load(self) -> Any:
            raise ImportError("no module")

    monkeypatch.setattr(known, "_loaded", set())
    monkeypatch.setattr(known, "entry_points", lambda group: [Broken(), Point()] if group == known.GROUP else [])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert known.trackers()["theirs"] is Failing
    assert [str(each.message) for each in warned] == [
        "the tracker 'broken' (theirs.module:Theirs) is left out: ImportError: no module"
    ]
