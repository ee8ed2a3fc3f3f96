"""Differences of two lines against scipy, what limits them, and all that must not flatter a line."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, t, ttest_ind

from bench.report.statistics.differences import (
    ONE_SEED,
    Side,
    average,
    difference,
    directions,
    improvement,
    joined,
    sides,
)
from bench.report.statistics.intervals import shared_variance
from bench.report.statistics.samples import Sample
from tests.report.statistics.test_intervals import entry as of_answers
from tests.report.statistics.test_intervals import right_or_wrong, slow_variance

ONE, OTHER = {0: 61.0, 1: 65.0, 2: 63.5}, {0: 60.0, 1: 63.0, 2: 63.0}


def entry(scores: dict[int, float]) -> Sample:
    return Sample(tuple(scores), np.array(list(scores.values())))


def side(one: Sample) -> Side:
    """Alone: nothing can be borrowed."""
    return sides({("task", "model", "line"): one}, ["task"]).of["task", "model", "line"]


def test_over_seeds_alone_the_variance_is_welch_s() -> None:
    found = difference(side(entry(ONE)), side(entry(OTHER)))
    welch = ttest_ind(list(ONE.values()), list(OTHER.values()), equal_var=False)
    assert math.sqrt(sum(found.parts.variances)) == pytest.approx(found.parts.mean / welch.statistic)
    assert (found.parts.degrees, found.notes) == ((2.0, 2.0), ("over seeds alone",))


def test_what_seeds_are_called_changes_nothing() -> None:
    """Other seeds for one method than for the other, or more of them: every run that there is counts."""
    here = difference(side(entry(ONE)), side(entry(OTHER)))
    there = difference(side(entry(ONE)), side(entry({seed + 7: score for seed, score in OTHER.items()})))
    assert there == here
    more = difference(side(entry(ONE)), side(entry(OTHER | {9: 61.0})))
    assert more.parts.mean == pytest.approx(np.mean(list(ONE.values())) - (60 + 63 + 63 + 61) / 4)
    assert more.parts.degrees == (2.0, 3.0)


def test_examples_are_paired() -> None:
    """The part of examples is that of the two-way table of each line's answers, less the other's, at the same rows."""
    one, other = right_or_wrong(5, 200, seed=1), right_or_wrong(5, 200, seed=2)
    found = difference(side(of_answers(one)), side(of_answers(other)))
    assert found.parts.variances[0] == pytest.approx(slow_variance(100 * one)[0])
    assert found.parts.variances[1] == pytest.approx(slow_variance(100 * other)[0])
    gaps = 100 * (one.mean(axis=0) - other.mean(axis=0))
    own = [100 * (rows - rows.mean(axis=0) - rows.mean(axis=1, keepdims=True) + rows.mean()) for rows in (one, other)]
    residual = sum((each**2).sum() / 4 / 199 for each in own) / 5
    assert found.parts.variances[2] == pytest.approx((gaps.var(ddof=1) - residual) / 200, rel=0.1)
    assert found.parts.degrees == (4.0, 4.0, 199.0)


def test_the_same_runs_on_both_sides_do_not_make_a_difference_sure() -> None:
    """Equal predictions leave no part of examples, but new runs of either line would differ."""
    same = side(of_answers(right_or_wrong(5, 100)))
    found = difference(same, same).parts
    assert (found.mean, found.variances[2]) == (0.0, 0.0)
    assert found.variances[0] == found.variances[1] > 0


def test_equal_scores_everywhere_decide_nothing() -> None:
    flat = side(entry({0: 60.0, 1: 60.0, 2: 60.0}))
    found = difference(flat, side(entry({0: 50.0, 1: 50.0, 2: 50.0})))
    assert found.notes[-1] == "no spread over seeds or examples: no interval"
    assert np.isnan(directions([found], 1.0)).all()


@pytest.mark.parametrize("few", [{0: 61.0}, {5: 61.0}])
def test_one_seed_gives_a_difference_and_no_more(few: dict[int, float]) -> None:
    found = difference(side(entry(few)), side(entry({0: 60.0, 1: 64.0})))
    assert (found.parts.mean, found.num_seeds, found.notes, found.tested.known) == (-1.0, 1, (ONE_SEED,), False)


@pytest.mark.parametrize(("one", "other"), [(None, {0: 60.0}), ({0: 60.0}, None)])
def test_a_missing_side_gives_no_difference(one: dict[int, float] | None, other: dict[int, float] | None) -> None:
    found = difference(side(entry(one)) if one else None, side(entry(other)) if other else None)
    assert math.isnan(found.parts.mean)
    assert found.notes in (("no finished seed",), ("no reference here",))


def test_matching_is_two_one_sided_t_tests_at_the_margin() -> None:
    found = difference(side(entry({seed: 61.0 + 0.3 * (seed % 3) for seed in range(8)})),
                       side(entry({seed: 60.7 + 0.2 * seed for seed in range(8)})))  # fmt: skip
    variance, degrees = sum(found.tested.variances), found.tested.degrees[0]
    (p,) = directions([found], 1.5)
    below, above = ((found.parts.mean + sign * 1.5) / math.sqrt(variance) for sign in (1, -1))
    assert p[2] == pytest.approx(max(t.sf(below, degrees), t.cdf(above, degrees)), abs=1e-6)
    assert p[0] == pytest.approx(t.sf(found.parts.mean / math.sqrt(variance), degrees), abs=1e-6)


def test_two_spreads_that_are_known_well_are_one_part_by_satterthwaite() -> None:
    total, free = joined(*(np.array([value]) for value in (2.0, 1.0, 8.0, 5.0)))
    assert (total[0], free[0]) == (3.0, pytest.approx(9 / (4 / 8 + 1 / 5)))
    assert joined(*(np.array([value]) for value in (2.0, 1.0, 8.0, 4.0)))[1][0] == 0.0


def test_an_average_adds_up_the_tasks_parts() -> None:
    parts = [
        difference(side(of_answers(right_or_wrong(4, 90, seed=at), f"task {at}")),
                   side(of_answers(right_or_wrong(4, 90, seed=9 + at), f"task {at}")))
        for at in range(3)
    ]  # fmt: skip
    found = average(parts, 1.5).parts
    assert found.mean == pytest.approx(np.mean([part.parts.mean for part in parts]))
    for at, raised in enumerate((1.5, 1.5, 1.0)):
        own = np.array([part.parts.variances[at] for part in parts])
        free = np.array([part.parts.degrees[at] for part in parts])
        assert found.variances[at] == pytest.approx(raised * own.sum() / 9)
        assert found.degrees[at] == pytest.approx(own.sum() ** 2 / (own**2 / free).sum())


def test_an_average_without_one_of_its_tasks_is_none() -> None:
    part = difference(side(entry(ONE)), side(entry(OTHER)))
    assert math.isnan(average([part, difference(None, side(entry(OTHER)))], 1.0).parts.mean)


def test_seeds_that_rise_and_fall_together_on_all_tasks_raise_the_average_s_variance() -> None:
    luck = np.random.default_rng(0).normal(0, 2, 40)
    noise = np.random.default_rng(1).normal(0, 2, (4, 40))
    for shared, expected in ((luck, 1 + 3 * 0.5), (np.zeros(40), 1.0)):
        lines = {(f"task {at}", "model", "line"): Sample(tuple(range(40)), 70 + shared + noise[at]) for at in range(4)}
        found = sides(lines, [f"task {at}" for at in range(4)]).together
        assert found == pytest.approx(expected, rel=0.3)
        assert found >= 1.0


def test_one_run_that_trained_has_no_shared_part() -> None:
    assert shared_variance(of_answers(right_or_wrong(1, 50))) == 0.0


def test_the_probability_of_improvement_is_mann_whitneys() -> None:
    one, other = np.array([61.0, 65.0, 63.0]), np.array([60.0, 63.0, 64.0, 61.0])
    u = mannwhitneyu(one, other).statistic
    assert improvement([one], [other]) == pytest.approx(u / 12)
    assert improvement([one, one], [other, np.array([99.0])]) == pytest.approx(u / 24)
