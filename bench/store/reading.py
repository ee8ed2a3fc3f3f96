"""Records as they are read: what was written, of a format that is known, and what a record can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.files import json_of, read_bytes
from bench.store.foreign import check_record
from bench.store.formats import FORMAT, current_record
from bench.store.record import Record
from bench.store.seal import is_sealed, sealed

Parsed = TypeVar("Parsed", Cell, Record)
Broken = Callable[[UsageError], None]  # told of a file that cannot be read


def record_text(record: Record) -> str:
    """What record.json has, with its checksum; always of this version's format."""
    return sealed(record.model_copy(update={"format": FORMAT}).model_dump_json(indent=1))


def read_record(path: Path, cell_id: str) -> Record:
    """The record of that cell. UsageError where the file is not what was written, or is no record of the cell's, and
    OtherFormat where a version wrote it that is not known here.
    """
    content = read_bytes(path)
    raw = current_record(json_of(content, path, dict), is_sealed(content, path), path)
    record = parsed(Record, raw, path)
    check_record(record, raw, path)
    if record.id != cell_id:
        raise UsageError(f"{path} is the record of another cell, {record.id}")
    return record


def parsed(kind: type[Parsed], raw: object, path: Path) -> Parsed:
    """UsageError, which names the first field that does not fit."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise UsageError(
            f"{path} does not fit this version's schema ({where}: {problem['msg']}); use the version that wrote it"
        ) from None


@contextmanager
def leaving_out(broken: Broken | None) -> Iterator[None]:
    """Hand a UsageError to `broken` instead of raising it, if there is such a listener."""
    try:
        yield
    except UsageError as error:
        if broken is None:
            raise
        broken(error)
