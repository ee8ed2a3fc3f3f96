"""Rows of tables in text: cells divided by tabs, commas, semicolons or bars, whose first line names the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from bench.data.located import Located
from bench.errors import UsageError

DIVIDERS = ",;\t|"
LONGEST_CELL = 2**31 - 1  # characters; what a file holds, a cell may
_SEPARATOR = re.compile(r"\s*sep=([,;\t|])[^\S\n]*\n")  # the first line that Excel reads and writes


def tabbed_rows(
    path: Path, text_lines: Iterable[str], columns: Sequence[str] = (), broken_lines: bool = False
) -> Iterator[Located]:
    """Cells divided by tabs and never quoted, as GLUE's are; a header without a tab is of a table divided otherwise.

    Lines come without their ends. With `columns` there is no header, unless two cells of the first line are names of
    columns. With `broken_lines` a line of another number of cells is a row whose only field is `cells`.
    """
    rest = iter(text_lines)
    header: list[str] | None = None
    for number, line in enumerate(rest, start=1):
        cells = line.split("\t")
        if cells == [""]:
            continue
        if header is None and columns and len({cell.strip().casefold() for cell in cells} & set(columns)) < 2:
            header = list(columns)
        elif header is None:
            if len(cells) == 1 and any(mark in line for mark in DIVIDERS):
                yield from quoted_rows(path, (f"{each}\n" for each in chain([""] * (number - 1), [line], rest)))
                return
            header = _header(path, number, cells)
            continue
        assert header is not None
        if broken_lines and len(cells) != len(header):
            yield Located(f"{path}:{number}", {"cells": cells})
        else:
            yield _row(path, number, header, cells)


def quoted_rows(path: Path, text_lines: Iterable[str]) -> Iterator[Located]:
    """Cells that may be quoted, as spreadsheets write them; the first line tells what divides them.

    Lines come with their ends.
    """
    rest = iter(text_lines)
    before, first_line = _first_line(rest)
    stated = _SEPARATOR.fullmatch(first_line)
    if stated:
        before, rest = before + 1, iter(rest)
    else:
        rest = chain(["\n"] * before, [first_line], rest)
    mark = stated[1] if stated else max(DIVIDERS, key=lambda divider: _width(first_line, divider))
    header: list[str] | None = None
    limit = csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(rest, delimiter=mark, strict=True)
    end = first = before if stated else 0
    try:
        for cells in reader:
            number, end = end + 1, first + reader.line_num
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                continue
            if header is None:
                header = _header(path, number, cells)
            else:
                yield _row(path, number, header, cells)
    except csv.Error as error:
        raise UsageError(f"{path}:{first + reader.line_num}: not a valid table ({error})") from None
    finally:
        csv.field_size_limit(limit)


def _first_line(text_lines: Iterator[str]) -> tuple[int, str]:
    """How many blank lines come first, and the line after them."""
    for number, line in enumerate(text_lines):
        if line.strip():
            return number, line
    return 0, ""


def _width(line: str, mark: str) -> int:
    """How many columns the first line has if `mark` divides them."""
    try:
        return len(next(csv.reader([line], delimiter=mark), []))
    except csv.Error:
        return 0


def _header(path: Path, number: int, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(set(names)) < len(names):
        raise UsageError(f"{path}:{number}: the header names a column twice: {', '.join(names)}")
    return names


def _row(path: Path, number: int, header: list[str], cells: list[str]) -> Located:
    if len(cells) != len(header):
        raise UsageError(f"{path}:{number}: {len(cells)} cells, but the header names {len(header)}")
    return Located(f"{path}:{number}", dict(zip(header, cells, strict=True)))
