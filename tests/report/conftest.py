"""Synthetic records: results folders as a run would leave them, without a run."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.cell import Budget, Cell
from bench.registry import find_suite
from bench.report.files import collect, write
from bench.store.predictions import write_predictions
from bench.store.record import Costs, Parameters, Record
from bench.store.store import Store

SIZES = {"small": 20_000_000, "medium": 110_000_000, "large": 335_000_000}
NUM_ROWS = 400  # of a grid
TRIVIAL = {"rte": 52.7, "boolq": 62.2, "cb": 50.0}
RTE = find_suite("superglue").task("rte")
Predicted = tuple[Record, dict[str, list[Any]]]
MakePredicted = Callable[..., Predicted]
MakeCell = Callable[..., Cell]
MakeRecord = Callable[..., Record]
MakeStore = Callable[..., Store]


def make_cell(task: str = "rte", model: str = "small", method: str = "ptv2", seed: int = 0, **changes: Any) -> Cell:
    fields: dict[str, Any] = {
        "suite": "superglue", "task": task, "task_version": 1, "data_fingerprint": f"data-{task}", "model": model,
        "model_fingerprint": f"weights-{model}", "method": method, "settings": {"length": 20, "head": "linear"},
        "seed": seed, "budget": Budget(), "protocol": "holdout", "precision": "fp32",
    }  # fmt: skip
    return Cell(**(fields | changes))


def make_record(
    cell: Cell, score: float | None = None, status: str = "done", reason: str | None = None, **more: float
) -> Record:
    """A finished record with accuracy `score` and whatever other metrics are given, or one without scores."""
    backbone = SIZES.get(cell.model, 1_000_000)
    return Record.model_validate(
        {
            "id": cell.id,
            "cell": cell,
            "status": status,
            "reason": reason,
            "main_metric": "accuracy",
            "scores": {} if score is None else {"accuracy": score, **more},
            "trivial": {"accuracy": TRIVIAL.get(cell.task, 50.0)} if score is not None else {},
            "parameters": Parameters(trained=983_040, stored=983_040, head=2_050, backbone=backbone),
            "costs": Costs(train_seconds=60.0, tokens_per_second=1000.0, peak_bytes=2**30, steps=780),
        }
    )


def table(labels: list[str], said: list[str]) -> dict[str, list[Any]]:
    """The columns of predictions.parquet, a class each."""
    rows = range(len(labels))
    return {
        "id": [str(at) for at in rows], "group": [None for _ in rows], "query": [None for _ in rows],
        "label": [[label] for label in labels], "predicted": [[label] for label in said],
        "candidates": [[] for _ in rows], "probabilities": [[] for _ in rows], "null_margin": [None for _ in rows],
    }  # fmt: skip


def make_predicted(
    of: Cell, wrong: int | Collection[int], num_rows: int = 20, into: Callable[[Cell], Cell] = lambda made: made
) -> Predicted:
    yes, no = RTE.classes
    mistakes = range(wrong) if isinstance(wrong, int) else set(wrong)
    labels = [(yes, no)[at % 2] for at in range(num_rows)]
    said = [({yes: no, no: yes}[label] if at in mistakes else label) for at, label in enumerate(labels)]
    score = 100 * sum(map(str.__eq__, labels, said)) / num_rows
    return make_record(into(of), score), table(labels, said)


def write_report(
    paths: Collection[Path], formats: Collection[str], averages: Mapping[str, Sequence[str]], **how: Any
) -> list[Path]:
    """Write the report of results folders; `how` as bench.report.files.write takes it."""
    return write(collect(paths, averages), formats, **how)


@pytest.fixture
def predicted() -> MakePredicted:
    """Make a finished record of a task with RTE's classes and its predictions: of num_rows, these or so many wrong."""
    return make_predicted


@pytest.fixture
def cell() -> MakeCell:
    """Make a cell, by default ptv2 on rte with the small model and seed 0."""
    return make_cell


@pytest.fixture
def record() -> MakeRecord:
    """Make a cell's record: accuracy, status, reason, and other metrics by name."""
    return make_record


@pytest.fixture
def store(tmp_path: Path) -> MakeStore:
    """Make a results folder with the given records, some with predictions, and the given cells planned."""

    def make(records: Iterable[Record | Predicted] = (), planned: Iterable[Cell] = (), name: str = "results") -> Store:
        made = Store.create(tmp_path / name)
        planned = list(planned)
        if planned:
            made.write_plan(planned)
        for each in records:
            record, rows = each if isinstance(each, tuple) else (each, None)
            files = {} if rows is None else {"predictions.parquet": partial(write_predictions, table=rows)}
            made.write(record, files)
        return made

    return make


@pytest.fixture
def grid(cell: Any, predicted: Any, store: Any) -> Any:
    """Make a results folder: per method the number of wrong answers of 400, drawn anew for each seed and model.

    It is at most 4 more; at most 100 more for a method that is `noisy`.
    """

    def make(
        wrong: Mapping[str, int | Sequence[int]], seeds: int = 5, models: Sequence[str] = ("small",), noisy: str = ""
    ) -> Store:
        cells = []
        for place, model in enumerate(models):
            for method, counts in wrong.items():
                count = counts if isinstance(counts, int) else counts[place]
                for seed in range(seeds):
                    draw = random.Random(f"{model} {seed} {count}")
                    mistakes = draw.sample(range(NUM_ROWS), count + draw.randrange(101 if method == noisy else 5))
                    cells.append(predicted(cell(model=model, method=method, seed=seed), mistakes, NUM_ROWS))
        return store(cells)

    return make
