"""Bootstrap draws of every finished cell's scores, over the examples it was scored on.

Examples are drawn with replacement, groups (passages, documents) whole, because the examples of a group are no
independent evidence. Cells scored on the same examples get the same draws, whatever their method and seed, so that the
draws of a difference are those of paired predictions. A draw of a score is the metric's own formula over sums of
its terms (bench.score.metrics). N rows, U units (groups), K terms, B draws.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import UsageError
from bench.registry import suites
from bench.score.metrics import Rows, metrics_of
from bench.store.predictions import read_predictions
from bench.task import Task

NUM_DRAWS = 1000  # the standard error of a bootstrap standard error is then 2 % of it
SAME = 1e-6  # scores nearer than this are equal but for rounding
Array = NDArray[np.float64]
Draws = NDArray[np.float32]


@dataclass
class Evidence:
    """What the predictions of some cells say about examples.

    `draws` are (B,) scores by (cell id, metric); `units` the number of groups and `examples` a digest of which they
    were and what was right, by cell id; `grouped` are the cells whose examples, or some of them, are in groups. A cell
    whose predictions cannot be used has none, and `problems` say why.
    """

    draws: dict[tuple[str, str], Draws] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def gather(frame: pd.DataFrame, num_draws: int = NUM_DRAWS) -> Evidence:
    """The evidence of the finished cells of a frame; reads each predictions.parquet once."""
    evidence = Evidence()
    lacking: dict[tuple[str, str, str], int] = defaultdict(int)
    done = frame[frame["score"].notna()]
    scores: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    columns = [done[name].tolist() for name in ("suite", "task", "id", "results", "metric", "score")]
    for suite, name, cell_id, folder, metric, score in zip(*columns, strict=True):
        scores[suite, name, cell_id, folder][metric] = score
    for suite, name, cell_id, folder in sorted(scores):
        if cell_id in evidence.units:  # asked for in two suites
            continue
        path = Path(folder) / "cells" / cell_id / "predictions.parquet"
        try:
            _add(evidence, cell_id, _task(suite, name), scores[suite, name, cell_id, folder], path, num_draws)
        except UsageError as error:
            lacking[suite, name, str(error)] += 1
    for (suite, name, reason), count in lacking.items():
        cells = f"{count} cell" + ("s" if count > 1 else "")
        evidence.problems.append(f"{suite} · {name}: {reason} ({cells}); intervals are over seeds alone there")
    return evidence


def _task(suite: str, name: str) -> Task:
    known = suites()
    task = next((task for task in known[suite].tasks if task.name == name), None) if suite in known else None
    if task is None:
        raise UsageError("the task is not known here, --plugin FILE.py makes it so")
    return task


def _add(evidence: Evidence, cell_id: str, task: Task, scores: dict[str, float], path: Path, num_draws: int) -> None:
    """UsageError, without the cell's name, when its predictions cannot be used."""
    if not path.is_file():
        raise UsageError("no predictions.parquet")
    rows = Rows(**read_predictions(path))
    number, num_units = units(rows)
    digest = hashlib.sha256(repr((rows.labels, number.tolist())).encode()).hexdigest()
    found = {}
    for name, metric in metrics_of(task).items():
        if name not in scores:
            continue
        try:
            terms = metric.terms(task, rows)
        except (ValueError, KeyError, IndexError, TypeError):
            raise UsageError("predictions.parquet does not fit the task as it is declared here") from None
        if abs(float(metric.combine(terms.sum(axis=0))) - scores[name]) > SAME:
            raise UsageError("predictions.parquet does not give the record's score") from None
        found[cell_id, name] = bootstrap(by_unit(terms, number, num_units), metric.combine, digest, num_draws)
    evidence.draws |= found
    evidence.units[cell_id] = num_units
    if {*rows.groups} != {None}:
        evidence.grouped.add(cell_id)
    evidence.examples[cell_id] = digest


def units(rows: Rows) -> tuple[NDArray[np.int64], int]:
    """Per row the number of its unit, and how many there are: a group, else a query, else the row alone."""
    if {*rows.groups, *rows.queries} <= {None}:
        return np.arange(len(rows.labels)), len(rows.labels)
    seen: dict[Hashable, int] = {}
    keys: Iterable[Hashable] = (
        ("group", group) if group is not None else ("query", query) if query is not None else at
        for at, (group, query) in enumerate(zip(rows.groups, rows.queries, strict=True))
    )
    number = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)
    return number, len(seen)


def by_unit(terms: Array, number: NDArray[np.int64], num_units: int) -> Array:
    """(N, K) -> (U, K): sums over each unit's rows."""
    if num_units == len(terms):
        return terms
    sums = np.zeros((num_units, terms.shape[1]))
    np.add.at(sums, number, terms)
    return sums


def bootstrap(terms: Array, combine: Callable[[Array], Array], key: str, num_draws: int = NUM_DRAWS) -> Draws:
    """(B, ...) scores of units drawn with replacement, from their terms (U, ..., K); equal keys get equal draws."""
    sums = _times_drawn(key, len(terms), num_draws) @ terms.reshape(len(terms), -1).astype(np.float32)
    return combine(sums.reshape(num_draws, *terms.shape[1:]).astype(float)).astype(np.float32)


@lru_cache(maxsize=2)  # cells come task by task
def _times_drawn(key: str, num_units: int, num_draws: int) -> Draws:
    """(B, U): how often each unit is drawn."""
    generator = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:16], 16))
    times = np.empty((num_draws, num_units), dtype=np.float32)
    for row in times:  # row by row: much faster than drawing binomials, and small
        row[:] = np.bincount(generator.integers(num_units, size=num_units), minlength=num_units)
    return times
