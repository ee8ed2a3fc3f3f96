"""Suites, tasks, methods and data themselves where a command has names; what is wrong is said in Python's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import bench
from bench import registry
from bench.methods.ptv2 import PTuningV2
from bench.notebook.arguments import request_of
from bench.suites.superglue import SUPERGLUE
from bench.task import Source


def rows(split: str) -> list[dict[str, Any]]:
    words, labels = ("terrible", "great"), ("bad", "good")
    return [{"text": f"word{at} is {words[at % 2]}", "label": labels[at % 2]} for at in range(24)]


def task(**changes: Any) -> bench.Task:
    fields = {
        "name": "praise", "kind": "classification", "source": Source(generate=rows), "plain": "{text}",
        "classes": ("bad", "good"), "metrics": ("accuracy",),
    }  # fmt: skip
    return bench.Task(**{**fields, **changes})


def test_a_task_of_ones_own_runs_and_its_suite_is_kept(small: dict[str, Any], tmp_path: Path) -> None:
    grid = {name: value for name, value in small.items() if name not in ("suite", "tasks", "data")}
    results = bench.run(tasks=[task()], **grid, out=tmp_path / "out")
    assert (list(results["suite"]), list(results["status"])) == (["praise"], ["done"])
    assert (tmp_path / "out/suites/praise.json").is_file()


def test_a_task_that_was_changed_is_another_one(small: dict[str, Any]) -> None:
    def ids(**changes: Any) -> set[str]:
        grid = {name: value for name, value in small.items() if name not in ("suite", "tasks", "data")}
        return set(bench.preview(tasks=task(**changes), **grid, out="nowhere", probe=False)["id"])

    first = ids()
    assert ids() == first
    assert ids(plain="It says: {text}") != first
    assert ids(rows=lambda row: [row]) != ids(rows=lambda row: [{**row, "label": "bad"}])
    assert ids(version=3) != first


def test_tasks_of_a_known_suite_are_named_in_it() -> None:
    request = request_of({"tasks": SUPERGLUE.tasks[:2]})
    assert (request.suite, request.tasks) == ("superglue", tuple(each.name for each in SUPERGLUE.tasks[:2]))
    assert request_of({"suite": SUPERGLUE}).suite == "superglue"


def test_several_tasks_are_one_suite_with_their_mean() -> None:
    request = request_of({"tasks": [task(), task(name="praise2")], "suite": "both"})
    suite = registry.find_suite("both")
    assert (request.suite, request.tasks, suite.average) == ("both", ("praise", "praise2"), ("praise", "praise2"))


def test_methods_may_be_classes_and_methods_with_settings() -> None:
    request = request_of({"methods": [PTuningV2(length=4), "finetune"], "set": ["finetune.clip=2", "ptv2.dropout=0"]})
    assert request.methods == ("ptv2", "finetune")
    assert request.set == {"ptv2": {"length": 4, "dropout": 0}, "finetune": {"clip": 2}}
    assert request_of({"methods": PTuningV2}).methods == ("ptv2",)


class Unknown(bench.Method):
    """Not registered."""

    def attach(self, backbone: Any, task: Any) -> Any: ...


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"method": "ptv2"}, "unknown argument 'method'; did you mean 'methods'"),
    "value": ({"lanes": True}, "lanes=True is not possible: it must be a whole number"),
    "text of a setting": ({"set": ["ptv2"]}, "set 'ptv2': the form is METHOD.SETTING=VALUE"),
    "name of a method": ({"methods": ["ptv3"]}, "unknown method 'ptv3'; did you mean 'ptv2'"),
    "method twice": ({"methods": ["ptv2", PTuningV2(length=4)]}, "methods has 'ptv2' twice; its settings"),
    "setting twice": (
        {"methods": [PTuningV2(length=4)], "set": {"ptv2": {"length": 8}}}, "ptv2.length is given by methods and by",
    ),
    "method without a name": ({"methods": [Unknown]}, "Unknown is not known; put @bench.method('a_name')"),
    "no method": ({"methods": [3, PTuningV2]}, "methods has 3; give names, or methods themselves"),
    "tasks and names": ({"tasks": [task(), "rte"]}, "tasks=['praise', 'rte'] is not possible"),
    "suite and tasks": ({"tasks": [task()], "suite": SUPERGLUE}, "suite 'superglue' has its own tasks"),
    "name of a suite": ({"tasks": [task()], "suite": "superglue"}, "two suites are called 'superglue'"),
    "too many workers": ({"devices": "cpu:3", "seeds": 1, "max_length": 24}, "devices cpu:3: 3 workers are more than"),
    "length": ({"max_length": 5000}, "lower max_length"),
    "a flag of the command": ({"plan": True}, "plan is no argument: bench.preview(...) shows what would run"),
    "tracker": ({"track": ["tensorbord"]}, "unknown tracker 'tensorbord'; did you mean 'tensorboard'"),
    "data": ({"data": 3}, "data is a int; it must be a path, a table (pandas, polars, arrow)"),
    "grid file": ({"config": "nowhere.toml"}, "cannot read nowhere.toml: No such file or directory"),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_a_usage_error_that_names_the_argument(
    asked: dict[str, Any], message: str, small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = {} if "tasks" in asked else {"suite": "superglue", "tasks": "rte", "data": small["data"]}
    with pytest.raises(bench.UsageError) as error:
        bench.run(**{**base, "methods": "ptv2", "models": small["models"], "devices": "cpu", **asked})
    assert message in str(error.value)
    assert "--" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_code_of_the_program_stays_in_its_process(small: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    grid = {name: value for name, value in small.items() if name not in ("suite", "tasks", "data")}
    with pytest.raises(bench.UsageError, match=r"suite 'praise' is code of this program.*plugin FILE\.py"):
        bench.preview(tasks=[task()], **{**grid, "devices": "cpu:2", "seeds": 2})
    monkeypatch.setattr(PTuningV2, "__module__", "__main__")
    with pytest.raises(bench.UsageError, match="method 'ptv2' is code of this program"):
        bench.preview(**{**small, "devices": "cpu:2", "seeds": 2})
