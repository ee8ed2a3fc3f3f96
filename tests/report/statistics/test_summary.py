"""Statistics over seeds against numbers worked out by hand, and an average that never hides a missing task."""

from __future__ import annotations

import math
from statistics import mean, stdev
from typing import Any

import pandas as pd
import pytest
from scipy.stats import t as student
from scipy.stats import trim_mean

from bench.report.read.frame import frame
from bench.report.statistics.samples import samples
from bench.report.statistics.summary import averages, interquartile_mean, summarise
from bench.store.store import Store

AVERAGED = {"superglue": ("rte", "boolq", "cb")}


def summed(stores: list[Store]) -> pd.DataFrame:
    rows = frame(stores)
    return summarise(rows, samples(rows, {}))


def averages_of(stores: list[Store], averaged: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    rows = frame(stores)
    return averages(rows, averaged, samples(rows, averaged))


def only(rows: pd.DataFrame) -> dict[str, Any]:
    assert len(rows) == 1
    return dict(rows.iloc[0])


def test_mean_sd_and_interval_of_three_seeds(cell: Any, record: Any, store: Any) -> None:
    made = store(record(cell(seed=seed), score) for seed, score in enumerate([51.0, 52.0, 53.0]))
    row = only(summed([made]))
    assert (row["mean"], row["sd"], row["n"], row["expected"]) == (52.0, 1.0, 3, 3)
    # t(0.975, 2 degrees of freedom) = 4.302653 from a printed table; 4.302653 / sqrt(3) = 2.484138
    assert row["low"] == pytest.approx(52 - 2.484138, abs=1e-6)
    assert row["high"] == pytest.approx(52 + 2.484138, abs=1e-6)


@pytest.mark.parametrize("n", [2, 5, 30])
def test_without_predictions_the_interval_is_student_s(n: int, cell: Any, record: Any, store: Any) -> None:
    scores = [50 + (seed * 37 % 11) / 4 for seed in range(n)]
    row = only(summed([store(record(cell(seed=seed), score) for seed, score in enumerate(scores))]))
    expected = student.interval(0.95, n - 1, loc=mean(scores), scale=stdev(scores) / math.sqrt(n))
    assert (row["low"], row["high"]) == pytest.approx(expected, abs=1e-6)


def test_an_interval_stays_within_0_and_100(cell: Any, record: Any, store: Any) -> None:
    row = only(summed([store(record(cell(seed=seed), score) for seed, score in enumerate([97.0, 99.0, 98.0]))]))
    assert row["high"] == 100.0
    assert row["low"] > 90


def test_seeds_that_are_all_alike_give_no_interval(cell: Any, record: Any, store: Any) -> None:
    row = only(summed([store(record(cell(seed=seed), 60.0) for seed in range(5))]))
    assert (row["mean"], row["sd"]) == (60.0, 0.0)
    assert math.isnan(row["low"])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 11])
def test_the_interquartile_mean_is_scipys_trimmed_mean(n: int) -> None:
    scores = [(seed * 37 % 11) ** 2 / 7 for seed in range(n)]
    assert interquartile_mean(scores) == pytest.approx(trim_mean(scores, 0.25))


def test_the_average_s_interquartile_mean_is_over_the_runs_of_all_tasks(cell: Any, record: Any, store: Any) -> None:
    scores = {"rte": (10.0, 61.0), "boolq": (62.0, 63.0), "cb": (64.0, 99.0)}
    made = store(record(cell(task, seed=seed), own[seed]) for task, own in scores.items() for seed in range(2))
    assert only(averages_of([made], AVERAGED))["iqm"] == 62.5  # of six runs the lowest and the highest are left out


def test_one_seed_has_a_mean_but_no_spread_and_no_interval(cell: Any, record: Any, store: Any) -> None:
    row = only(summed([store([record(cell(), 60.0)])]))
    assert row["mean"] == 60.0
    assert all(math.isnan(row[name]) for name in ("sd", "low", "high"))


def test_no_seed_has_no_mean_and_says_why(cell: Any, record: Any, store: Any) -> None:
    cells = [cell(seed=seed) for seed in range(2)]
    row = only(summed([store([record(cells[0], status="diverged")], planned=cells)]))
    assert math.isnan(row["mean"])
    assert (row["n"], row["expected"], row["status"]) == (0, 2, "diverged/missing")


def test_the_average_is_taken_per_seed_over_seeds_with_every_task(cell: Any, record: Any, store: Any) -> None:
    scores = {("rte", 0): 60.0, ("boolq", 0): 70.0, ("cb", 0): 80.0, ("rte", 1): 66.0, ("boolq", 1): 70.0}
    scores |= {("cb", 1): 86.0, ("rte", 2): 0.0, ("boolq", 2): 0.0}  # seed 2 lacks cb
    cells = {(task, seed): cell(task, seed=seed) for task in ("rte", "boolq", "cb") for seed in range(3)}
    made = store([record(cells[key], score) for key, score in scores.items()], planned=cells.values())
    row = only(averages_of([made], AVERAGED))
    assert (row["mean"], row["n"], row["expected"]) == (72.0, 2, 3)  # (70 + 74) / 2
    assert row["sd"] == pytest.approx(math.sqrt(8))
    assert row["trivial"] == pytest.approx((52.7 + 62.2 + 50.0) / 3)


@pytest.mark.parametrize("lack", ["missing", "failed", "diverged", "never planned"])
def test_a_task_without_a_score_leaves_no_average(lack: str, cell: Any, record: Any, store: Any) -> None:
    cells = [cell(task) for task in ("rte", "boolq", "cb")]
    records = [record(cells[0], 90.0), record(cells[1], 90.0)]
    if lack in ("failed", "diverged"):
        records.append(record(cells[2], status=lack))
    rows = frame([store(records, planned=cells if lack != "never planned" else cells[:2])])
    row = only(averages(rows, AVERAGED, samples(rows, AVERAGED)))
    assert math.isnan(row["mean"])
    assert (row["n"], row["status"]) == (0, "missing")


def test_the_average_uses_the_main_metric_only(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell("rte"), 60.0), record(cell("boolq"), 70.0), record(cell("cb"), 80.0, macro_f1=10.0)])
    assert only(averages_of([made], AVERAGED))["mean"] == 70.0


def test_nothing_in_nothing_out(store: Any) -> None:
    rows = frame([store()])
    assert summarise(rows, {}).empty
    assert averages(rows, {}, {}).empty
