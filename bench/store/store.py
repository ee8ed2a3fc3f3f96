"""A folder of records: append-only, crash-safe, the only truth about what is done.

    NAME/store.json            the format's version
    NAME/plans/<hash>.json     every grid that was asked for, so that a report can tell what is missing
    NAME/suites/<name>.json    how the suites were declared (bench.store.declarations)
    NAME/cells/<id>/           a finished cell: record.json, predictions.parquet, tuned.safetensors
    NAME/examples/             the texts that were scored, one file for all cells scored on the same rows
    NAME/failed/<id>.json      the last failure of a cell that is not finished; tried again next time
    NAME/broken/               finished cells that were not what was written any more (bench.store.healing)
    NAME/workers/, claims/     who is at work, and on what (bench.store.workers, bench.store.claims)
    NAME/.partial/<worker>/    what a worker is writing; swept when it is gone

A cell's folder is written aside, flushed, and renamed, so that nobody meets half of one, be it after a kill or a power
cut. Many processes write at once, on one machine or several: each has its own place aside, and a finished cell stays as
it is. What is read is held against its checksum (bench.store.reading, bench.store.checksums).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.archive import no_folder
from bench.store.aside import place_of, write_in
from bench.store.checksums import RECORD, digest
from bench.store.examples import kept_examples, named_examples
from bench.store.files import look_anew, on_disk
from bench.store.formats import MARK, format_of, mark_text, raise_mark
from bench.store.plans import keep_plan, plan_files, planned_cells, written
from bench.store.reading import Broken, KnownCells, leaving_out, read_record, record_text
from bench.store.record import Record
from bench.store.whole import BrokenCells
from bench.writing import flush, make_folder, mark, write_text

_OURS = re.compile(r"\.(lock|partial|store\.json\.[0-9a-f]+)$")
Writer = Callable[[Path], None]  # writes one file of a cell's folder at the path it is given


class Store:
    """One results folder, for readers and for many writers; `worker` names this one (bench.store.workers).

    `name` is what reports call it: its path, or its address on the hub.
    """

    def __init__(self, path: Path, worker: str | None = None, name: str = "") -> None:
        self.path, self.name = path, name or str(path)
        self.aside = place_of(path, worker)
        self._finished: dict[str, Record] = {}  # those that were asked for by id; they never change
        self._broken = BrokenCells(())  # see `verify`
        self._known = KnownCells()
        self._with_examples: set[str] = set()  # keys

    @classmethod
    def open(cls, path: Path) -> Store:
        """An existing results folder; UsageError when it is none, OtherFormat when this version cannot read it."""
        if kind := no_folder(path):
            raise UsageError(f"{path} is {kind}; `bench report` and `bench.load` read it, here it must be a folder")
        if not (path / MARK).is_file():
            raise UsageError(f"{path} is not a results folder (no {MARK} in it); `bench run --out` makes one")
        format_of(path)
        return cls(path)

    @classmethod
    def create(cls, path: Path) -> Store:
        """The results folder at `path`, made if it is not there; a folder with other things in it is refused."""
        store = cls.find(path)
        if store is None:
            with on_disk(path):
                write_in(place_of(path), partial(write_text, path / MARK, mark_text()))
        return store or cls(path)

    @classmethod
    def find(cls, path: Path) -> Store | None:
        """The results folder at `path`, or None when one can be made there; makes nothing itself."""
        if kind := no_folder(path):
            raise UsageError(f"--out {path} is {kind}; name a folder, and `bench push` sends its results there")
        with on_disk(path):
            if (path / MARK).exists():
                return cls.open(path)
            # what a run killed in its first moments leaves is hidden (.lock, .store.json.PID) and not in the way
            if path.exists() and not (path.is_dir() and all(_OURS.match(entry.name) for entry in path.iterdir())):
                raise UsageError(f"{path} exists and is not a results folder; choose another --out")
        return None

    def done(self, known: Collection[str] = ()) -> set[str]:
        """Ids of the finished cells. Those that are `known` to be finished are not looked at, where they are there."""
        cells = self.path / "cells"
        names = os.listdir(cells) if cells.is_dir() else []
        return {name for name in names if name in known or self._stands(name)}

    def _stands(self, cell_id: str) -> bool:
        """Whether there is a record, and it is none that `verify` has found to be broken."""
        # a path of texts: of ten thousand cells, paths as objects take longer than the disk
        is_there = os.path.exists(f"{self.path}/cells/{cell_id}/{RECORD}")
        return is_there and not (self._broken and self._broken.holds(self.cell_folder(cell_id)))

    def verify(self) -> None:
        """Read every finished cell to the last byte: those that are not what was written count as missing from now on.

        What is there afterwards in the place of one of them is trusted.
        """
        self._broken = BrokenCells(self.cell_folder(cell_id) for cell_id in sorted(self.done()))

    def broken(self) -> dict[str, UsageError]:
        """What `verify` has found, by id, as far as it is still there."""
        return {folder.name: wrong for folder, wrong in self._broken.standing().items()}

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
        self._write_aside(partial(self._write, record, files or {}))

    def _write(self, record: Record, files: Mapping[str, Writer], place: Path) -> None:
        raise_mark(self.path, place)
        failure = self.path / "failed" / f"{record.id}.json"
        if record.status != "done":  # which a power cut may take: it is tried again anyway
            write_text(failure, record_text(record), place, durable=False)
            return
        aside = place / record.id
        try:
            aside.mkdir()
            begun = time.perf_counter()
            for name, writer in files.items():
                writer(aside / name)
                flush(aside / name)
                record.files[name] = digest(aside / name)
            if files:
                record.costs.add_storing(time.perf_counter() - begun)
            write_text(aside / RECORD, record_text(record))
            self._place(aside, self.cell_folder(record.id))
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        failure.unlink(missing_ok=True)

    def _place(self, aside: Path, target: Path) -> None:
        """Put a finished cell's folder in its place, unless a finished one stands there."""
        make_folder(target.parent)
        if target.exists() and not (target / RECORD).exists():  # somebody removed it, so that it runs again
            self._clear(target)
        try:
            aside.rename(target)
        except OSError:  # the system refuses to put one folder that has files over another
            if not (target / RECORD).exists():
                raise
        flush(target.parent)

    def _clear(self, target: Path) -> None:
        """Remove a folder without a record. In the very moment another writer may have put a finished one there: what
        is moved away is looked at before it is removed.
        """
        moved = self.aside / f".{target.name}.{secrets.token_hex(4)}"
        with suppress(FileNotFoundError):
            target.rename(moved)
        if (moved / RECORD).exists():
            with suppress(OSError):  # a third writer's stands there by now
                moved.rename(target)
        shutil.rmtree(moved, ignore_errors=True)

    def _write_aside(self, write: Callable[[Path], None]) -> None:
        """Have something written in this writer's place aside; a full disk is a DiskError."""
        with on_disk(self.path):
            write_in(self.aside, write)

    def examples_file(self, key: str) -> Path | None:
        """Where the scored examples of that key lie, if they are kept (see bench.store.examples)."""
        return kept_examples(self.path, key)

    def write_examples(self, key: str, writer: Writer) -> None:
        """Keep scored examples, unless that key has its file already; whole or not at all, as everything here."""
        if key in self._with_examples or self.examples_file(key) is not None:
            self._with_examples.add(key)
            return
        self._write_aside(partial(self._write_examples, key, writer))

    def _write_examples(self, key: str, writer: Writer, place: Path) -> None:
        raise_mark(self.path, place)
        aside = place / f"{key}.parquet"
        try:
            writer(aside)
            flush(aside)
            target = self.path / "examples" / named_examples(aside, key)
            make_folder(target.parent)
            aside.rename(target)
            flush(target.parent)
        finally:
            aside.unlink(missing_ok=True)

    def write_plan(self, cells: Iterable[Cell]) -> None:
        """Note a grid that was asked for, as `bench.store.plans.keep_plan` does."""
        self._write_aside(partial(keep_plan, self.path, list(cells)))

    def planned(self, broken: Broken | None = None) -> list[Cell]:
        """Every cell of every grid that was asked for, as `bench.store.plans.planned_cells` has them."""
        return planned_cells(self.path, broken, self._known)

    def plan_marks(self) -> list[tuple[str, int]]:
        """What changes when `planned` does."""
        return sorted((path.name, written(path)) for path in plan_files(self.path))

    def records(self, broken: Broken | None = None) -> list[Record]:
        """Every record: finished cells, and the last failure of those that are not finished; `broken` as `planned`."""
        records = []
        for cell_id, path in self._record_files().items():
            with leaving_out(broken):
                record = _read_if_there(path, cell_id, self._known)
                records += [record] if record else []
        return records

    def half_written(self) -> list[Path]:
        """Cells' folders without a record: whatever took it away, the cell counts as missing."""
        return [path for path in sorted(self.path.glob("cells/*")) if not (path / RECORD).exists()]

    def records_of(self, ids: Iterable[str], broken: Broken | None = None) -> dict[str, Record]:
        """The records of these cells, by id, as far as there are any. One that cannot be read is a UsageError; with
        `broken` it is left out, and `broken` gets the error. A failure that cannot be read counts as none in any case.
        """
        records = {}
        for cell_id in ids:
            if cell_id in self._finished:
                records[cell_id] = self._finished[cell_id]
                continue
            failed = self.path / "failed" / f"{cell_id}.json"
            if self.is_done(cell_id):
                with leaving_out(broken):
                    records[cell_id] = read_record(self.cell_folder(cell_id) / RECORD, cell_id)
                    self._finished[cell_id] = records[cell_id]
            elif failed.exists():
                with leaving_out(broken or (lambda _: None)):
                    record = _read_if_there(failed, cell_id)
                    records |= {cell_id: record} if record else {}
        return records

    def is_done(self, cell_id: str) -> bool:
        """Whether a cell is finished."""
        look_anew(self.path / "cells")
        return self._stands(cell_id)

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
            raise UsageError(f"no cell in {self.name} has an id starting with {cell_id!r}; bench run --plan lists them")
        if len(names) > 1:
            shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
            raise UsageError(f"{len(names)} cells in {self.path} have an id starting with {cell_id!r}: {shown}")
        return read_record(self._record_files()[names[0]], names[0])

    def ids(self, start: str = "") -> list[str]:
        """The ids of all records, of cells that finished and of those that failed, that begin so; in their order."""
        return sorted(name for name in self._record_files() if name.startswith(start))

    def _record_files(self) -> dict[str, Path]:
        """record.json of every finished cell, and the failure of every other, by id."""
        # failures first: what a writer finishes between the two looks is found in one of them
        failed = {path.stem: path for path in sorted(self.path.glob("failed/*.json"))}
        done = {path.parent.name: path for path in sorted(self.path.glob("cells/*/record.json"))}
        return done | {name: path for name, path in failed.items() if name not in done}


def _read_if_there(path: Path, cell_id: str, known: KnownCells | None = None) -> Record | None:
    """A record; None where a writer has taken the failure away meanwhile."""
    try:
        return read_record(path, cell_id, known)
    except UsageError:
        if path.exists():
            raise
        return None
