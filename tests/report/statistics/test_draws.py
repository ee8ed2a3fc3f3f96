"""Draws over examples: whole groups, the same for all cells of the same examples, never of what cannot be trusted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.registry import suites
from bench.report.read.frame import frame
from bench.report.statistics.bootstrap import bootstrap, units
from bench.report.statistics.draws import CellDraws, draw_cells
from bench.score.metric import Sums, by_unit, share
from bench.score.predicted import PredictedRows
from bench.store.checksums import digest
from bench.store.predictions import write_predictions
from bench.store.record import Record
from tests.report.conftest import table
from tests.store.edited import edit


def test_units_are_groups_then_queries_then_rows() -> None:
    rows = PredictedRows([["a"]] * 6, [["a"]] * 6, ["p", None, "p", None, None, None], ["1", "1", "2", "1", None, None])
    number, count = units(rows)
    assert number.tolist() == [0, 1, 0, 1, 2, 3]
    assert count == 4
    assert by_unit(np.arange(12.0).reshape(6, 2), number, count).tolist() == [[4, 6], [8, 10], [8, 9], [10, 11]]


def test_the_spread_of_draws_is_that_of_a_mean_of_units() -> None:
    right = np.array([1.0] * 30 + [0.0] * 10)
    draws = bootstrap(Sums(np.stack([right, np.ones(40)], axis=1), share), np.arange(40), "key", 20_000)
    assert draws.mean() == pytest.approx(75, abs=0.2)
    assert draws.std() == pytest.approx(100 * np.sqrt(0.75 * 0.25 / 40), rel=0.02)


def test_groups_are_drawn_whole() -> None:
    right = np.repeat([1.0, 0.0], 20)  # two passages, one all right and one all wrong
    measured = Sums(np.stack([right, np.ones(40)], axis=1), share)
    assert set(bootstrap(measured, np.repeat([0, 1], 20), "key").tolist()) == {0.0, 50.0, 100.0}


def test_cells_of_the_same_examples_get_the_same_draws(predicted: Any, cell: Any, store: Any) -> None:
    first, second = (predicted(cell(method=name), wrong=3) for name in ("finetune", "ptv2"))
    drawn = draws_of(store, first, second)
    assert drawn.problems == []
    one, other = (drawn.draws[record.id, "accuracy"] for record, _ in (first, second))
    assert one.tolist() == other.tolist()
    assert len(set(drawn.examples.values())) == 1
    assert set(drawn.units.values()) == {20}


def test_cells_of_other_examples_get_their_own(predicted: Any, cell: Any, store: Any) -> None:
    first, second = predicted(cell(seed=0), wrong=3), predicted(cell(seed=1), wrong=3, num_rows=21)
    drawn = draws_of(store, first, second)
    assert len(set(drawn.examples.values())) == 2


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "no predictions.parquet"),
        (lambda path: path.write_bytes(b"PAR1"), "predictions.parquet cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "predictions.parquet cannot be read"),
        (lambda path: write_predictions(path, {"label": [["yes"]]}), "predictions.parquet cannot be read"),
        (
            lambda path: write_predictions(path, table(["yes"], ["no"])),
            "predictions.parquet does not fit|does not give",
        ),
        (lambda path: write_predictions(path, table([], [])), "predictions.parquet cannot be read"),
    ],
)
def test_predictions_that_cannot_be_used_are_named_once_and_leave_no_draws(
    spoil: Callable[[Path], None], why: str, predicted: Any, cell: Any, store: Any
) -> None:
    both = [predicted(cell(seed=seed), wrong=3) for seed in range(2)]
    made = store(both)
    for record, _ in both:
        path = made.cell_folder(record.id) / "predictions.parquet"
        spoil(path)
        if path.exists():  # as somebody who has written it so
            edit(path.with_name("record.json"), files={path.name: digest(path)})
    drawn = draw_cells(frame([made]), suites())
    assert (drawn.draws, drawn.units) == ({}, {})
    (problem,) = drawn.problems
    assert problem.startswith("superglue · rte: ")
    assert problem.endswith("(2 cells); intervals are over seeds alone there")
    assert any(part in problem for part in why.split("|"))


def test_predictions_must_give_the_records_score(predicted: Any, cell: Any, store: Any) -> None:
    record, rows = predicted(cell(), wrong=3)
    drawn = draws_of(store, (record.model_copy(update={"scores": {"accuracy": 12.0}}), rows))
    assert drawn.draws == {}
    assert "does not give the record's score" in drawn.problems[0]


def test_a_task_nobody_knows_is_judged_by_seeds_alone(predicted: Any, cell: Any, store: Any) -> None:
    strange = predicted(cell(), wrong=3, into=lambda made: made.model_copy(update={"task": "mails"}))
    drawn = draws_of(store, strange)
    assert drawn.problems == [
        "superglue · mails: the task is not known here, --plugin FILE.py makes it so (1 cell); "
        "intervals are over seeds alone there"
    ]


def draws_of(store: Any, *cells: tuple[Record, dict[str, list[Any]]]) -> CellDraws:
    return draw_cells(frame([store(cells)]), suites())
