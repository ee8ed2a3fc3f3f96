"""Predictions without texts of the data set: what a report's intervals need, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.errors import UsageError
from bench.kind import metric_parts
from bench.store.files import content_of
from bench.store.predictions import read_columns, write_predictions
from bench.task import Task

COLUMNS = ("id", "group", "query", "label", "predicted", "candidates", "probabilities", "null_margin")


def without_texts(path: Path, task: Task | None) -> Callable[[Path], None] | None:
    """A writer of the same predictions, rows in their order: ids are row numbers; groups and queries are numbered as
    they come, and so are sets that no metric of the task is over. None where they cannot go without texts: answers that
    are neither classes of the task nor numbers, candidates, a task that nobody knows, a file that is none.
    """
    if task is None or not path.is_file():
        return None
    try:
        table = read_columns(content_of(path), COLUMNS, ["subset"])
    except (OSError, UsageError):
        return None
    if any(table["candidates"]):
        return None
    said = {text for column in ("label", "predicted") for texts in table[column] for text in texts}
    if not (said <= set(task.classes) or all(map(_is_number, said))):
        return None
    table["id"] = [str(number) for number in range(len(table["id"]))]
    for name in ("group", "query"):
        table[name] = _numbered(table[name], {})
    if "subset" in table:
        named = {name for metric in task.metrics for _, name in metric_parts(metric) if name}
        table["subset"] = _numbered(table["subset"], {name: name for name in named})
    return lambda to: write_predictions(to, table)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbered(values: list[str | None], numbers: dict[str, str]) -> list[str | None]:
    return [None if value is None else numbers.setdefault(value, str(len(numbers))) for value in values]
