"""A row of a user's own data in the fields of its task's kind, by the columns that the task names.

`bench.data.examples.harness_rows` maps rows that have labels, `bench.data.kind.KindData.mapped` is what each kind does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.data.found import no_column
from bench.data.row_fields import fields_of
from bench.data.values import is_nothing, label_text
from bench.task import Task

Fields = dict[str, Any]
Columns = Mapping[str, str | tuple[str, ...]]  # by field, as bench.task.Task.fields
NO_LABEL = "a row without a label"


def columns_of(columns: Columns) -> tuple[str, ...]:
    """The source's columns that fields name, each once."""
    named = columns.values()
    return tuple(dict.fromkeys(part for name in named for part in ((name,) if isinstance(name, str) else name)))


def inputs_of(task: Task) -> dict[str, str | tuple[str, ...]]:
    """Of a task's fields those that are no answer: what rows without labels must have."""
    names = {*texts_of(task), *task.facts.inputs}
    return {name: column for name, column in task.fields.items() if name in names}


def texts_of(task: Task) -> tuple[str, ...]:
    """The fields of its forms."""
    return fields_of(task.plain, task.pattern)


def check_columns(task: Task, row: Mapping[str, Any], source: str, labelled: bool = True) -> None:
    """UsageError where a table lacks a column that the task reads; `row` is one of its rows."""
    for name in columns_of(task.fields if labelled else inputs_of(task)):
        if name not in row:
            raise no_column(name, row, source)


def cell(columns: Columns, row: Fields, field: str) -> Any:
    """What stands in a field's column, None where nothing does."""
    column = columns.get(field)
    value = row.get(column) if isinstance(column, str) else None
    return None if is_nothing(value) else value


def text_cell(columns: Columns, row: Fields, field: str) -> str:
    """A field's text, "" where nothing stands; numbers, truths and dates as text. ValueError for a list or an object."""
    value = cell(columns, row, field)
    if isinstance(value, list | dict):
        raise ValueError(f"column {columns.get(field)!r} holds a {type(value).__name__}, where a text should be")
    return "" if value is None else value if isinstance(value, str) else label_text(value)


def marks(columns: Columns, row: Fields) -> Fields:
    """Id and group, where there are columns of them."""
    return {name: cell(columns, row, name) for name in ("idx", "group") if name in columns}


def with_label(columns: Columns, row: Fields, fields: Fields) -> Iterable[Fields]:
    """The row with its label, or what says that it has none."""
    value = cell(columns, row, "label")
    yield {"no_example": NO_LABEL} if value is None else {**marks(columns, row), **fields, "label": value}
