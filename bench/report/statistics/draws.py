"""Draws of every finished cell's scores, from the predictions that it left in its results folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError
from bench.report.read.declared import Suites
from bench.report.statistics.bootstrap import NUM_DRAWS, Draws, bootstrap, examples_of, units
from bench.score.counted import CountedRows
from bench.score.metrics import metrics_of
from bench.score.predicted import PredictedRows
from bench.store.checksums import checked_bytes
from bench.store.predictions import PREDICTIONS, PredictionReader
from bench.store.record import Record
from bench.store.terms import TERMS, read_terms
from bench.task import Task

if TYPE_CHECKING:
    import pandas as pd  # a plan says what seeds can show, and need not wait for it

Rows = PredictedRows | CountedRows
SAME = 1e-6  # scores nearer than this are equal but for rounding


@dataclass
class CellDraws:
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


def draw_cells(
    frame: pd.DataFrame,
    suites: Suites,
    folders: Mapping[str, Path] | None = None,
    num_draws: int = NUM_DRAWS,
    records: Mapping[str, Record] | None = None,
) -> CellDraws:
    """The draws of the finished cells of a frame; the suites declare its tasks. Reads each predictions.parquet once.

    `folders` says where the results folders of the frame are, where their names do not. `records` are those that have
    been read, by id; else they are read again for the checksums of the predictions.
    """
    folders, records = folders or {}, records or {}
    drawn, reader = CellDraws(), PredictionReader()
    lacking: dict[tuple[str, str, str], int] = defaultdict(int)
    scores: dict[tuple[str, str, str, str], dict[str, float]] = defaultdict(dict)
    done = frame["score"].notna()
    columns = [frame[name][done].to_numpy().tolist() for name in ("suite", "task", "id", "results", "metric", "score")]
    for suite, name, cell_id, folder, metric, score in zip(*columns, strict=True):
        scores[suite, name, cell_id, folder][metric] = score
    for suite, name, cell_id, folder in sorted(scores):
        if cell_id in drawn.units:  # asked for in two suites
            continue
        path = folders.get(folder, Path(folder)) / "cells" / cell_id
        try:
            task, known = _task(suites, suite, name), scores[suite, name, cell_id, folder]
            _add(drawn, cell_id, task, known, path, num_draws, partial(_rows, reader, records.get(cell_id)))
        except UsageError as error:
            lacking[suite, name, str(error)] += 1
    for (suite, name, reason), count in lacking.items():
        cells = f"{count} cell" + ("s" if count > 1 else "")
        drawn.problems.append(f"{suite} · {name}: {reason} ({cells}); intervals are over seeds alone there")
    return drawn


def _task(suites: Suites, suite: str, name: str) -> Task:
    task = next((task for task in suites[suite].tasks if task.name == name), None) if suite in suites else None
    if task is None:
        raise UsageError("the task is not known here, --plugin FILE.py makes it so")
    return task


def _add(
    drawn: CellDraws,
    cell_id: str,
    task: Task,
    scores: dict[str, float],
    folder: Path,
    num_draws: int,
    read: Callable[[Path], tuple[Rows, str]],
) -> None:
    """UsageError, without the cell's name, when its predictions cannot be used."""
    rows, name_of_file = read(folder)
    number, num_units, digest, is_grouped = rows.once(_seen) if isinstance(rows, PredictedRows) else _seen(rows)
    draws = {}
    for name, metric in metrics_of(task).items():
        if name not in scores:
            continue
        try:
            with np.errstate(divide="ignore", invalid="ignore"):  # terms of strangers may count nothing
                measured = rows.measured(task, name) if isinstance(rows, CountedRows) else metric.measured(task, rows)
                score, redrawn = measured.score, bootstrap(measured, number, digest, num_draws)
        except (ValueError, KeyError, IndexError, TypeError):
            raise UsageError(f"{name_of_file} does not fit the task as it is declared here") from None
        if not (abs(score - scores[name]) <= SAME and np.isfinite(redrawn).all()):
            raise UsageError(f"{name_of_file} does not give the record's score")
        draws[cell_id, name] = redrawn
    drawn.draws |= draws
    drawn.units[cell_id] = num_units
    if is_grouped:
        drawn.grouped.add(cell_id)
    drawn.examples[cell_id] = digest


def _rows(reader: PredictionReader, record: Record | None, folder: Path) -> tuple[Rows, str]:
    """A cell's predictions, or else what its metrics count of them; the name of that file."""
    for name in (PREDICTIONS, TERMS):
        try:
            content = checked_bytes(folder / name, record)
        except FileNotFoundError:
            continue
        except OSError:
            raise UsageError(f"{name} cannot be read") from None
        if name == TERMS:
            return CountedRows(*read_terms(content)), name
        return PredictedRows(**reader.read(content)), name
    raise UsageError(f"no {PREDICTIONS}")


def _seen(rows: Rows) -> tuple[NDArray[np.int64], int, str, bool]:
    """The unit of each row and how many there are, a digest of the examples, and whether they are in groups."""
    number, num_units = units(rows)
    digest = rows.examples if isinstance(rows, CountedRows) else examples_of(rows, number)
    return number, num_units, digest, {*rows.groups} != {None}
