"""A folder of records: append-only, crash-safe, the only truth about what is done.

    NAME/store.json            the format's version
    NAME/plans/<hash>.json     every grid that was asked for, so that a report can tell what is missing
    NAME/cells/<id>/           a finished cell: record.json, predictions.parquet, tuned.safetensors
    NAME/examples/<key>.parquet  the texts that were scored, one file for all cells scored on the same rows
    NAME/failed/<id>.json      the last failure of a cell that is not finished; tried again next time
    NAME/.partial/             what is being written; swept at the next start

A cell's folder is written aside, flushed, and renamed, so a reader or a killed run never meets half of one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench.cell import Cell
from bench.errors import DiskError, UsageError
from bench.store.record import Record

FORMAT = 3
_OURS = re.compile(r"\.(lock|partial|store\.json\.\d+)$")
Parsed = TypeVar("Parsed", Cell, Record)
Tree = TypeVar("Tree", list[Any], dict[str, Any])
Broken = Callable[[UsageError], None]  # told of a file that cannot be read
Writer = Callable[[Path], None]  # writes one file of a cell's folder at the path it is given


class OtherFormat(UsageError):
    """A results folder that another version wrote."""


class Store:
    """One results folder. Reading needs no lock; writing goes through `writing()`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Store:
        """An existing results folder; UsageError when it is none, or when another version wrote it."""
        mark = path / "store.json"
        if not mark.is_file():
            raise UsageError(f"{path} is not a results folder (no store.json in it); `bench run --out` makes one")
        try:
            found = json.loads(mark.read_text(encoding="utf-8")).get("format")
        except (OSError, ValueError, AttributeError) as error:
            raise UsageError(f"{mark} is not readable as JSON ({error}); restore it or choose another --out") from None
        if found != FORMAT:
            raise OtherFormat(
                f"{path} was written in results format {found}, this version reads format {FORMAT}; "
                "choose another --out, or use the version that wrote it"
            )
        return cls(path)

    @classmethod
    def create(cls, path: Path) -> Store:
        """The results folder at `path`, made if it is not there; a folder with other things in it is refused."""
        found = cls.find(path)
        if found is None:
            with _disk(path):
                path.mkdir(parents=True, exist_ok=True)
                _write_text(path / "store.json", json.dumps({"format": FORMAT}) + "\n")
        return found or cls(path)

    @classmethod
    def find(cls, path: Path) -> Store | None:
        """The results folder at `path`, or None when one can be made there; makes nothing itself."""
        with _disk(path):
            if (path / "store.json").exists():
                return cls.open(path)
            # what a run killed in its first moments leaves is hidden (.lock, .store.json.PID) and not in the way
            if path.exists() and not (path.is_dir() and all(_OURS.match(entry.name) for entry in path.iterdir())):
                raise UsageError(f"{path} exists and is not a results folder; choose another --out")
        return None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for one writer, and sweep what a killed one left."""
        lock = FileLock(self.path / ".lock")
        try:
            with _disk(self.path):
                lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(f"another bench run writes to {self.path}; wait for it or choose another --out") from None
        try:
            shutil.rmtree(self.path / ".partial", ignore_errors=True)
            for folder in (self.path, self.path / "plans", self.path / "failed"):
                for left in folder.glob(".*.json.*"):
                    left.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def done(self) -> set[str]:
        """Ids of the finished cells."""
        return {path.parent.name for path in self.path.glob("cells/*/record.json")}

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of `cells` that have no finished record here, in their order."""
        done = self.done()
        return [cell for cell in cells if cell.id not in done]

    def cell_folder(self, cell_id: str) -> Path:
        return self.path / "cells" / cell_id

    def write(self, record: Record, files: dict[str, Writer] | None = None) -> None:
        """Add a finished cell with its files, or note a failure; a full disk is a UsageError and leaves no trace."""
        with _disk(self.path):
            if record.status != "done":
                _write_text(self.path / "failed" / f"{record.id}.json", _dump(record))
                return
            aside = self.path / ".partial" / record.id
            try:
                aside.mkdir(parents=True)
                for name, writer in (files or {}).items():
                    writer(aside / name)
                    _flush(aside / name)
                _write_text(aside / "record.json", _dump(record))
                target = self.cell_folder(record.id)
                target.parent.mkdir(exist_ok=True)
                if target.exists():  # somebody removed its record.json, so that it runs again
                    shutil.rmtree(target)
                aside.rename(target)
                _flush(target.parent)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            (self.path / "failed" / f"{record.id}.json").unlink(missing_ok=True)

    def examples_file(self, key: str) -> Path:
        """Where the scored examples of that key lie, if they are kept (see bench.store.examples)."""
        return self.path / "examples" / f"{key}.parquet"

    def write_examples(self, key: str, writer: Writer) -> None:
        """Keep scored examples, unless that key has its file already; whole or not at all, as everything here."""
        target = self.examples_file(key)
        if target.exists():
            return
        with _disk(self.path):
            aside = self.path / ".partial" / target.name
            try:
                aside.parent.mkdir(exist_ok=True)
                writer(aside)
                _flush(aside)
                target.parent.mkdir(exist_ok=True)
                aside.rename(target)
                _flush(target.parent)
            finally:
                aside.unlink(missing_ok=True)

    def write_plan(self, cells: Iterable[Cell]) -> None:
        """Note a grid that was asked for; the same grid twice is one file."""
        text = json.dumps([cell.model_dump(mode="json") for cell in cells], indent=1)
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        with _disk(self.path):
            _write_text(self.path / "plans" / f"{name}.json", text)

    def planned(self, broken: Broken | None = None) -> list[Cell]:
        """Every cell of every grid that was asked for, each once in each suite; of several choices the latest.

        A file that cannot be read is a UsageError; with `broken` it is left out, and `broken` gets the error.
        """
        cells: dict[Hashable, Cell] = {}
        for path in sorted(self.path.glob("plans/*.json"), key=lambda path: path.stat().st_mtime_ns):
            with _leaving_out(broken):
                for raw in _json(path, list):
                    cell = _parse(Cell, raw, path)
                    cells[cell.choice if cell.tried else (cell.id, cell.suite)] = cell
        return list(cells.values())

    def records(self, broken: Broken | None = None) -> list[Record]:
        """Every record: finished cells, and the last failure of those that are not finished; `broken` as `planned`."""
        found = []
        for path in self._record_files().values():
            with _leaving_out(broken):
                found.append(_read_record(path))
        return found

    def half_written(self) -> list[Path]:
        """Cells' folders without a record: whatever took it away, the cell counts as missing."""
        return [path for path in sorted(self.path.glob("cells/*")) if not (path / "record.json").exists()]

    def records_of(self, ids: Iterable[str]) -> dict[str, Record]:
        """The records of these cells, by id, as far as there are any."""
        found = {}
        for cell_id in ids:
            paths = (self.cell_folder(cell_id) / "record.json", self.path / "failed" / f"{cell_id}.json")
            path = next((path for path in paths if path.exists()), None)
            if path is not None:
                found[cell_id] = _read_record(path)
        return found

    def record(self, cell_id: str) -> Record:
        """The record whose id starts with `cell_id`; UsageError when none or several do."""
        found = {name: path for name, path in self._record_files().items() if name.startswith(cell_id)}
        if not found:
            raise UsageError(f"no cell in {self.path} has an id starting with {cell_id!r}; bench run --plan lists them")
        if len(found) > 1:
            some = ", ".join(sorted(found)[:5]) + (", …" if len(found) > 5 else "")
            raise UsageError(f"{len(found)} cells in {self.path} have an id starting with {cell_id!r}: {some}")
        (path,) = found.values()
        return _read_record(path)

    def _record_files(self) -> dict[str, Path]:
        """record.json of every finished cell, and the failure of every other, by id."""
        done = {path.parent.name: path for path in sorted(self.path.glob("cells/*/record.json"))}
        failed = {path.stem: path for path in sorted(self.path.glob("failed/*.json"))}
        return done | {name: path for name, path in failed.items() if name not in done}


@contextmanager
def _leaving_out(broken: Broken | None) -> Iterator[None]:
    """Hand a UsageError to `broken` instead of raising it, if there is such a listener."""
    try:
        yield
    except UsageError as error:
        if broken is None:
            raise
        broken(error)


def _json(path: Path, kind: type[Tree]) -> Tree:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, kind):
            raise ValueError(f"it is no JSON {kind.__name__}")
        return found
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not readable as JSON ({error}); remove it and run the grid again") from None


def _read_record(path: Path) -> Record:
    raw = _json(path, dict)
    if raw.get("format", FORMAT) != FORMAT:
        raise UsageError(
            f"{path} is of results format {raw['format']}, this version reads format {FORMAT}; "
            "use the version that wrote it"
        )
    return _parse(Record, raw, path)


def _parse(kind: type[Parsed], raw: object, path: Path) -> Parsed:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UsageError(
            f"{path} does not fit this version's schema ({where}: {problem['msg']}); use the version that wrote it"
        ) from None


def _dump(record: Record) -> str:
    return record.model_dump_json(indent=1) + "\n"


def _write_text(path: Path, text: str) -> None:
    """Write a whole file or none: aside, flushed, renamed over the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        _flush(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turn a disk that is full, missing or closed to us into a DiskError."""
    try:
        yield
    except (UsageError, Timeout):
        raise
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left" in str(error):  # safetensors has an error of its own, which says so in words
            raise DiskError(
                f"no space left on the disk of {path}; finished cells are kept: free space and run again"
            ) from error
        if isinstance(error, OSError):
            raise DiskError(f"cannot use {path}: {error.strerror or error}; choose another --out") from error
        raise
