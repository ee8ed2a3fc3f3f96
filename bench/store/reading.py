"""Records as they are read: what was written, of a format that is known, and what a record can be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.files import json_of, read_bytes
from bench.store.foreign import check_cell, check_record
from bench.store.formats import FORMAT, current_record
from bench.store.record import Record
from bench.store.seal import is_sealed, sealed

Parsed = TypeVar("Parsed", Cell, Record)
Broken = Callable[[UsageError], None]  # told of a file that cannot be read


class KnownCells:
    """Cells that have been read and looked at, by what was written of them: it stands in each plan that has them, and
    in their records.
    """

    def __init__(self) -> None:
        self._by_text: dict[bytes, Cell] = {}

    def find(self, raw: object) -> Cell | None:
        return self._by_text.get(self._key(raw))

    def read(self, raw: Any, path: Path) -> Cell:
        """A plan's cell. UsageError where it is none that can be measured."""
        cell = self.find(raw)
        if cell is None:
            cell = parsed(Cell, raw, path)
            check_cell(cell, raw, path)
            self._by_text[self._key(raw)] = cell
        return cell

    def _key(self, raw: object) -> bytes:
        return hashlib.sha256(repr(raw).encode("utf-8", "surrogatepass")).digest()  # small, of ten thousand


def record_text(record: Record) -> str:
    """What record.json has, with its checksum; always of this version's format."""
    return sealed(record.model_copy(update={"format": FORMAT}).model_dump_json(indent=1))


def read_record(path: Path, cell_id: str, known: KnownCells | None = None) -> Record:
    """The record of that cell. UsageError where the file is not what was written, or is no record of the cell's, and
    OtherFormat where a version wrote it that is not known here.
    """
    content = read_bytes(path)
    raw = current_record(json_of(content, path, dict), is_sealed(content, path), path)
    cell = known.find(raw.get("cell")) if known else None
    if cell is not None:
        raw["cell"] = cell
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
