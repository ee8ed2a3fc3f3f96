"""`bench.run` and `bench.preview`: the flags by their names, in one process again and again, from a thread."""

from __future__ import annotations

import gc
import inspect
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.commands.progress import PlainProgress
from bench.notebook.words import command_of
from bench.request import RunRequest
from bench.store.store import Store
from tests.conftest import Bench


def test_the_rows_are_those_of_the_cells_and_a_selection_is_a_plain_frame(measured: bench.Results) -> None:
    assert isinstance(measured, bench.Results)
    assert (len(measured), measured["id"].nunique(), set(measured["status"])) == (
        18,
        12,
        {"done"},
    )  # cb has two metrics
    assert type(measured[measured["task"] == "rte"]).__name__ == "DataFrame"
    assert list(measured.tables) == [
        "recommendation-superglue",
        "table-superglue",
        "costs-superglue",
        "verdicts-superglue",
    ]


def test_the_same_call_again_runs_nothing_and_gives_the_same(
    measured: bench.Results, small: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    grid = {**small, "tasks": ["rte", "cb"], "methods": "ptv2,finetune", "seeds": [0, 1, 2]}
    again = bench.run(**grid, out=str(measured.folders[0]))
    assert "12 cells: 2 methods × 2 tasks × 1 models × 3 seeds; 0 to run" in capsys.readouterr().out
    assert list(again["score"]) == list(measured["score"])


def test_what_is_in_the_records_is_the_command_that_asks_for_the_same(measured: bench.Results) -> None:
    (command,) = {tuple(record.provenance["command"]) for record in Store.open(measured.folders[0]).records()}
    assert command[:8] == ("bench", "run", "--suite", "superglue", "--tasks", "rte,cb", "--data", command[7])
    assert command[-2:] == ("--out", str(measured.folders[0]))


def test_a_call_says_what_it_takes() -> None:
    assert set(inspect.signature(bench.run).parameters) == {*RunRequest.model_fields, "config"}
    assert set(inspect.signature(bench.preview).parameters) == {*RunRequest.model_fields, "config", "probe"}
    for name, field in RunRequest.model_fields.items():
        assert f"{name}: {field.description}" in str(bench.run.__doc__)


def test_a_call_in_a_thread_leaves_no_thread_and_the_collector_as_it_was(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[bench.Results] = []
    asked: list[str] = []  # of the collector; unfreeze() gives back all that was set aside
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, partial(asked.append, name))
    before = threading.enumerate()
    thread = threading.Thread(target=lambda: got.append(bench.run(**small, out=tmp_path / "out")))
    thread.start()
    thread.join()
    assert list(got[0]["status"]) == ["done"]
    assert threading.enumerate() == before
    assert (asked[0], asked[-1], gc.isenabled()) == ("freeze", "unfreeze", True)


def test_an_interrupt_leaves_what_is_finished_and_comes_out_as_itself(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = []

    def finished(self: PlainProgress, record: Any) -> None:
        seen.append(record.id)
        raise KeyboardInterrupt

    grid, out = {**small, "seeds": 2, "lanes": 1}, tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(PlainProgress, "finished", finished)
        with pytest.raises(KeyboardInterrupt):
            bench.run(**grid, out=out)
    assert "stopped; finished cells are kept" in capsys.readouterr().out
    assert Store.open(out).done() == set(seen)
    assert not list((out / "claims").glob("*"))
    assert set(bench.run(**grid, out=out)["status"]) == {"done"}


def test_a_preview_has_a_row_for_each_cell_and_each_that_cannot_run(
    measured: bench.Results, small: dict[str, Any]
) -> None:
    grid = {**small, "tasks": ["rte", "wsc"], "methods": ["ptv2", "prompting"], "seeds": 4}
    shown = bench.preview(**grid, out=measured.folders[0], probe=False)
    states = shown.groupby(["method", "task"])["state"].value_counts().to_dict()
    assert states[("ptv2", "rte", "done")] == 3
    assert states[("ptv2", "rte", "to run")] == 1
    assert shown.loc[shown["state"] == "done", "id"].isin(measured["id"]).all()
    assert f"to run → {measured.folders[0]}" in shown.text
    assert not (shown[shown["state"] == "skipped"]["reason"] == "").any()


def test_a_grid_file_says_what_the_call_leaves_open(small: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text('methods = ["ptv2"]\nseeds = 2\n[set.ptv2]\nlength = 4\n')
    grid = {name: value for name, value in small.items() if name not in ("methods", "seeds")}
    shown = bench.preview(file, **grid, set={"ptv2": {"dropout": 0.0}}, out=tmp_path / "out", probe=False)
    assert (len(shown), set(shown["label"])) == (2, {"ptv2 (dropout=0.0, length=4)"})


ASKED: tuple[dict[str, Any], ...] = (
    {"methods": ["ptv2"], "seeds": 3, "trials": 2, "save_tuned": False, "checkpointing": True, "out": Path("a b")},
    {"set": {"ptv2": {"length": 4, "head": "linear"}}, "sweep": {"budget": {"epochs": [1, 2]}}, "seeds": [3, 7]},
    {"plugin": ["a.py", "b.py"], "executor": "slurm", "slurm": {"partition": "gpu"}, "backbone_dropout": False},
)


@pytest.mark.parametrize("asked", ASKED)
def test_the_command_of_a_request_asks_for_the_same_request(
    asked: dict[str, Any], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = RunRequest.called(asked)
    got: list[RunRequest] = []
    monkeypatch.setattr("bench.commands.run.run_grid", lambda request, **_: got.append(request) or _Ended())
    _, *words = command_of(request, "run")
    assert bench(*words)[0] == 0
    assert got == [request]


class _Ended:
    code = 0


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
