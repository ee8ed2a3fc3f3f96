"""Rows of local files: JSON, tables, parquet, saved data sets and columns of words, told by content and ending.

A row is a dict of fields; beside it goes the place it came from, so that an error can name file and line.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.data.arrow import parquet_rows, saved_rows
from bench.data.columns import read_columns
from bench.data.foreign import check_format
from bench.data.json_rows import holds_json, json_lines, json_rows
from bench.data.located import Located
from bench.data.tables import quoted_rows, tabbed_rows
from bench.data.text import is_large, is_packed, lines, read_text, text_lines
from bench.errors import UsageError

__all__ = ["Located", "read"]

Reader = Callable[[Path, str], Iterator[Located]]
Tabbed = Callable[[Path, Iterable[str]], Iterator[Located]]
BY_LINE = (".csv", ".tsv", ".jsonl", ".ndjson")  # what is read line by line where it is large
PARQUET = b"PAR1"  # the first bytes of such a file


def read(path: Path, columns: Sequence[str] = (), broken_lines: bool = False) -> Iterator[Located]:
    """The rows of a file, or of a folder that `save_to_disk` wrote; `columns` and `broken_lines` are of a table divided
    by tabs (see bench.task.Source). UsageError names the file, and the line where one is malformed.
    """
    if path.is_file():
        check_format(path)
    elif path.exists() and not path.is_dir():
        raise UsageError(f"cannot read {path}: it is a pipe or a device; give a file")
    if path.is_dir() or _begins_with(path, PARQUET):
        rows = saved_rows(path) if path.is_dir() else parquet_rows(path)
        yield from (Located(f"{path}[{index}]", row) for index, row in enumerate(rows))
        return
    tabbed = partial(tabbed_rows, columns=columns, broken_lines=broken_lines)
    ending = (Path(path.stem).suffix if is_packed(path) else path.suffix).casefold()
    if ending in BY_LINE and is_large(path):
        yield from _by_line(ending, path, tabbed)
        return
    text, repaired = read_text(path)
    if path.suffix == ".parquet" and not holds_json(text):
        raise UsageError(f"cannot read {path}: it is no parquet file, nor JSON")
    for row in _reader(ending, text, tabbed)(path, text):
        yield replace(row, repaired=repaired + row.repaired) if repaired else row
        repaired = ()


def _begins_with(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def _reader(ending: str, text: str, tabbed: Tabbed) -> Reader:
    """What reads a text: JSON wherever it is JSON, else what the ending says; columns of words without one of these."""
    if ending in (".json", ".jsonl", ".ndjson") or holds_json(text):
        return partial(json_rows, one_is_a_row=ending != ".json")
    if ending == ".tsv":
        return lambda path, text: tabbed(path, lines(text, returns=False))
    if ending == ".csv":
        return lambda path, text: quoted_rows(path, io.StringIO(text, newline=""))
    return read_columns


def _by_line(ending: str, path: Path, tabbed: Tabbed) -> Iterator[Located]:
    """The rows of a large file, whatever it begins with."""
    if ending == ".csv":
        return quoted_rows(path, text_lines(path, ""))
    if ending == ".tsv":
        return tabbed(path, (line.rstrip("\r\n") for line in text_lines(path, "\n")))
    return json_lines(path, text_lines(path, "\n"))
