"""What no record of ours has: names that are no names, and numbers that are none. A record may be anybody's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.record import Record

LONGEST_NAME = 100  # bytes of UTF-8: a file's name has two of them at most, and 255 in all
LONGEST_LABEL = 2_000  # characters: the settings of some methods are JSON
LONGEST_PLACE = 4_096
LARGEST = 2**63 - 1  # what a table's whole numbers hold
MOST_COUNTED = 2**53  # whole numbers that are averaged are counted exactly up to there
MOST = 1e9  # points that a score, of whatever metric, may be away from 0
MOST_COST, LEAST_COST = 1e100, 1e-100  # of one that is not 0: one divided by another is drawn along an axis
SLACK = 1e-3  # seconds below 0 that a difference of two clocks' times may be


def check_cell(cell: Cell, raw: dict[str, Any], where: Path) -> None:
    """UsageError for a cell, read from `raw`, with a name that no file can have, or a number out of bounds."""
    counts = {"trials": cell.trials, "task_version": cell.task_version, "results_version": cell.results_version}
    negative = (f"cell.{name} is {value}" for name, value in counts.items() if value < 0)
    _refuse(where, odd_names(cell), negative, _odd_numbers("cell", raw))


def check_record(record: Record, raw: dict[str, Any], where: Path) -> None:
    """UsageError for a record, read from `raw`, that says of itself what it is not, or with names and numbers as
    `check_cell` has it.
    """
    if record.id != record.cell.id:
        raise UsageError(
            f"{where} is no record of ours: it says that it is of cell {record.id}, and its cell is {record.cell.id}"
        )
    if not isinstance(raw["cell"], Cell):  # which has been looked at
        check_cell(record.cell, raw["cell"], where)
    metrics = (record.main_metric, *record.scores, *record.trivial)
    unnamed = (f"{shown_name(name)} is no name of a metric" for name in metrics if not is_name(name))
    _refuse(where, unnamed, _odd_scores(record), _odd_parts(record), _odd_curve(record), _odd_provenance(record))


@lru_cache(4096)  # ten thousand cells have the same few
def is_name(text: str) -> bool:
    """Whether a text can be the name of a suite, task, method, setting or metric: it may become a part of a file's."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return (
        0 < size <= LONGEST_NAME
        and text.isprintable()
        and text == text.strip()
        and not any(mark in text for mark in "/\\")
        and text.strip(".") != ""
    )


def odd_names(cell: Cell) -> Iterator[str]:
    """What a cell is called that no cell can be, a line each."""
    named = {"suite": cell.suite, "task": cell.task, "method": cell.method}
    for what, name in named.items():
        if not is_name(name):
            yield f"{shown_name(name)} is no name of a {what}"
    for joint in cell.joint:
        if not is_name(joint.task):
            yield f"{shown_name(joint.task)} is no name of a task"
    for settings in (cell.settings, cell.given, cell.drawn, cell.streams):
        for name in settings:
            if not is_name(name):
                yield f"{shown_name(name)} is no name of a setting"
    if len(cell.label) > LONGEST_LABEL:
        yield f"its line's name {shown_name(cell.label)} has {len(cell.label):,} characters"
    for place in (cell.model, cell.model_path, cell.data_path or ""):
        if len(place) > LONGEST_PLACE:
            yield f"the place {shown_name(place)} has {len(place):,} characters"


def _odd_scores(record: Record) -> Iterator[str]:
    for field, scores in (("scores", record.scores), ("trivial", record.trivial)):
        for name, score in scores.items():
            if not abs(score) <= MOST:  # so that what is no number is none
                yield f"{field}.{name} is {score:g}"
    for field, value in (("selection_score", record.selection_score), ("null_threshold", record.null_threshold)):
        if value is not None and not abs(value) <= MOST:
            yield f"{field} is {value:g}"


def _odd_parts(record: Record) -> Iterator[str]:
    for field, part in (("counts", record.counts), ("parameters", record.parameters), ("costs", record.costs)):
        for name, value in vars(part).items():
            if value is None:
                continue
            is_possible = (
                0 <= value <= MOST_COUNTED if isinstance(value, int) else is_cost(value) or -SLACK <= value < 0
            )
            if not is_possible:
                yield f"{field}.{name} is {shown_name(str(value))}"


def is_cost(value: float) -> bool:
    """Whether seconds, or whatever else is not counted but measured, can be that much."""
    return value == 0 or LEAST_COST <= value <= MOST_COST


def _odd_curve(record: Record) -> Iterator[str]:
    steps = (record.selected_step or 0, *(point.step for point in record.curve))
    if not all(0 <= step <= MOST_COUNTED for step in steps):
        yield f"its steps are from {shown_name(str(min(steps)))} to {shown_name(str(max(steps)))}"
    for point in record.curve:
        scores_are_numbers = all(abs(score) <= MOST for score in point.scores.values())
        if not scores_are_numbers or not all(map(math.isfinite, (point.epoch, point.train_loss or 0.0))):
            yield f"its curve has no number at step {point.step}"


def _odd_provenance(record: Record) -> Iterator[str]:
    for name in ("layers", "token_budget"):
        value = record.provenance.get(name) or 0
        if not isinstance(value, int) or not 0 <= value <= LARGEST:
            yield f"provenance.{name} is {shown_name(str(value))}"
    packages = record.provenance.get("packages") or {}
    if not isinstance(packages, dict):
        yield f"provenance.packages is {shown_name(str(packages))}"


def _odd_numbers(where: str, tree: Any) -> Iterator[str]:
    """Numbers anywhere in JSON that no table can hold."""
    left = [(where, tree)]
    while left:
        place, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{place}.{name}", part) for name, part in value.items() if not isinstance(part, str)]
        elif isinstance(value, list | tuple):
            left += [(place, part) for part in value if not isinstance(part, str)]
        elif isinstance(value, float) and not math.isfinite(value):
            yield f"{place} is {value}"
        elif isinstance(value, int) and abs(value) > LARGEST:
            yield f"{place} is a whole number of {value.bit_length()} bits"


def _refuse(where: Path, *odd: Iterable[str]) -> None:
    for each in odd:
        for what in each:
            raise UsageError(f"{where} is no record of ours: {what}")


def shown_name(text: str) -> str:
    """A name of anybody's in a line for a user."""
    return ascii(text if len(text) <= 40 else f"{text[:40]}…")
