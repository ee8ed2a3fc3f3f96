"""Each service is called as its own package has it: TensorBoard's files are read back, the others are stand-ins."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bench.cell import Budget, Cell
from bench.track.known import trackers
from bench.track.tracker import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    cell = Cell(
        suite="superglue", task="rte", task_version=1, data_fingerprint="0", model="some/model", model_fingerprint="0",
        method="ptv2", settings={"length": 4, "layers": [0, 1], "head": "linear"}, seed=3, budget=Budget(steps=9),
        protocol="holdout", precision="fp32", given={"length": 4},
    )  # fmt: skip
    return Run(cell, tmp_path / "results")


def tell(name: str, run: Run) -> None:
    """A run from its begin to its end."""
    told = trackers()[name](run)
    told.log(2, {"train/loss": 0.75})
    told.log(3, {"selection/accuracy": 50.0, "train/mean_loss": 0.5})
    told.close("done", {"score/accuracy": 62.5, "costs/steps": 9.0})


def named(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(content)
    return module


class Calls(list[tuple[Any, ...]]):
    """What was called, in its order: a name, and what stood in its place, arguments by name as a dict at the end."""

    def __call__(self, name: str, answer: Any = None) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            self.append((name, *values, *([named] if named else [])))
            return answer

        return call


def test_names_and_settings_are_flat(run: Run) -> None:
    assert run.parts == ("rte", "some_model", "ptv2 (length=4)", f"seed 3 {run.cell.id[:6]}")
    assert (run.settings["settings.layers"], run.settings["budget.steps"]) == ("[0, 1]", 9)
    assert all(value is None or isinstance(value, str | int | float | bool) for value in run.settings.values())


def test_tensorboard_has_every_number_at_its_step(run: Run) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    tell("tensorboard", run)
    folder = run.folder / "tensorboard" / Path(*run.parts)
    read = accumulator.EventAccumulator(str(folder))
    read.Reload()
    found = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert found == {
        "train/loss": [(2, 0.75)], "selection/accuracy": [(3, 50.0)], "train/mean_loss": [(3, 0.5)],
        "score/accuracy": [(0, 62.5)], "costs/steps": [(0, 9.0)],
    }  # fmt: skip
    assert "_hparams_/session_start_info" in read.summary_metadata


def test_wandb_has_a_run_in_the_folder_s_group(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    theirs = SimpleNamespace(
        define_metric=calls("define_metric"), log=calls("log"), finish=calls("finish"),
        summary=SimpleNamespace(update=calls("summary")),
    )  # fmt: skip
    monkeypatch.setitem(
        sys.modules, "wandb", named("wandb", init=calls("init", theirs), Settings=lambda **settings: settings)
    )
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    tell("wandb", run)
    name, asked = calls[0]
    assert (name, asked["project"], asked["group"], asked["name"]) == ("init", "tuning-bench", "results", run.name)
    assert (asked["config"], asked["reinit"], asked["dir"]) == (run.settings, "create_new", str(run.folder))
    assert calls[1:] == [
        ("define_metric", "*", {"step_metric": "step"}),
        ("log", {"train/loss": 0.75, "step": 2}),
        ("log", {"selection/accuracy": 50.0, "train/mean_loss": 0.5, "step": 3}),
        ("summary", {"score/accuracy": 62.5, "costs/steps": 9.0, "status": "done"}),
        ("finish", {"exit_code": 0}),
    ]


def test_mlflow_has_a_run_of_its_experiment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    client = SimpleNamespace(
        get_experiment_by_name=calls("experiment", None), create_experiment=calls("create_experiment", "7"),
        create_run=calls("create_run", SimpleNamespace(info=SimpleNamespace(run_id="r"))),
        log_batch=calls("log_batch"), set_tag=calls("set_tag"), set_terminated=calls("set_terminated"),
    )  # fmt: skip
    entities = named("mlflow.entities", Param=lambda key, value: (key, value), Metric=lambda *parts: parts)
    monkeypatch.setitem(sys.modules, "mlflow", named("mlflow", MlflowClient=lambda: client, entities=entities))
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setattr("time.time", lambda: 2.0)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    tell("mlflow", run)
    assert calls[:3] == [
        ("experiment", "mine"), ("create_experiment", "mine"),
        ("create_run", "7", {"run_name": run.name, "tags": {"group": "results"}}),
    ]  # fmt: skip
    assert calls[3] == ("log_batch", "r", {"params": [(name, str(value)) for name, value in run.settings.items()]})
    assert calls[4:] == [
        ("log_batch", "r", [("train/loss", 0.75, 2000, 2)]),
        ("log_batch", "r", [("selection/accuracy", 50.0, 2000, 3), ("train/mean_loss", 0.5, 2000, 3)]),
        ("log_batch", "r", [("score/accuracy", 62.5, 2000, 0), ("costs/steps", 9.0, 2000, 0)]),
        ("set_tag", "r", "status", "done"),
        ("set_terminated", "r", "FINISHED"),
    ]


def test_trackio_has_a_run_that_the_next_one_does_not_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    theirs = SimpleNamespace(log=calls("log"), finish=calls("finish"))
    current = SimpleNamespace(set=calls("current_run"))
    monkeypatch.setitem(
        sys.modules,
        "trackio",
        named("trackio", init=calls("init", theirs), context_vars=SimpleNamespace(current_run=current)),
    )
    monkeypatch.delenv("TRACKIO_PROJECT", raising=False)
    tell("trackio", run)
    assert [call[0] for call in calls] == ["current_run", "init", "log", "log", "log", "finish"]
    asked = calls[1][1]
    assert (asked["project"], asked["name"], asked["group"]) == ("tuning-bench", run.name, "results")
    assert (asked["config"], asked["embed"]) == (run.settings, False)
    assert calls[2:5] == [
        ("log", {"train/loss": 0.75}, {"step": 2}),
        ("log", {"selection/accuracy": 50.0, "train/mean_loss": 0.5}, {"step": 3}),
        ("log", {"score/accuracy": 62.5, "costs/steps": 9.0}, {"step": 3}),
    ]
