"""Rows of local files, by the ending of their names: JSON, tables with tabs, and columns of words.

A row is a dict of fields; beside it goes the place it came from, so that an error can name file and line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.data.columns import read_columns
from bench.data.located import Located
from bench.data.text import lines, read_text
from bench.errors import UsageError

__all__ = ["Located", "read"]


def read(path: Path) -> Iterator[Located]:
    """The rows of a file. UsageError names the file, and the line where one is malformed."""
    text, repaired = read_text(path)
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    for row in READERS.get(ending, read_columns)(path, text):
        yield replace(row, repaired=repaired + row.repaired) if repaired else row
        repaired = ()


def _json_lines(path: Path, text: str) -> Iterator[Located]:
    for number, line in enumerate(lines(text), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{place}: not valid JSON ({error})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{place}: expected a JSON object, found {type(row).__name__}")
        yield Located(place, row)


def _json(path: Path, text: str) -> Iterator[Located]:
    """A list of objects, or an object that has one under "data"."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not valid JSON ({error})") from None
    rows = found.get("data") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise UsageError(f'{path}: expected a JSON list, or an object with a list under "data"')
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UsageError(f"{path}[{index}]: expected a JSON object, found {type(row).__name__}")
        yield Located(f"{path}[{index}]", row)


def _table(path: Path, text: str) -> Iterator[Located]:
    """Cells divided by tabs, never quoted (csv.reader would have limits of its own); the first line names them."""
    header: list[str] | None = None
    for number, line in enumerate(lines(text, returns=False), start=1):
        cells = line.split("\t")
        if cells == [""]:
            continue
        if header is None:
            header = cells
            if len(set(header)) < len(header):
                raise UsageError(f"{path}:{number}: the header names a column twice: {', '.join(header)}")
            continue
        if len(cells) != len(header):
            raise UsageError(f"{path}:{number}: {len(cells)} cells, but the header names {len(header)}")
        yield Located(f"{path}:{number}", dict(zip(header, cells, strict=True)))


READERS: dict[str, Callable[[Path, str], Iterator[Located]]] = {".jsonl": _json_lines, ".json": _json, ".tsv": _table}
