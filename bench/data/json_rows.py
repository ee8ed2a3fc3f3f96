"""Rows of JSON in whatever form: lines, objects one after the other, a list, or an object of rows or of columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.data.located import Located
from bench.data.text import lines
from bench.errors import UsageError

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"\s*")
_WRONG = (ValueError, RecursionError)


def holds_json(text: str) -> bool:
    """Whether a text is JSON rows, whatever its file is called: it begins with an object or a list of objects."""
    begin = _first(text)
    if text[begin : begin + 1] not in ("{", "["):
        return False
    try:
        value, end = _DECODER.raw_decode(text, begin)
    except _WRONG:
        return False
    if isinstance(value, list):  # a column file may begin with [1] as a word
        return bool(value) and all(isinstance(row, dict) for row in value) and not text[end:].strip()
    return bool(value)


def json_rows(path: Path, text: str, one_is_a_row: bool = False) -> Iterator[Located]:
    """The rows of a JSON text. UsageError names the file and the line or row that does not fit.

    `one_is_a_row`: an object alone is a row, as it is in a file of JSON lines.
    """
    begin = _first(text)
    try:
        value, end = _DECODER.raw_decode(text, begin)
    except _WRONG as error:
        if one_is_a_row:
            yield from json_lines(path, lines(text))
            return
        raise UsageError(f"{path}: not valid JSON ({error})") from None
    if not text[end:].strip():
        yield from _document(path, value, one_is_a_row, text.count("\n", 0, begin) + 1)
    elif "\n" in text[begin:end] and isinstance(value, dict):
        yield from _one_after_the_other(path, text)
    else:
        yield from json_lines(path, lines(text))


def _first(text: str) -> int:
    """The place of the first character that is no blank."""
    return len(text) - len(text.lstrip())


def json_lines(path: Path, text_lines: Iterable[str]) -> Iterator[Located]:
    """A row a line. UsageError names the line that is none."""
    for number, line in enumerate(text_lines, start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except _WRONG as error:
            raise UsageError(f"{place}: not valid JSON ({error})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{place}: expected a JSON object, found {type(row).__name__}")
        yield Located(place, row)


def _one_after_the_other(path: Path, text: str) -> Iterator[Located]:
    """Objects over several lines each."""
    at, number = _first(text), text[: _first(text)].count("\n") + 1
    while at < len(text):
        place = f"{path}:{number}"
        try:
            row, end = _DECODER.raw_decode(text, at)
        except _WRONG as error:
            raise UsageError(f"{place}: not valid JSON ({error})") from None
        if not isinstance(row, dict):
            raise UsageError(f"{place}: expected a JSON object, found {type(row).__name__}")
        yield Located(place, row)
        blank = _BLANK.match(text, end)
        assert blank is not None
        number += text.count("\n", at, blank.end())
        at = blank.end()


def _document(path: Path, value: Any, one_is_a_row: bool, number: int) -> Iterator[Located]:
    """The rows of one JSON value that is all the file has."""
    rows = value if isinstance(value, list) else _rows_of(value, one_is_a_row) if isinstance(value, dict) else None
    if rows is None and isinstance(value, dict) and one_is_a_row:
        yield Located(f"{path}:{number}", value)
        return
    if rows is None:
        described = f"an object with {_names(value)}" if isinstance(value, dict) else type(value).__name__
        raise UsageError(f'{path}: expected a JSON list, or an object with a list under "data"; found {described}')
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise UsageError(f"{path}[{index}]: expected a JSON object, found {type(row).__name__}")
        yield Located(f"{path}[{index}]", row)


def _rows_of(value: dict[str, Any], one_is_a_row: bool) -> list[Any] | None:
    """The rows of an object that holds many: under "data", as columns, or by their numbers (pandas' `to_json`).

    What may be one row is: a sentence's words and tags look like two columns.
    """
    data = value.get("data")
    if one_is_a_row and not (isinstance(data, list) and data and all(isinstance(row, dict) for row in data)):
        return None
    if isinstance(data, list):
        names = value.get("columns")
        if isinstance(names, list) and data and all(isinstance(row, list) and len(row) == len(names) for row in data):
            return [dict(zip(map(str, names), row, strict=True)) for row in data]
        return data
    columns = list(value.values())
    if all(isinstance(column, list) and column for column in columns) and len(set(map(len, columns))) == 1:
        return [dict(zip(value, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return None
    numbers = list(columns[0])
    if all(map(str.isdecimal, numbers)) and all(set(column) == set(numbers) for column in columns):
        return [{name: column[number] for name, column in value.items()} for number in numbers]
    return columns if all(map(str.isdecimal, value)) else None


def _names(value: dict[str, Any]) -> str:
    """The first names of an object's fields."""
    return ", ".join([*list(value)[:8], *(["…"] if len(value) > 8 else [])]) or "nothing"
