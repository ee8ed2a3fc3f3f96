"""After a power cut at any moment a results folder reads as whole, and has what was said to be written."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.store.declarations import keep_suite, kept_suites
from bench.store.examples import all_spoiled_examples
from bench.store.store import Store
from bench.task import Suite
from tests.store.disk import Disk, laid_out, recorded
from tests.store.test_store import make_cell, make_record

KEY = "0123456789abcdef"
SUITE = Suite(name="mine", tasks=())
FILES = {
    "predictions.parquet": lambda path: path.write_bytes(b"rows" * 50) and None,
    "tuned.safetensors": lambda path: path.write_bytes(b"tensors" * 50) and None,
}
CUTS = 4  # of each moment, beside the one that keeps no change that is not confirmed, and the one that keeps all


@dataclass
class Moment:
    """What the writer had been told is written when the power went, and what is left."""

    cells: dict[str, dict[str, bytes]]
    plans: int
    has_suite: bool
    has_texts: bool
    left: dict[str, bytes | None]


@dataclass
class Told:
    """What the writer is told, and every moment at which the power may go."""

    cells: dict[str, dict[str, bytes]] = field(default_factory=dict)
    plans: int = 0
    has_suite: bool = False
    has_texts: bool = False
    moments: list[Moment] = field(default_factory=list)

    def cut(self, disk: Disk) -> None:
        rng = random.Random(len(self.moments))
        for keep in (0.0, 1.0, *[None] * CUTS):
            self.moments.append(
                Moment(dict(self.cells), self.plans, self.has_suite, self.has_texts, disk.after_a_cut(rng, keep))
            )


def check(moment: Moment, scratch: Path) -> bool:
    """Whether something was left aside, of a folder that is whole and has what was said to be written."""
    folder = laid_out(moment.left, scratch / "left") / "results"
    if not (folder / "store.json").exists():
        assert not moment.plans
        return False
    store = Store.open(folder)
    store.verify()
    assert store.broken() == {}
    broken: list[str] = []
    store.records(lambda error: broken.append(str(error)))
    assert [line for line in broken if "/cells/" in line] == []  # a failure may be lost, and is tried again
    done = store.done()
    assert done >= moment.cells.keys()
    for cell_id in done:
        found = {path.name: path.read_bytes() for path in store.cell_folder(cell_id).iterdir()}
        assert found.keys() == {*FILES, "record.json"}
        assert found == moment.cells.get(cell_id, found)
    assert len(store.planned()) >= moment.plans
    assert kept_suites(folder) in [({SUITE.name: SUITE}, []), ({}, [])][: 2 - moment.has_suite]
    assert all_spoiled_examples(folder) == []
    assert store.examples_file(KEY) is not None or not moment.has_texts
    assert store.half_written() == []
    return any(folder.glob(".partial/*/*"))


def check_all(told: Told, scratch: Path) -> int:
    """At how many moments something was left aside."""
    left_aside = 0
    for moment in told.moments:
        left_aside += check(moment, scratch)
        shutil.rmtree(scratch / "left")
    return left_aside


def write(folder: Path, told: Told) -> None:
    """What a run does: a plan, texts, two cells, one of which fails at first."""
    store = Store.create(folder)
    keep_suite(folder, SUITE)
    told.has_suite = True
    store.write_plan([make_cell(0), make_cell(1)])
    told.plans = 2
    store.write_examples(KEY, lambda path: path.write_bytes(b"texts" * 50) and None)
    told.has_texts = True
    store.write(make_record(make_cell(1), status="failed", reason="once", scores={}))
    for seed in (0, 1):
        record = make_record(make_cell(seed))
        store.write(record, FILES)
        told.cells[record.id] = {path.name: path.read_bytes() for path in store.cell_folder(record.id).iterdir()}
    store.write_plan([make_cell(2)])
    told.plans = 3


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    (tmp_path / "disk").mkdir()
    told = Told()
    with recorded(tmp_path / "disk", monkeypatch, told.cut) as disk:
        write(tmp_path / "disk" / "results", told)
        told.cut(disk)
    return told


def test_any_moment_leaves_a_folder_that_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = written(tmp_path, monkeypatch)
    assert len(told.moments) > 250
    assert check_all(told, tmp_path) > 10


def without(name: str) -> Callable[[Path], None]:
    """A flush that leaves out what has that name or ending."""
    from bench.writing import flush

    return lambda path: None if path.name.endswith(name) else flush(path)


@pytest.mark.parametrize(
    ("place", "left_out"),
    [
        ("bench.writing.flush", "results"),  # the folder's own new names: cells/, plans/
        ("bench.writing.flush", "plans"),
        ("bench.writing.flush", "suites"),
        ("bench.writing.flush", f"{make_cell(0).id}"),  # names in a cell's folder
        ("bench.store.store.flush", "cells"),
        ("bench.store.store.flush", "predictions.parquet"),
        ("bench.store.store.flush", "examples"),
    ],
)
def test_each_flush_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, left_out: str) -> None:
    monkeypatch.setattr(place, without(left_out))
    told = written(tmp_path, monkeypatch)
    with pytest.raises((AssertionError, UsageError)):
        check_all(told, tmp_path)
