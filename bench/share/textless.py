"""Predictions without texts of the data set: what a report's intervals need, and no more."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError
from bench.kind import metric_parts
from bench.report.statistics.bootstrap import examples_of, units
from bench.score.counted import counted
from bench.score.predicted import PredictedRows
from bench.store.files import content_of
from bench.store.predictions import PREDICTIONS, read_columns, read_predictions, write_predictions
from bench.store.store import Writer
from bench.store.terms import TERMS, write_terms
from bench.task import Task

COLUMNS = ("id", "group", "query", "label", "predicted", "candidates", "probabilities", "null_margin")


def textless(path: Path, task: Task | None, terms_first: bool = False) -> dict[str, Writer]:
    """Writers of the files that go in the place of a predictions.parquet, by their names: the predictions without
    texts, or, where they cannot go or `terms_first`, what the task's metrics count of them. None of either for a task
    that nobody knows, for a file that is none, and for texts of which a metric's score is no formula over sums.
    """
    if task is None or not path.is_file():
        return {}
    ways = {PREDICTIONS: without_texts, TERMS: as_terms}
    for name in (TERMS, PREDICTIONS) if terms_first else (PREDICTIONS, TERMS):
        writer = ways[name](path, task)
        if writer:
            return {name: writer}
    return {}


def as_terms(path: Path, task: Task) -> Writer | None:
    """A writer of what the task's metrics count of predictions; None where one of them is no formula over sums."""
    try:
        rows = PredictedRows(**read_predictions(content_of(path)))
        kept = counted(task, rows, examples_of(rows, units(rows)[0]))
    except (OSError, UsageError, ValueError, KeyError, IndexError, TypeError):  # not the task's predictions
        return None
    if kept is None:
        return None
    return lambda to: write_terms(to, kept.terms, kept.groups, kept.queries, kept.examples)


def without_texts(path: Path, task: Task) -> Writer | None:
    """A writer of the same predictions, rows in their order: ids are row numbers; groups and queries are numbered as
    they come, and so are sets that no metric of the task is over. None where they cannot go without texts: answers that
    are neither classes of the task nor numbers, candidates, a file that is none.
    """
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
