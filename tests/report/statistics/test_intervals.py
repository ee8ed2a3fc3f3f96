"""Intervals and tests against scipy, against sums of squares worked out directly, and against roots found by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from bench.report.statistics.bootstrap import bootstrap
from bench.report.statistics.intervals import Estimate, estimate, held, interval, margins, tails
from bench.report.statistics.samples import Sample, mean_sample
from bench.score.metric import Sums, share
from tests.perf.verdict_worlds import paired


def right_or_wrong(num_seeds: int, num_units: int, seed: int = 0) -> np.ndarray:
    """(seeds, units) of 0 and 1 with seeds and units that differ."""
    generator = np.random.default_rng(seed)
    ease = generator.normal(0.5, 1, num_units) + generator.normal(0, 0.3, (num_seeds, 1))
    return (ease + generator.normal(0, 1, (num_seeds, num_units)) > 0).astype(float)


def entry(right: np.ndarray, key: str = "examples", num_draws: int = 4000) -> Sample:
    terms = [np.stack([row, np.ones_like(row)], axis=1) for row in right]
    draws = np.array([bootstrap(Sums(own, share), np.arange(len(own)), key, num_draws) for own in terms], dtype=float)
    return Sample(tuple(range(len(right))), 100 * right.mean(axis=1), draws, right.shape[1], frozenset({key}))


def slow_variance(values: np.ndarray) -> tuple[float, float]:
    """(of seeds, of units) of the mean of a two-way table, from its mean squares (no replication, both random)."""
    num_seeds, num_units = values.shape
    rows, columns, whole = values.mean(axis=1), values.mean(axis=0), values.mean()
    ms_rows = num_units * ((rows - whole) ** 2).sum() / (num_seeds - 1)
    ms_columns = num_seeds * ((columns - whole) ** 2).sum() / (num_units - 1)
    residual = values - rows[:, None] - columns[None, :] + whole
    ms_residual = (residual**2).sum() / ((num_seeds - 1) * (num_units - 1))
    return ms_rows / values.size, max(ms_columns - ms_residual, 0) / values.size


@pytest.mark.parametrize(("num_seeds", "num_units"), [(2, 50), (3, 56), (5, 277), (10, 80)])
def test_the_parts_of_the_variance_are_those_of_the_two_way_table(num_seeds: int, num_units: int) -> None:
    right = right_or_wrong(num_seeds, num_units)
    found = estimate(entry(right))
    assert found.mean == pytest.approx(100 * right.mean())
    expected = slow_variance(100 * right)
    assert found.variances[0] == pytest.approx(expected[0])
    assert found.variances[1] == pytest.approx(expected[1], rel=0.1)  # 4,000 draws: 2 % per variance, one less another
    assert found.degrees == (num_seeds - 1, num_units - 1)


def test_a_paired_difference_has_the_parts_of_the_table_of_differences() -> None:
    one, other = right_or_wrong(5, 200, seed=1), right_or_wrong(5, 200, seed=2)
    found = estimate(paired(entry(one), entry(other)))
    expected = slow_variance(100 * (one - other))
    assert found.mean == pytest.approx(100 * (one - other).mean())
    assert found.variances == (pytest.approx(expected[0]), pytest.approx(expected[1], abs=0.1 * sum(expected)))


def test_the_same_predictions_on_both_sides_have_no_spread() -> None:
    same = entry(right_or_wrong(5, 100))
    found = estimate(paired(same, same))
    assert (found.mean, found.variances, found.known) == (0.0, (0.0, 0.0), False)
    assert all(math.isnan(end) for end in interval(found))
    assert math.isnan(tails([found], 0.0)[0])


def test_the_draws_of_other_examples_are_independent() -> None:
    right = right_or_wrong(4, 150)
    apart = estimate(paired(entry(right, "a"), entry(right, "b"))).variances[1]
    alone = estimate(entry(right)).variances[1]
    assert apart == pytest.approx(2 * alone, rel=0.25)


def test_an_average_of_tasks_has_the_mean_of_their_variances_over_their_number() -> None:
    parts = [entry(right_or_wrong(6, 120, seed=seed), f"task {seed}") for seed in range(3)]
    found = estimate(mean_sample(parts))
    assert found.mean == pytest.approx(np.mean([part.scores.mean() for part in parts]))
    assert found.variances[1] == pytest.approx(sum(estimate(part).variances[1] for part in parts) / 9, rel=0.25)


def test_an_interval_worked_out_by_hand() -> None:
    # V = 4 + 1; 1 / df = (4/5) / 4 + (1/5) / 99, df = 4.9500; t(0.975, 4.95) = 2.578; 2.578 · sqrt(5) = 5.766
    low, high = interval(Estimate(70.0, (4.0, 1.0), (4.0, 99.0)))
    half = student.ppf(0.975, 1 / (0.8 / 4 + 0.2 / 99)) * math.sqrt(5)
    assert (low, high) == (pytest.approx(70 - half), pytest.approx(70 + half))
    assert half == pytest.approx(5.766, abs=2e-3)


def test_one_seed_has_no_interval_whatever_its_examples_say() -> None:
    found = estimate(entry(right_or_wrong(1, 100)))
    assert found.variances == ()
    assert all(math.isnan(end) for end in interval(found))


def test_two_seeds_get_the_margin_of_the_tests() -> None:
    low, high = interval(Estimate(70.0, (4.0, 1.0), (1.0, 99.0)))
    half = math.sqrt(student.ppf(0.975, 1) ** 2 * 4 + student.ppf(0.975, 99) ** 2)
    assert (low, high) == (pytest.approx(70 - half), pytest.approx(70 + half))


@pytest.mark.parametrize("mean", [-9.0, -1.0, 0.0, 0.3, 4.0, 25.0])
@pytest.mark.parametrize("at", [-1.0, 0.0, 2.5])
def test_a_p_value_is_the_level_at_which_the_margin_reaches(mean: float, at: float) -> None:
    variances, degrees = np.array([[4.0, 1.0]]), np.array([[2.0, 55.0]])
    (p,) = tails([Estimate(mean, (4.0, 1.0), (2.0, 55.0))], at)

    def beyond(tail: float) -> float:
        return float(margins(variances, degrees, np.array([tail]))[0]) - abs(mean - at)

    expected = brentq(beyond, 1e-9, 0.5) if mean != at else 0.5
    assert p == pytest.approx(expected if mean >= at else 1 - expected, abs=1e-6)


def test_over_seeds_alone_a_p_value_is_student_s() -> None:
    gaps = np.array([1.0, 2.5, 0.5, 3.0, 1.5])
    found = estimate(Sample(tuple(range(5)), gaps))
    for at in (-1.0, 0.0, 2.0):
        assert tails([found], at)[0] == pytest.approx(ttest_1samp(gaps, at, alternative="greater").pvalue, rel=1e-6)


def test_the_interval_of_a_test_ends_where_its_p_value_is_the_level() -> None:
    found = Estimate(3.0, (1.0, 0.5), (4.0, 60.0))
    low, high = held(found, 0.004)
    assert tails([found], low)[0] == pytest.approx(0.004, rel=1e-6)
    assert 1 - tails([found], high)[0] == pytest.approx(0.004, rel=1e-6)


def test_estimates_with_and_without_a_spread_are_tested_together() -> None:
    several = tails([Estimate(1.0), Estimate(3.0, (1.0,), (4.0,)), Estimate(3.0, (1.0, 1.0), (4.0, 9.0))], 0.0)
    assert math.isnan(several[0])
    assert several[1] == pytest.approx(student.sf(3, 4), rel=1e-6)
    assert several[2] > several[1]


def test_no_p_value_is_below_what_is_looked_for() -> None:
    far = [Estimate(mean, (1.0,), (50.0,)) for mean in (1e9, -1e9, 0.0)]
    assert tails(far, 0.0).tolist() == [pytest.approx(1e-12, rel=1e-9), 1 - 1e-12, pytest.approx(0.5, rel=1e-9)]


def test_what_is_tested_together_comes_to_what_it_does_alone() -> None:
    generator = np.random.default_rng(0)
    parts = generator.exponential(size=(200, 2)) ** 3, generator.integers(1, 60, size=(200, 2)).astype(float)
    means = generator.normal(size=200) * generator.choice([0.1, 1, 10, 1e3], size=200)
    several = [Estimate(*row) for row in zip(means, map(tuple, parts[0]), map(tuple, parts[1]), strict=True)]
    alone = [tails([each], 0.0)[0] for each in several]
    assert tails(several, 0.0) == pytest.approx(alone, rel=1e-10)
