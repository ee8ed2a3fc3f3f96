"""A text in CSV and TSV, which spreadsheets open: none of theirs is a formula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

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


def csv_text(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """A table as CSV, headings among what is escaped."""
    made = frame.copy()
    for name in made.select_dtypes(exclude=["number", "bool"]).columns:
        made[name] = made[name].map(csv_cell)
    made.columns = made.columns.map(csv_cell)
    return str(made.to_csv(index=False, float_format=float_format, lineterminator="\n"))
