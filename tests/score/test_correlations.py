"""Correlations and their draws against scipy, ties, constants and numbers that are hard to add."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from bench.score.correlations import pearson, spearman
from bench.score.predicted import PredictedRows
from bench.task import Source, Task

TASK = Task(name="t", kind="regression", source=Source(), plain="{x}", metrics=("pearson", "spearman"))
METRICS = {"pearson": (pearson, pearsonr), "spearman": (spearman, spearmanr)}
every_metric = pytest.mark.parametrize("name", METRICS)


def rows(right, predicted) -> PredictedRows:
    texts = ([[repr(float(value))] for value in values] for values in (right, predicted))
    return PredictedRows(*texts, groups=[None] * len(right), queries=[None] * len(right))


def made(seed: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with many ties on both sides."""
    rng = np.random.default_rng(seed)
    right = np.round(rng.uniform(0, 5, count) * 2) / 2
    return right, np.round(0.5 * right + rng.normal(0, 1, count), 1)


@every_metric
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_scipys_times_100(name, seed):
    metric, expected = METRICS[name]
    right, predicted = made(seed)
    assert metric.score(TASK, rows(right, predicted)) == pytest.approx(100 * expected(right, predicted)[0], abs=1e-9)


@every_metric
def test_a_draw_scores_as_its_rows_do_written_out(name):
    """Ranks are ranks among what was drawn: a unit's rows come as often as the unit."""
    metric, expected = METRICS[name]
    right, predicted = made(0)
    units = np.arange(60) // 2
    rng = np.random.default_rng(1)
    times = np.array([np.bincount(rng.integers(30, size=30), minlength=30) for _ in range(20)], np.float32)
    drawn = metric.measured(TASK, rows(right, predicted)).redrawn(units, times)
    for score, counts in zip(drawn, times, strict=True):
        chosen = np.repeat(np.arange(60), counts[units].astype(int))
        assert score == pytest.approx(100 * expected(right[chosen], predicted[chosen])[0], abs=1e-9)


@every_metric
def test_draws_are_the_same_however_many_are_held_at_once(name, monkeypatch):
    measured = METRICS[name][0].measured(TASK, rows(*made(0)))
    times = np.random.default_rng(0).integers(0, 3, (7, 60)).astype(np.float32)
    whole = measured.redrawn(np.arange(60), times)
    monkeypatch.setattr("bench.score.correlations.MOST_WEIGHTS", 100)
    assert measured.redrawn(np.arange(60), times).tolist() == pytest.approx(whole.tolist(), abs=1e-9)


@every_metric
def test_a_constant_correlates_with_nothing(name):
    right, _ = made(0)
    for predicted in (np.full(60, 2.6), np.full(60, 0.1)):
        measured = METRICS[name][0].measured(TASK, rows(right, predicted))
        assert measured.score == 0.0
        assert measured.redrawn(np.arange(60), np.ones((2, 60), np.float32)).tolist() == [0.0, 0.0]
    assert METRICS[name][0].score(TASK, rows([3.0], [1.0])) == 0.0


@every_metric
def test_a_draw_without_what_varied_scores_0(name):
    measured = METRICS[name][0].measured(TASK, rows([1, 2, 3, 4], [5, 5, 5, 1e-9]))
    assert measured.redrawn(np.arange(4), np.array([[2, 1, 1, 0]], np.float32)).tolist() == [0.0]


@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 2.6), (1e150, 0.0), (1.0, 1e6), (1e-200, 0.0)])
def test_numbers_that_are_large_or_nearly_alike_lose_nothing(scale, shift):
    right, predicted = made(3)
    moved = predicted * scale + shift
    expected = pearson.score(TASK, rows(right, predicted))
    assert pearson.score(TASK, rows(right, moved)) == pytest.approx(expected, abs=1e-4)
    times = np.ones((1, 60), np.float32)
    assert pearson.measured(TASK, rows(right, moved)).redrawn(np.arange(60), times) == pytest.approx(expected, abs=1e-4)


@every_metric
@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_prediction_that_is_no_finite_number_makes_the_score_none(name, lost):
    measured = METRICS[name][0].measured(TASK, rows([1, 2, 3], [1, lost, 3]))
    assert math.isnan(measured.score)
    assert np.isnan(measured.redrawn(np.arange(3), np.ones((2, 3), np.float32))).all()


@every_metric
def test_a_text_that_is_no_number_does_not_fit(name):
    spoiled = PredictedRows([["1"], ["two"]], [["1"], ["2"]], [None] * 2, [None] * 2)
    with pytest.raises(ValueError, match="two"):
        METRICS[name][0].measured(TASK, spoiled)


def test_ranks_kept_from_all_rows_would_make_an_interval_too_narrow():
    """Why draws are ranked anew: at a correlation of 0.95 the cheap way loses more than a twentieth of the spread."""
    rng = np.random.default_rng(0)
    right = rng.normal(size=600)
    predicted = 0.95 * right + math.sqrt(1 - 0.95**2) * rng.normal(size=600)
    times = np.array([np.bincount(rng.integers(600, size=600), minlength=600) for _ in range(1000)], np.float32)
    ranks = (values.argsort().argsort() for values in (right, predicted))
    kept = pearson.measured(TASK, rows(*ranks)).redrawn(np.arange(600), times)
    anew = spearman.measured(TASK, rows(right, predicted)).redrawn(np.arange(600), times)
    assert kept.std() < 0.97 * anew.std()
