"""Which lines may be the best and which are within the margin of it, against formulas and in worlds that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from bench.report.statistics.contest import Chances, contest
from bench.report.statistics.pairs import Lines


def lines(means: list[float], error: float = 1.0, degrees: float = 20.0) -> Lines:
    """Lines whose means have this standard error each, known by so many degrees of freedom."""
    size = len(means)
    nothing, free = np.zeros((size, size)), np.full(size, degrees)
    return Lines(np.array(means), np.full(size, error**2), free, nothing, np.ones((size, size)))


def held(of: Lines, margin: float = 1.0, level: float = 0.05, chances: Chances | None = None) -> tuple[list[bool], ...]:
    found = contest([of], margin, level, chances or Chances.none(len(of.means)))
    return found.contenders.tolist(), found.within.tolist()


def reach(size: int, degrees: float = 20.0) -> float:
    """What a difference of two such lines errs by, at 5 % over size - 1: of equal spreads Satterthwaite has 2 d."""
    return float(np.sqrt(2) * t.isf(0.05 / (size - 1), 2 * degrees))


def test_a_line_is_a_contender_until_another_is_shown_to_be_above_it() -> None:
    gap = reach(3)
    assert held(lines([0.0, gap - 1e-6, 0.0]))[0] == [True, True, True]
    assert held(lines([0.0, gap + 1e-6, 0.0]))[0] == [False, True, False]


def test_what_is_shown_by_a_line_that_is_not_the_highest_counts_too() -> None:
    """The lowest is below the second by little error, whatever is known of the first."""
    of = Lines(
        np.array([9.0, 8.0, 0.0]), np.array([100.0, 0.1, 0.1]), np.full(3, 50.0), np.zeros((3, 3)), np.ones((3, 3))
    )
    assert held(of)[0] == [True, True, False]


def test_the_most_that_a_line_is_below_the_best_is_over_all_contenders() -> None:
    found = contest([lines([0.0, 0.5, 0.25])], 1.0, 0.05, Chances.none(3))
    assert found.below == pytest.approx([0.5 + reach(3), reach(3) - 0.25, 0.25 + reach(3)])
    assert not found.within.any()


def test_within_the_margin_is_what_the_bound_says() -> None:
    error = 0.3
    most = 0.3 * reach(3) + 0.2
    assert held(lines([5.0, 4.8, -9.0], error), margin=most + 1e-6)[1][:2] == [True, True]
    assert held(lines([5.0, 4.8, -9.0], error), margin=most - 1e-6)[1][:2] == [True, False]


def test_the_only_contender_is_the_best_and_nothing_below_it() -> None:
    found = contest([lines([50.0, 40.0, 30.0])], 1.0, 0.05, Chances.none(3))
    assert (found.contenders.tolist(), found.within.tolist()) == ([True, False, False], [True, False, False])
    assert found.below[0] == 0


def test_a_chance_that_a_line_without_a_trained_run_is_there_by_luck_keeps_it_in() -> None:
    of = lines([50.0, 0.0])
    by_luck = Chances(np.array([[0.0, 0.2], [0.0, 0.0]]), np.array([[0.0, 0.2], [1.0, 0.0]]))
    assert held(of)[0] == [True, False]
    contenders, within = held(of, chances=by_luck)
    assert (contenders, within) == ([True, True], [False, False])


def test_both_ways_to_part_a_lines_runs_must_show_it() -> None:
    ways = [lines([5.0, 0.0], 0.1), lines([5.0, 4.9], 3.0)]
    assert contest(ways, 1.0, 0.05, Chances.none(2)).contenders.tolist() == [True, True]


def test_nothing_is_known_without_a_spread() -> None:
    found = contest([lines([5.0, 0.0], error=0.0)], 1.0, 0.05, Chances.none(2))
    assert (found.contenders.tolist(), found.within.tolist()) == ([True, True], [False, False])
    assert np.isnan(found.below).all()


@pytest.mark.parametrize("truth", [[0.0] * 6, [0.0, 0.0, -1.0, -1.0, -2.0, -2.0], [0.0, -0.5, -3.0, -9.0, -9.0, -9.0]])
def test_what_is_said_is_wrong_in_one_world_of_twenty_at_most_though_the_best_is_chosen(truth: list[float]) -> None:
    """Wrong: the true best is no contender, a line within the margin is not, or is further below than is said."""
    rng, seeds, wrong, worlds = np.random.default_rng(0), 3, 0, 400
    theta = np.array(truth)
    for _ in range(worlds):
        runs = theta[:, None] + rng.normal(0, 1.0, (len(theta), seeds))
        spread = runs.var(axis=1, ddof=1) / seeds
        size = len(theta)
        of = Lines(runs.mean(axis=1), spread, np.full(size, seeds - 1.0), np.zeros((size, size)), np.ones((size, size)))
        found = contest([of], 1.0, 0.05, Chances.none(size))
        misses = not found.contenders[theta == theta.max()].any()
        misses |= bool((found.within & (theta < theta.max() - 1.0)).any())
        misses |= bool((theta.max() - theta > found.below + 1e-9).any())
        wrong += misses
    assert wrong <= 0.05 * worlds
