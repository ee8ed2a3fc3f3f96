"""A folder of records: append-only, crash-safe, the only truth about what is done.

    NAME/store.json            the format's version
    NAME/plans/<hash>.json     every grid that was asked for, so that a report can tell what is missing
    NAME/suites/<name>.json    how the suites were declared (bench.store.declarations)
    NAME/cells/<id>/           a finished cell: record.json, predictions.parquet, tuned.safetensors
    NAME/examples/<key>.parquet  the texts that were scored, one file for all cells scored on the same rows
    NAME/failed/<id>.json      the last failure of a cell that is not finished; tried again next time
    NAME/workers/, claims/     who is at work, and on what (bench.store.workers, bench.store.claims)
    NAME/.partial/<worker>/    what a worker is writing; swept when it is gone

A cell's folder is written aside, flushed, and renamed, so a reader or a killed run never meets half of one. Many
processes write at once, on one machine or several: each has its own place aside, and a finished cell stays as it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.address import is_address
from bench.store.files import FORMAT, look_anew, mark, on_disk, parsed, read_json, read_record, record_text
from bench.store.record import Record
from bench.store.workers import new_identity
from bench.writing import flush, write_text

_OURS = re.compile(r"\.(lock|partial|store\.json\.[0-9a-f]+)$")
Broken = Callable[[UsageError], None]  # told of a file that cannot be read
Writer = Callable[[Path], None]  # writes one file of a cell's folder at the path it is given


class OtherFormat(UsageError):
    """A results folder that another version wrote."""


class Store:
    """One results folder, for readers and for many writers; `worker` names this one (bench.store.workers).

    `name` is what reports call it: its path, or its address on the hub.
    """

    def __init__(self, path: Path, worker: str | None = None, name: str = "") -> None:
        self.path, self.name = path, name or str(path)
        self.aside = path / ".partial" / (worker or new_identity().worker)
        self._finished: dict[str, Record] = {}  # those that were asked for by id; they never change

    @classmethod
    def open(cls, path: Path) -> Store:
        """An existing results folder; UsageError when it is none, or when another version wrote it."""
        mark = path / "store.json"
        if not mark.is_file():
            raise UsageError(f"{path} is not a results folder (no store.json in it); `bench run --out` makes one")
        try:
            written = json.loads(mark.read_text(encoding="utf-8")).get("format")
        except (OSError, ValueError, AttributeError) as error:
            raise UsageError(f"{mark} is not readable as JSON ({error}); restore it or choose another --out") from None
        if written != FORMAT:
            raise OtherFormat(
                f"{path} was written in results format {written}, this version reads format {FORMAT}; "
                "choose another --out, or use the version that wrote it"
            )
        return cls(path)

    @classmethod
    def create(cls, path: Path) -> Store:
        """The results folder at `path`, made if it is not there; a folder with other things in it is refused."""
        store = cls.find(path)
        if store is None:
            with on_disk(path):
                path.mkdir(parents=True, exist_ok=True)
                write_text(path / "store.json", json.dumps({"format": FORMAT}) + "\n")
        return store or cls(path)

    @classmethod
    def find(cls, path: Path) -> Store | None:
        """The results folder at `path`, or None when one can be made there; makes nothing itself."""
        if is_address(path):
            raise UsageError(f"--out {path} is no folder; `bench push` sends results to the hub")
        with on_disk(path):
            if (path / "store.json").exists():
                return cls.open(path)
            # what a run killed in its first moments leaves is hidden (.lock, .store.json.PID) and not in the way
            if path.exists() and not (path.is_dir() and all(_OURS.match(entry.name) for entry in path.iterdir())):
                raise UsageError(f"{path} exists and is not a results folder; choose another --out")
        return None

    def done(self, known: Collection[str] = ()) -> set[str]:
        """Ids of the finished cells. Those that are `known` to be finished are not looked at, where they are there."""
        cells = self.path / "cells"
        names = os.listdir(cells) if cells.is_dir() else []
        return {name for name in names if name in known or (cells / name / "record.json").exists()}

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of `cells` that have no finished record here, in their order."""
        done = self.done()
        return [cell for cell in cells if cell.id not in done]

    def cell_folder(self, cell_id: str) -> Path:
        return self.path / "cells" / cell_id

    def write(self, record: Record, files: Mapping[str, Writer] | None = None) -> None:
        """Add a finished cell with its files, or note a failure; a full disk is a UsageError and leaves no trace.

        What writing the files took is added to the record before it is written itself. A cell that another writer has
        finished meanwhile stays as it is.
        """
        failure = self.path / "failed" / f"{record.id}.json"
        with self._writing():
            if record.status != "done":
                write_text(failure, record_text(record), self.aside)
                return
            aside = self.aside / record.id
            try:
                aside.mkdir()
                begun = time.perf_counter()
                for name, writer in (files or {}).items():
                    writer(aside / name)
                    flush(aside / name)
                if files:
                    record.costs.add_storing(time.perf_counter() - begun)
                write_text(aside / "record.json", record_text(record))
                self._place(aside, self.cell_folder(record.id))
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            failure.unlink(missing_ok=True)

    def _place(self, aside: Path, target: Path) -> None:
        """Put a finished cell's folder in its place, unless a finished one stands there."""
        target.parent.mkdir(exist_ok=True)
        if target.exists() and not (target / "record.json").exists():  # somebody removed it, so that it runs again
            shutil.rmtree(target, ignore_errors=True)
        try:
            aside.rename(target)
        except OSError:  # the system refuses to put one folder that has files over another
            if not (target / "record.json").exists():
                raise
        flush(target.parent)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Within the block this writer's place aside is there; a full disk is a DiskError."""
        with on_disk(self.path):
            self.aside.mkdir(parents=True, exist_ok=True)
            try:
                yield
            finally:
                with suppress(OSError):  # what is still in it somebody will sweep
                    self.aside.rmdir()

    def examples_file(self, key: str) -> Path:
        """Where the scored examples of that key lie, if they are kept (see bench.store.examples)."""
        return self.path / "examples" / f"{key}.parquet"

    def write_examples(self, key: str, writer: Writer) -> None:
        """Keep scored examples, unless that key has its file already; whole or not at all, as everything here."""
        target = self.examples_file(key)
        if target.exists():
            return
        with self._writing():
            aside = self.aside / target.name
            try:
                writer(aside)
                flush(aside)
                target.parent.mkdir(exist_ok=True)
                aside.rename(target)
                flush(target.parent)
            finally:
                aside.unlink(missing_ok=True)

    def write_plan(self, cells: Iterable[Cell]) -> None:
        """Note a grid that was asked for; the same grid twice is one file."""
        text = json.dumps([cell.model_dump(mode="json") for cell in cells], indent=1)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        with self._writing():
            write_text(self.path / "plans" / f"{name}.json", text, self.aside)

    def planned(self, broken: Broken | None = None) -> list[Cell]:
        """Every cell of every grid that was asked for, each once in each suite; of several choices the latest.

        A file that cannot be read is a UsageError; with `broken` it is left out, and `broken` gets the error.
        """
        cells: dict[Hashable, Cell] = {}
        for path in sorted(self.path.glob("plans/*.json"), key=lambda path: path.stat().st_mtime_ns):
            with _leaving_out(broken):
                for raw in read_json(path, list):
                    cell = parsed(Cell, raw, path)
                    cells[cell.choice if cell.tried else (cell.id, cell.suite)] = cell
        return list(cells.values())

    def plan_marks(self) -> list[tuple[str, int]]:
        """What changes when `planned` does."""
        return sorted((path.name, path.stat().st_mtime_ns) for path in self.path.glob("plans/*.json"))

    def records(self, broken: Broken | None = None) -> list[Record]:
        """Every record: finished cells, and the last failure of those that are not finished; `broken` as `planned`."""
        records = []
        for cell_id, path in self._record_files().items():
            with _leaving_out(broken):
                record = _read_if_there(path)
                if record is not None and record.id != cell_id:
                    raise UsageError(f"{path} is the record of another cell, {record.id}")
                records += [record] if record else []
        return records

    def half_written(self) -> list[Path]:
        """Cells' folders without a record: whatever took it away, the cell counts as missing."""
        return [path for path in sorted(self.path.glob("cells/*")) if not (path / "record.json").exists()]

    def records_of(self, ids: Iterable[str]) -> dict[str, Record]:
        """The records of these cells, by id, as far as there are any."""
        records = {}
        for cell_id in ids:
            if cell_id in self._finished:
                records[cell_id] = self._finished[cell_id]
                continue
            failed = self.path / "failed" / f"{cell_id}.json"
            if self.is_done(cell_id):
                self._finished[cell_id] = records[cell_id] = read_record(self.cell_folder(cell_id) / "record.json")
            elif failed.exists() and (record := _read_if_there(failed)):
                records[cell_id] = record
        return records

    def is_done(self, cell_id: str) -> bool:
        """Whether a cell is finished."""
        look_anew(self.path / "cells")
        return (self.cell_folder(cell_id) / "record.json").exists()

    def failures(self) -> dict[str, str]:
        """By cell a mark of its last failure, which another failure changes."""
        marks = {path.stem: mark(path) for path in self.path.glob("failed/*.json")}
        return {cell_id: its_mark for cell_id, its_mark in marks.items() if its_mark is not None}

    def failure(self, cell_id: str) -> str | None:
        """The mark of a cell's last failure; None where there is none."""
        look_anew(self.path / "failed")
        return mark(self.path / "failed" / f"{cell_id}.json")

    def record(self, cell_id: str) -> Record:
        """The record whose id starts with `cell_id`; UsageError when none or several do."""
        names = self.ids(cell_id)
        if not names:
            raise UsageError(f"no cell in {self.path} has an id starting with {cell_id!r}; bench run --plan lists them")
        if len(names) > 1:
            shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            raise UsageError(f"{len(names)} cells in {self.path} have an id starting with {cell_id!r}: {shown}")
        return read_record(self._record_files()[names[0]])

    def ids(self, start: str = "") -> list[str]:
        """The ids of all records, of cells that finished and of those that failed, that begin so; in their order."""
        return sorted(name for name in self._record_files() if name.startswith(start))

    def _record_files(self) -> dict[str, Path]:
        """record.json of every finished cell, and the failure of every other, by id."""
        # failures first: what a writer finishes between the two looks is found in one of them
        failed = {path.stem: path for path in sorted(self.path.glob("failed/*.json"))}
        done = {path.parent.name: path for path in sorted(self.path.glob("cells/*/record.json"))}
        return done | {name: path for name, path in failed.items() if name not in done}


def _read_if_there(path: Path) -> Record | None:
    """A record; None where a writer has taken the failure away meanwhile."""
    try:
        return read_record(path)
    except UsageError:
        if path.exists():
            raise
        return None


@contextmanager
def _leaving_out(broken: Broken | None) -> Iterator[None]:
    """Hand a UsageError to `broken` instead of raising it, if there is such a listener."""
    try:
        yield
    except UsageError as error:
        if broken is None:
            raise
        broken(error)
