"""Moderated variances against Smyth's formulas worked out apart, root finding, and what the model promises."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import f as fisher

from bench.report.statistics.moderation import moderate, trigamma_inverse


def cells(num: int, true: np.ndarray, degrees: float, seed: int) -> np.ndarray:
    return true * np.random.default_rng(seed).chisquare(degrees, num) / degrees


def alone(num: int) -> list[tuple[str, str, str]]:
    """Cells of one line, task and model: the prior has one effect, the mean."""
    return [("line", "task", "model")] * num


@pytest.mark.parametrize("value", [1e-4, 0.01, 0.3, 1.644934, 20.0, 1e4])
def test_the_inverse_of_trigamma_is_the_root_that_scipy_finds(value: float) -> None:
    expected = brentq(lambda x: float(polygamma(1, x)) - value, 1e-6, 1e7, xtol=1e-14, rtol=1e-14)
    assert trigamma_inverse(np.array([value]))[0] == pytest.approx(expected, rel=1e-6)


def test_moderation_by_hand() -> None:
    """Twelve cells of 2 degrees of freedom: Smyth's section 6.2 in plain sums, with the mean's own variance added."""
    variances = np.array([1.0, 2.0, 0.5, 4.0, 1.5, 0.8, 3.0, 0.2, 1.1, 2.4, 0.6, 6.0])
    e = [np.log(s) - digamma(1.0) + np.log(1.0) for s in variances]
    mean = sum(e) / 12
    spread = sum((one - mean) ** 2 for one in e) / 11
    sampling = float(polygamma(1, 1.0))
    between = max(spread - sampling, 0.0)
    predicted = between + (between + sampling) / 12
    half = brentq(lambda x: float(polygamma(1, x)) - predicted, 1e-3, 1e6)
    prior = np.exp(mean + digamma(half) - np.log(half))
    expected = (2 * half * prior + 2 * variances) / (2 * half + 2)
    found, degrees = moderate(variances, np.full(12, 2.0), alone(12), np.ones(12, dtype=bool))
    usual = fisher.cdf(variances / prior, 2, 2 * half) <= 0.95
    assert usual.sum() >= 11
    assert found[usual] == pytest.approx(expected[usual])
    assert degrees[usual] == pytest.approx(2 * half + 2)


def test_the_prior_s_degrees_of_freedom_are_found_again() -> None:
    """A true d0 of 6 over 4,000 cells; Smyth's estimate has an error of about a tenth of it."""
    true = 3.0 * 6 / np.random.default_rng(5).chisquare(6, 4000)
    _, degrees = moderate(cells(4000, true, 2, 6), np.full(4000, 2.0), alone(4000), np.ones(4000, dtype=bool))
    assert np.median(degrees) - 2 == pytest.approx(6, rel=0.15)


def test_moderated_t_is_student_s_with_the_degrees_it_says() -> None:
    """With variances as the model has them, 1 % of differences of nothing are beyond the 1 % point."""
    from scipy.stats import t

    generator, beyond, num = np.random.default_rng(0), 0, 60
    for suite in range(200):
        true = 8 / generator.chisquare(8, num)
        means = generator.normal(0, np.sqrt(true / 3))
        found, degrees = moderate(
            cells(num, true, 2, 1000 + suite), np.full(num, 2.0), alone(num), np.ones(num, dtype=bool)
        )
        beyond += int((np.abs(means) / np.sqrt(found / 3) > t.isf(0.005, degrees)).sum())
    assert 0.006 < beyond / (200 * num) < 0.0115


def test_a_line_that_spreads_more_than_others_is_measured_by_its_own_cells() -> None:
    factors = [
        (line, f"task {task}", model) for line in ("steady", "wild") for task in range(5) for model in ("a", "b", "c")
    ]
    true = np.array([1.0 if line == "steady" else 25.0 for line, _, _ in factors])
    found, degrees = moderate(cells(30, true, 2, 1), np.full(30, 2.0), factors, np.ones(30, dtype=bool))
    steady, wild = np.median(found[:15]), np.median(found[15:])
    assert 0.4 < steady < 2.5
    assert 10 < wild < 60
    assert np.median(degrees) > 4


def test_a_cell_unlike_all_others_keeps_its_own_spread() -> None:
    variances = np.array([*cells(30, np.ones(30), 4, 2), 400.0])
    found, degrees = moderate(variances, np.full(31, 4.0), alone(31), np.ones(31, dtype=bool))
    assert (found[-1], degrees[-1]) == (400.0, 4.0)


def test_equal_scores_are_no_proof_of_no_spread() -> None:
    variances = np.array([0.0, *cells(20, np.ones(20), 2, 3)])
    factors = [("line", "task", f"model {at}") for at in range(21)]
    found, degrees = moderate(variances, np.full(21, 2.0), factors, np.ones(21, dtype=bool))
    assert 0.3 < found[0] < 1.2
    assert degrees[0] > 6


def test_a_single_run_has_the_spread_of_cells_like_it() -> None:
    variances, degrees = np.array([0.0, *cells(20, np.full(20, 4.0), 2, 4)]), np.array([0.0, *np.full(20, 2.0)])
    factors = [("line", "task", f"model {at}") for at in range(21)]
    found, free = moderate(variances, degrees, factors, np.ones(21, dtype=bool))
    assert 2 < found[0] < 6
    assert 0 < free[0] < free[1]


def test_a_line_of_which_no_cell_is_known_borrows_from_all() -> None:
    factors = [(line, "task", f"model {at}") for line in "ab" for at in range(10)] + [("c", "task", "model 0")]
    known = np.array([True] * 20 + [False])
    variances, degrees = np.array([*cells(20, np.full(20, 4.0), 2, 4), 0.0]), np.array([*np.full(20, 2.0), 0.0])
    found, free = moderate(variances, degrees, factors, known)
    alike, free_alike = moderate(variances, degrees, alone(21), known)
    assert (found[-1], free[-1]) == (pytest.approx(alike[-1]), pytest.approx(free_alike[-1]))


@pytest.mark.parametrize("num", [1, 2, 5])
def test_few_cells_lend_nothing(num: int) -> None:
    variances = cells(num, np.ones(num), 2, 0)
    found, degrees = moderate(variances, np.full(num, 2.0), alone(num), np.ones(num, dtype=bool))
    assert (found == variances).all()
    assert (degrees == 2).all()
