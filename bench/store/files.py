"""Files of a results folder: read with the reason why one cannot be, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from bench.cell import Cell
from bench.errors import DiskError, UsageError
from bench.store.record import Record

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


def write_text(path: Path, text: str, aside: Path | None = None, durable: bool = True) -> None:
    """Write a whole file or none: aside, flushed, renamed over the old one. What is not `durable` a power cut may take.

    `aside` is a folder of this writer's own on the same disk; by default it is written beside its place, under a name
    that no other writer has on whatever machine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = (aside or path.parent) / f".{path.name}.{secrets.token_hex(8)}"
    try:
        aside.write_text(text, encoding="utf-8")
        if durable:
            flush(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn a disk that is full, missing or closed to us into a DiskError."""
    try:
        yield
    except UsageError:
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


def check_writable(path: Path) -> None:
    """DiskError where a folder that is there, or the one that it is to be made in, is closed to us; nothing is made."""
    with on_disk(path):
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        if os.statvfs(there).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(there, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
