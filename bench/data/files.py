"""Rows of local files: JSON, tables, parquet, saved data sets and columns of words, told by content and ending.

A row is a dict of fields; beside it goes the place it came from, so that an error can name file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.data.arrow import parquet_rows, saved_rows
from bench.data.columns import read_columns
from bench.data.foreign import check_format
from bench.data.json_rows import holds_json, json_rows
from bench.data.located import Located
from bench.data.tables import quoted_rows, tabbed_rows
from bench.data.text import read_text
from bench.errors import UsageError

__all__ = ["Located", "read"]

PARQUET = b"PAR1"  # the first bytes of such a file


def read(path: Path) -> Iterator[Located]:
    """The rows of a file, or of a folder that `save_to_disk` wrote. UsageError names the file, and the line where one
    is malformed.
    """
    if path.is_file():
        check_format(path)
    if path.is_dir() or _begins_with(path, PARQUET):
        rows = saved_rows(path) if path.is_dir() else parquet_rows(path)
        yield from (Located(f"{path}[{index}]", row) for index, row in enumerate(rows))
        return
    text, repaired = read_text(path)
    if path.suffix == ".parquet" and not holds_json(text):
        raise UsageError(f"cannot read {path}: it is no parquet file, nor JSON")
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    for row in _reader(ending, text)(path, text):
        yield replace(row, repaired=repaired + row.repaired) if repaired else row
        repaired = ()


def _begins_with(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def _reader(ending: str, text: str) -> Callable[[Path, str], Iterator[Located]]:
    """What reads a text: JSON wherever it is JSON, else what the ending says; columns of words without one of these."""
    if ending in (".json", ".jsonl") or holds_json(text):
        return partial(json_rows, one_is_a_row=ending != ".json")
    return {".tsv": tabbed_rows, ".csv": quoted_rows}.get(ending, read_columns)
