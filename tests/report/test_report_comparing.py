"""Pairs, equivalence tests and Holm's procedure against scipy and against enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, ttest_rel

from bench.report.comparing import ONE_SEED, difference, directions, holm, improvement
from bench.report.entries import Entry


def entry(scores: dict[int, float]) -> Entry:
    return Entry(tuple(scores), np.array(list(scores.values())))


def test_a_pair_with_the_same_seeds_is_paired_by_seed() -> None:
    one, other = {0: 61.0, 1: 65.0, 2: 63.5}, {0: 60.0, 1: 63.0, 2: 63.0}
    (p,) = directions([difference(entry(one), entry(other))], 10.0)
    expected = ttest_rel(list(one.values()), list(other.values()), alternative="greater").pvalue
    assert p[:2] == pytest.approx([expected, 1 - expected], abs=1e-6)


def test_matching_is_two_one_sided_t_tests_at_the_margin() -> None:
    one, other = {seed: 61.0 + 0.3 * (seed % 3) for seed in range(6)}, {seed: 60.7 + 0.2 * seed for seed in range(6)}
    (p,) = directions([difference(entry(one), entry(other))], 1.5)
    gaps = np.array(list(one.values())) - np.array(list(other.values()))
    below = ttest_rel(gaps + 1.5, np.zeros(6), alternative="greater").pvalue
    above = ttest_rel(gaps - 1.5, np.zeros(6), alternative="less").pvalue
    assert p[2] == pytest.approx(max(below, above), abs=1e-6)


def test_seeds_that_one_of_a_pair_lacks_are_left_out() -> None:
    found = difference(entry({0: 61.0, 1: 65.0, 2: 90.0}), entry({0: 60.0, 1: 63.0}))
    assert (found.found.mean, found.num_seeds) == (1.5, 2)
    assert found.note == "the 2 seeds that both have; over seeds alone"


def test_entries_without_common_seeds_are_two_samples() -> None:
    found = difference(entry({0: 61.0, 1: 65.0}), entry({5: 60.0, 6: 63.0, 7: 60.0}))
    assert (found.found.mean, found.num_seeds) == (2.0, 2)
    assert found.note == "not paired by seed; over seeds alone"
    assert found.found.known


def test_one_seed_gives_a_difference_and_no_more() -> None:
    found = difference(entry({0: 61.0}), entry({0: 60.0, 1: 63.0}))
    assert (found.found.mean, found.num_seeds, found.note, found.found.known) == (1.0, 1, ONE_SEED, False)


@pytest.mark.parametrize(("one", "other"), [(None, {0: 60.0}), ({0: 60.0}, None)])
def test_a_missing_side_gives_no_difference(one: dict[int, float] | None, other: dict[int, float] | None) -> None:
    found = difference(entry(one) if one else None, entry(other) if other else None)
    assert math.isnan(found.found.mean)
    assert found.note in ("no finished seed", "no reference here")


def test_the_probability_of_improvement_is_mann_whitneys() -> None:
    one, other = {0: 61.0, 1: 65.0, 2: 63.0}, {0: 60.0, 1: 63.0, 2: 64.0, 3: 61.0}
    u = mannwhitneyu(list(one.values()), list(other.values())).statistic
    assert improvement([entry(one)], [entry(other)]) == pytest.approx(u / 12)
    assert improvement([entry(one), entry(one)], [entry(other), entry({0: 99.0})]) == pytest.approx(u / 24)


def test_holm_by_hand() -> None:
    # two comparisons, four hypotheses may be true; after both of the first's are rejected only three may
    p = np.array([[0.001, 0.999, 0.004], [0.015, 0.985, 0.9]])
    assert holm(p) == pytest.approx(np.array([[0.004, 1, 0.016], [0.045, 1, 1]]))


def test_one_comparison_alone_is_tested_two_sided() -> None:
    assert holm(np.array([[0.01, 0.99, 0.7]]))[0, 0] == pytest.approx(0.02)


def test_a_comparison_without_p_values_is_no_part_of_the_family() -> None:
    nothing = [math.nan] * 3
    adjusted = holm(np.array([nothing, [0.01, 0.99, 0.7], nothing]))
    assert adjusted[1, 0] == pytest.approx(0.02)
    assert np.isnan(adjusted[[0, 2]]).all()
    assert np.isnan(holm(np.array([nothing]))).all()


# The difference is at or above the margin, above 0, 0, below 0, at or below minus the margin.
TRUE_NULLS = ({1, 2}, {1}, {0, 1}, {0}, {0, 2})


def slow_holm(p: np.ndarray) -> np.ndarray:
    """By going through all states of the world: how many hypotheses may be true, given which were rejected."""
    num = len(p)
    worlds = [
        {(row, column) for row, nulls in enumerate(world) for column in nulls}
        for world in itertools.product(TRUE_NULLS, repeat=num)
    ]
    adjusted, most, rejected = np.empty_like(p), 0.0, set()
    for at in np.argsort(p, axis=None, kind="stable"):
        key = divmod(int(at), 3)
        possible = [len(world) for world in worlds if not world & rejected]
        left = max(possible, default=0) or 1
        most = max(most, min(1.0, p[key] * left))
        adjusted[key] = most
        rejected.add(key)
    return adjusted


@pytest.mark.parametrize("seed", range(20))
def test_holm_counts_the_hypotheses_that_can_still_be_true(seed: int) -> None:
    generator = np.random.default_rng(seed)
    above = generator.beta(0.3, 3, 3)
    p = np.stack([above, 1 - above, generator.beta(0.5, 4, 3)], axis=1)
    expected, found = slow_holm(p), holm(p)
    decided = expected < 0.5  # beyond it a direction and its contrary would both be rejected
    assert found[decided] == pytest.approx(expected[decided])
    assert (found[~decided] >= 0.5).all()
