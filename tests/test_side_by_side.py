"""Runs on one folder that know nothing of each other, and folders that can only be read."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import runner
from bench.commands import measure, tally
from bench.commands.run import run_grid
from bench.request import RunRequest
from bench.store.claims import Claims
from bench.store.store import Store
from bench.store.workers import Watch, new_identity
from tests.conftest import Bench
from tests.store.conftest import Process, process, show

__all__ = ["process"]


def standing(folder: Path) -> dict[str, tuple[int, int]]:
    """By finished file its inode and last change."""
    files = list(folder.glob("cells/*/*"))
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def test_what_another_run_finished_after_this_one_was_planned_is_not_trained_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials neither; and what the other has made is said to be the other's."""
    prepare, fit = measure.prepare, runner.fit
    seen: dict[str, tuple[int, int]] = {}
    asked = {
        "suite": "superglue", "tasks": "rte", "models": bench.base[5], "data": bench.base[7], "methods": "ptv2",
        "seeds": 2, "steps": 2, "batch_size": 4, "max_length": 24, "trials": 2, "devices": "cpu", "out": "out",
    }  # fmt: skip

    def other_run(*arguments: Any, **named: Any) -> None:
        monkeypatch.setattr(measure, "prepare", prepare)
        run_grid(RunRequest(**asked, precision="fp32"))
        seen.update(standing(Path("out")))
        monkeypatch.setattr(runner, "fit", lambda *_: pytest.fail("trained again"))
        prepare(*arguments, **named)

    monkeypatch.setattr(measure, "prepare", other_run)
    code, out, _ = bench.run("--seeds", "2", "--trials", "2")
    assert (code, "\n0 cells written to out, 4 by other processes; next" in out) == (0, True)
    assert standing(Path("out")) == seen
    assert len(Store.open(Path("out")).done()) == 4
    monkeypatch.setattr(runner, "fit", fit)


def test_what_others_finish_meanwhile_is_counted_while_a_run_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not what was there when it began."""
    assert bench.run("--seeds", "3", "--out", "whole")[0] == 0
    _, second, third = sorted(Path("whole/cells").iterdir())
    fit = runner.fit
    shutil.copytree("whole", "out")
    for cell in (second, third):
        shutil.rmtree(Path("out/cells") / cell.name)

    def with_another(*arguments: Any, **named: Any) -> Any:
        trained = fit(*arguments, **named)
        (others,) = {second.name, third.name} - {lane.cell.id for lane in arguments[1]}
        shutil.copytree(Path("whole/cells") / others, Path("out/cells") / others)
        return trained

    monkeypatch.setattr(runner, "fit", with_another)
    monkeypatch.setattr(tally, "LOOK", 0.0)
    code, out, _ = bench.run("--seeds", "3", "--lanes", "1")
    assert code == 0
    assert re.findall(r"\[.*? left\]", out) == ["[2/2, 0.0 s left]"]
    assert "\n1 cells written to out, 1 by other processes; next" in out


def test_a_run_with_nothing_to_do_says_nothing_of_others_and_sweeps(
    bench: Bench, process: Callable[..., Process]
) -> None:
    assert bench.run("--trials", "2")[0] == 0
    dead = process()
    dead.kill()
    worker, out = dead.identity.worker, Path("out")
    (out / ".partial" / worker).mkdir(parents=True)
    for name in (f"claims/.{worker}", f"workers/.{worker}.json.0123456789abcdef"):
        (out / name).write_text("{")
    Claims(out, dead.identity, Watch(out)).take(sorted(Store.open(out).done()))
    show(out, dead.identity)
    code, said, _ = bench.run("--trials", "2")
    assert (code, "\n0 cells written to out; next" in said) == (0, True)
    assert [path for room in (".partial", "claims", "workers") for path in out.glob(f"{room}/*")] == []


def test_what_a_living_process_is_writing_is_not_swept(tmp_path: Path, process: Callable[..., Process]) -> None:
    places = [tmp_path / ".partial" / who.worker for who in (process().identity, new_identity())]
    for place in places:
        place.mkdir(parents=True)
    Watch(tmp_path).sweep()
    assert [place.exists() for place in places] == [True, True]


def test_another_grid_is_refused_before_data_is_read(
    bench: Bench, process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.create(Path("out"))
    show(Path("out"), process().identity, {"superglue/rte": "9 steps, protocol holdout, fp32"})
    monkeypatch.setattr(measure, "prepare", lambda *_, **__: pytest.fail("read"))
    assert "measures superglue/rte into out with 9 steps, protocol holdout, fp32" in bench.refuses()


# --- folders that can only be read


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Make a folder one that can only be read, as a disk mounted so: for root, too, whom no permission stops."""

    def refusing(name: str, folder: Path) -> None:
        plain = getattr(os, name)

        def call(path: Any, *arguments: Any, **named: Any) -> Any:
            touched = [path, *arguments[:1]] if name in ("rename", "replace", "link") else [path]
            if any(folder in Path(os.path.abspath(each)).parents for each in touched):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return plain(path, *arguments, **named)

        monkeypatch.setattr(os, name, call)

    def make(folder: Path) -> None:
        for name in ("mkdir", "rename", "replace", "link", "unlink", "rmdir", "utime"):
            refusing(name, folder.absolute())
        plain = os.access

        def access(path: Any, mode: int, **named: Any) -> bool:
            return not (mode & os.W_OK and Path(path) == folder) and plain(path, mode, **named)

        monkeypatch.setattr(os, "access", access)

    return make


def test_a_folder_that_can_only_be_read_does_where_nothing_is_left(bench: Bench, close: Callable[[Path], None]) -> None:
    assert bench.run("--trials", "2")[0] == 0
    cell_id = sorted(Store.open(Path("out")).done())[0]
    close(Path("out"))
    code, out, err = bench.run("--trials", "2")
    assert code == 0, err
    assert (code, "\n0 cells written to out; next" in out) == (0, True)
    report = ["report", "out", "--to", "elsewhere", "--format", "md"]
    for words in (["status", "out"], ["show", cell_id, "--in", "out"], report):
        code, _, err = bench(*words)
        assert (words[0], code) == (words[0], 0), err


def test_a_folder_that_can_only_be_read_is_refused_at_once_where_something_is_left(
    bench: Bench, close: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bench.run()[0] == 0
    close(Path("out"))
    monkeypatch.setattr(measure, "prepare", lambda *_, **__: pytest.fail("read"))
    assert bench.refuses("--seeds", "2") == "error: cannot use out: Permission denied; choose another --out"
