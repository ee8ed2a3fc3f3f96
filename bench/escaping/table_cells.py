"""A text in CSV and TSV, which spreadsheets open: none of theirs is a formula."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

# What Excel, LibreOffice and Google Sheets take for a formula (OWASP, "CSV Injection"), wide signs among them; and what
# already stands behind our own mark, so that taking one mark off always gives the text back.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
MARK = "'"  # a spreadsheet shows what follows as text


def csv_cell(value: Any) -> Any:
    """The value; of a text that would be a formula, with `'` in front of it. Texts that are numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = value.encode("utf-8", "backslashreplace").decode()  # halves of surrogate pairs fit into no file
    return f"{MARK}{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def csv_value(text: str) -> str:
    """The text that `csv_cell` was given."""
    return text[1:] if text.startswith(MARK) and _FORMULA.match(text) else text


def csv_rows(file: IO[str], divider: str = ",") -> Callable[[Iterable[Any]], None]:
    """What writes a row into a file that was opened with `newline=""`."""
    plain = csv.writer(file, delimiter=divider, lineterminator="\n")
    quoted = csv.writer(file, delimiter=divider, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(row: Iterable[Any]) -> None:
        cells = list(map(csv_cell, row))
        (quoted if any(map(_ends_a_line, cells)) else plain).writerow(cells)

    return write


def csv_text(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """A table as CSV, headings among what is escaped."""
    made = frame.copy()
    texts = made.select_dtypes(exclude=["number", "bool"]).columns
    for name in texts:
        made[name] = made[name].map(csv_cell)
    is_broken = any(map(_ends_a_line, (*frame.columns, *(cell for name in texts for cell in made[name]))))
    made.columns = made.columns.map(csv_cell)
    quoting: Any = csv.QUOTE_NONNUMERIC if is_broken else csv.QUOTE_MINIMAL
    return str(made.to_csv(index=False, float_format=float_format, lineterminator="\n", quoting=quoting))


def _ends_a_line(cell: Any) -> bool:
    """Whether readers take a part of it for the end of a line that Python's writer leaves without quotes."""
    return isinstance(cell, str) and "\r" in cell
