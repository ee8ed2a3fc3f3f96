"""How many seeds or rows would decide: against formulas, and against tests of drawn runs with so many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, t

from bench.report.statistics.collapse import Parted
from bench.report.statistics.differences import Side, difference
from bench.report.statistics.intervals import held
from bench.report.statistics.needed import MOST_SEEDS, Need, contest_needs, verdict_needs
from bench.report.statistics.samples import Sample

BORROWED = 1000.0  # degrees of freedom: as good as a spread that is known


def side(mean: float, seeds: int = 3, variance: float = 1.0, rows: float = 0.0, borrowed: float = BORROWED) -> Side:
    """A line of this mean and variance of a run; its draws vary by `rows` points² as no other line's do."""
    scores = mean + np.linspace(-1, 1, seeds)
    rng = np.random.default_rng(int(1000 * mean) % 97)
    draws = rng.normal(0, 1, 4000)
    draws = None if rows == 0 else mean + np.sqrt(rows) * (draws - draws.mean()) / draws.std(ddof=1)
    sample = Sample(tuple(range(seeds)), scores, None if draws is None else np.tile(draws, (seeds, 1)), 10**6)
    return Side(Parted(sample, sample, (), (), flat=False), variance, seeds - 1 + borrowed, draws, 0.0)


def seeds_by_hand(gap: float, margin: float, level: float) -> int:
    """Of two lines with runs of variance 1, whose spread is known: the errors of the test and of its power add up."""
    wanted = (norm.isf(level) + norm.ppf(0.8)) / max(abs(gap), margin - abs(gap))
    return int(np.ceil(2 * wanted**2))


@pytest.mark.parametrize(("gap", "margin", "level"), [(1.0, 0.5, 0.025), (2.0, 1.0, 0.001), (0.8, 1.0, 0.05 / 22)])
def test_seeds_are_those_of_the_textbook_where_the_spread_is_known(gap: float, margin: float, level: float) -> None:
    found = verdict_needs([(side(50 + gap), side(50.0))], 1.0, margin, level)
    assert found is not None
    assert found.rows == 1
    assert found.seeds == pytest.approx(seeds_by_hand(gap, margin, level), abs=1)


@pytest.mark.parametrize("gap", [0.0, 1.0, 1.5])
def test_with_so_many_seeds_four_of_five_drawn_comparisons_are_decided(gap: float) -> None:
    """The lines' own spread alone is used, as where none can be borrowed; the runs are drawn anew each time."""
    margin, level = 2.0 if gap == 0 else 0.5, 0.01
    found = verdict_needs([(side(50 + gap, borrowed=4.0), side(50.0, borrowed=4.0))], 1.0, margin, level)
    assert found is not None
    rng, decided, worlds, n = np.random.default_rng(1), 0, 1000, found.seeds
    for _ in range(worlds):
        runs = rng.normal([[gap], [0.0]], 1.0, (2, n))
        prior = rng.chisquare(4, 2) / 4  # the borrowed part of the estimate
        variances = (4 * prior + (n - 1) * runs.var(axis=1, ddof=1)) / (n + 3)
        lines = [
            side(float(mean), n, float(of), borrowed=4.0) for mean, of in zip(runs.mean(1), variances, strict=True)
        ]
        low, high = held(difference(*_with_means(lines, runs)).tested, level)
        decided += not low <= 0 <= high or (-margin < low and high < margin)
    assert 0.75 <= decided / worlds <= 0.88  # seeds are whole


def _with_means(lines: list[Side], runs: Any) -> list[Side]:
    """The lines with these runs' means."""
    from dataclasses import replace

    return [
        replace(line, parted=replace(line.parted, runs=replace(line.runs, scores=of_line)))
        for line, of_line in zip(lines, runs, strict=True)
    ]


def test_more_tests_need_more_seeds_and_an_average_of_tasks_fewer() -> None:
    pair = (side(51.0), side(50.0))
    alone, among_many = (verdict_needs([pair], 1.0, 0.5, level) for level in (0.025, 0.0005))
    of_four = verdict_needs([pair] * 4, 1.0, 0.5, 0.025)
    assert alone is not None
    assert among_many is not None
    assert of_four is not None
    assert alone.seeds < among_many.seeds
    assert of_four.seeds == pytest.approx(alone.seeds / 4, abs=1)


def test_rows_are_said_where_no_number_of_seeds_would_do() -> None:
    """The examples' part is 1 point², by which a gap of 1.5 is never shown at 1 %, however many seeds there are."""
    line, reference = side(51.5, 5, 0.01, rows=1.0), side(50.0, 5, 0.01)
    pair = (line, _with_draws(reference))
    found = verdict_needs([pair], 1.0, 0.5, 0.005)
    assert found is not None
    assert found.seeds == 5
    by_hand = 1.0 / ((1.5 / (norm.isf(0.005) + norm.ppf(0.8))) ** 2 - 2 * 0.01 / 5)
    assert found.rows == pytest.approx(by_hand, rel=0.01)
    assert found.text() == f"{by_hand:.2g} times the scored rows"


def _with_draws(of: Side) -> Side:
    from dataclasses import replace

    return replace(of, means=np.full(4000, 50.0), parted=replace(of.parted, runs=replace(of.runs, num_units=10**6)))


def test_the_margin_and_the_order_both_decide_against_the_best() -> None:
    """A line that is 0.2 below is to be shown within 1 point of it; one that is 3 below, to be below it."""
    near, far = (contest_needs([(side(50 - gap), side(50.0))], 1.0, 1.0, 0.01) for gap in (0.2, 3.0))
    assert near is not None
    assert far is not None
    for found, distance in ((near, 0.8), (far, 3.0)):
        wanted = (norm.isf(0.01) + norm.ppf(0.8)) / distance
        assert found.seeds == pytest.approx(max(4, np.ceil(2 * wanted**2)), abs=1)


def test_nothing_is_told_without_a_spread_and_out_of_reach_is_said() -> None:
    assert verdict_needs([(side(51.0, 1), side(50.0, 1))], 1.0, 1.0, 0.01) is None
    assert verdict_needs([(side(51.0), side(50.0))], 1.0, 1.0, float("nan")) is None
    found = verdict_needs([(side(50.5, variance=1e4), side(50.0, variance=1e4))], 1.0, 1.0, 0.01)
    assert found == Need(now=3)
    assert found.is_out_of_reach
    assert found.text() == f"more than {MOST_SEEDS} seeds and 100 times the scored rows"


def test_few_runs_of_their_own_need_the_quantile_of_student() -> None:
    """No spread is borrowed: each line's part keeps its own quantile until both have 5 degrees of freedom."""
    gap, level = 12.0, 0.001
    found = verdict_needs([(side(50 + gap, borrowed=0.0), side(50.0, borrowed=0.0))], 1.0, 1.0, level)
    assert found is not None
    error = np.sqrt(2 / 4) * t.isf(level, 3) + np.sqrt(2 / 4) * norm.ppf(0.8)  # of 4 seeds each
    assert (found.seeds == 4) == (error <= gap)
