"""Files of a results folder: read with the reason why one cannot be, and what its disk refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from bench.cell import Cell
from bench.errors import DiskError, UsageError
from bench.store.record import Record
from bench.writing import NO_SPACE, why_refused

FORMAT = 3
Parsed = TypeVar("Parsed", Cell, Record)
Tree = TypeVar("Tree", list[Any], dict[str, Any])


def read_json(path: Path, kind: type[Tree]) -> Tree:
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(tree, kind):
            raise ValueError(f"it is no JSON {kind.__name__}")
        return tree
    except (OSError, ValueError, RecursionError) as error:  # the last: brackets in brackets, a thousand deep
        raise UsageError(f"{path} is not readable as JSON ({error}); remove it and run the grid again") from None


def read_record(path: Path) -> Record:
    raw = read_json(path, dict)
    if raw.get("format", FORMAT) != FORMAT:
        raise UsageError(
            f"{path} is of results format {raw['format']}, this version reads format {FORMAT}; "
            "use the version that wrote it"
        )
    return parsed(Record, raw, path)


def parsed(kind: type[Parsed], raw: object, path: Path) -> Parsed:
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UsageError(
            f"{path} does not fit this version's schema ({where}: {problem['msg']}); use the version that wrote it"
        ) from None


def record_text(record: Record) -> str:
    return record.model_dump_json(indent=1) + "\n"


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn a disk that is full, missing or closed to us into a DiskError."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        why = why_refused(error)
        if why is None:
            raise
        if why.startswith(NO_SPACE):
            raise DiskError(f"{why} of {path}; finished cells are kept: free space and run again") from error
        raise DiskError(f"cannot use {path}: {why}; choose another --out") from error


def mark(path: Path) -> str | None:
    """What changes when a file does; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"


def look_anew(folder: Path) -> None:
    """Open a folder: a network file system then asks what is in it, where it would else go on for a minute to say that
    what another machine has put there is not.
    """
    with suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY))
