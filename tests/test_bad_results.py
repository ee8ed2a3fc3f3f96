"""A results folder that cannot be used gets one line and exit code 2, and stays as it was."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.store.store import Store
from bench.store.workers import Presence, new_identity

Bench = Callable[..., tuple[int, str, str]]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder with its content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_unrelated_folder_is_not_written_to(bench: Bench) -> None:
    Path("out").mkdir()
    Path("out/thesis.tex").write_text("years of work")
    assert "out exists and is not a results folder; choose another --out" in bench.refuses()
    assert tree(Path("out")) == {"thesis.tex": b"years of work"}


def test_a_file_for_a_results_folder_is_left_alone(bench: Bench) -> None:
    Path("out").write_text("a file")
    assert "out exists and is not a results folder" in bench.refuses()
    assert "cannot use out/below: Not a directory" in bench.refuses("--out", "out/below")
    assert Path("out").read_text() == "a file"


def test_results_of_another_format_are_left_alone(bench: Bench) -> None:
    Path("out").mkdir()
    Path("out/store.json").write_text('{"format": 99}')
    assert "out was written in results format 99, this version reads formats 3 and 4" in bench.refuses()
    assert "results format 99" in bench.refusal(*bench("report", "out"))
    assert tree(Path("out")) == {"store.json": b'{"format": 99}'}


def test_a_folder_that_another_grid_is_measured_into_is_left_alone(bench: Bench) -> None:
    Store.create(Path("out"))
    grid = {"superglue/rte": "5 epochs of 32 rows"}
    with Presence(Path("out"), new_identity(), ["cpu"], grid):
        before = tree(Path("out"))
        assert "measures superglue/rte into out with 5 epochs of 32 rows, this one would with " in bench.refuses()
        assert tree(Path("out")) == before
    assert bench.run()[0] == 0


FULL = OSError(errno.ENOSPC, "No space left on device")


class SafetensorError(Exception):
    """As safetensors reports a full disk: no OSError, only words."""


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("bench.runner.save_file", SafetensorError("I/O error: No space left on device (os error 28)")),
        ("bench.runner.write_predictions", FULL),
        ("bench.store.store.write_text", FULL),
        ("bench.store.store.flush", OSError(errno.EDQUOT, "Disk quota exceeded")),
    ],
)
def test_a_full_disk_keeps_what_is_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    where = "in the quota on" if getattr(error, "errno", None) == errno.EDQUOT else "on"
    assert bench.run()[0] == 0
    before = tree(Path("out"))

    def full(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as disk:
        disk.setattr(place, full)
        said = bench.refuses("--seeds", "3")
    assert said == f"error: no space left {where} the disk of out; finished cells are kept: free space and run again"
    after = tree(Path("out"))
    assert {name: after[name] for name in before} == before
    assert [name for name in after if name.startswith((".partial", "failed"))] == []
    code, out, _ = bench.run("--seeds", "3")
    assert (code, "3 cells: 1 methods × 1 tasks × 1 models × 3 seeds; 2 to run" in out) == (0, True)


def test_bad_input_leaves_earlier_results_as_they_were(bench: Bench, superglue: Path) -> None:
    assert bench.run()[0] == 0
    before = tree(Path("out"))
    bench.refuses("--methods", "ptv3")
    (superglue / "CB/train.jsonl").write_text("{")
    bench.refuses("--tasks", "rte,cb")
    assert tree(Path("out")) == before
