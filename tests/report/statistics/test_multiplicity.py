"""Holm's procedure against enumeration, the two doors of tasks, and the levels that intervals are drawn at."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from bench.report.statistics.multiplicity import holm, two_doors

LEVEL = 0.05


def test_holm_by_hand() -> None:
    # two comparisons, four hypotheses may be true; after both of the first's are rejected only three may
    found = holm(np.array([[0.001, 0.999, 0.004], [0.015, 0.985, 0.9]]), LEVEL)
    assert found.p == pytest.approx(np.array([[0.004, 1, 0.016], [0.045, 1, 1]]))
    assert found.levels[0] == pytest.approx([LEVEL / 4, LEVEL / 3, LEVEL / 4])
    assert found.levels[1] == pytest.approx(
        [LEVEL / 3, LEVEL / 3, LEVEL / 3]
    )  # 0.9 stays, and all after it at its level


def test_one_comparison_alone_is_tested_two_sided() -> None:
    assert holm(np.array([[0.01, 0.99, 0.7]]), LEVEL).p[0, 0] == pytest.approx(0.02)


def test_a_comparison_without_p_values_is_no_part_of_the_family() -> None:
    nothing = [math.nan] * 3
    adjusted = holm(np.array([nothing, [0.01, 0.99, 0.7], nothing]), LEVEL).p
    assert adjusted[1, 0] == pytest.approx(0.02)
    assert np.isnan(adjusted[[0, 2]]).all()
    assert np.isnan(holm(np.array([nothing]), LEVEL).p).all()


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


def drawn(seed: int, rows: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    above = generator.beta(0.2, 3, rows)
    return np.stack([above, 1 - above, generator.beta(0.5, 4, rows)], axis=1)


@pytest.mark.parametrize("seed", range(20))
def test_holm_counts_the_hypotheses_that_can_still_be_true(seed: int) -> None:
    p = drawn(seed, 3)
    expected, found = slow_holm(p), holm(p, LEVEL).p
    decided = expected < 0.5  # beyond it a direction and its contrary would both be rejected
    assert found[decided] == pytest.approx(expected[decided])
    assert (found[~decided] >= 0.5).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_p_value_is_within_its_level_where_the_adjusted_one_is_and_only_there(seed: int) -> None:
    p = drawn(seed, 8)
    found = holm(p, LEVEL)
    assert ((p <= found.levels) == (found.p <= LEVEL)).all()
    doors = two_doors(p, np.array([0.01, 0.3, math.nan]), LEVEL, [0, 0, 0, 1, 1, 2, 2, 2])
    assert ((p <= doors.levels) == (doors.p <= LEVEL)).all()


def test_a_task_below_an_average_that_differs_is_tested_among_its_own_line_s_tasks() -> None:
    p = np.array([[0.004, 0.996, 1.0], *[[0.5, 0.5, 1.0]] * 9])
    blocks = [0, 0, *range(1, 9)]
    closed = two_doors(p, np.full(9, 0.2), LEVEL, blocks)
    opened = two_doors(p, np.array([0.02, *[0.2] * 8]), LEVEL, blocks)
    assert closed.p[0, 0] == pytest.approx(2 * 20 * 0.004)  # by the door of all ten tasks, at half the level
    assert opened.p[0, 0] == pytest.approx(max(0.02, 2 * 4 * 0.004))  # by that of its two
    assert opened.p[1:] == pytest.approx(closed.p[1:])
    assert opened.levels[0, 0] == pytest.approx(LEVEL / 2 / 4)


def test_a_task_that_differs_by_far_needs_no_average() -> None:
    p = np.array([[1e-4, 1 - 1e-4, 1.0], *[[0.5, 0.5, 1.0]] * 9])
    found = two_doors(p, np.full(10, math.nan), LEVEL, list(range(10)))
    assert found.p[0, 0] == pytest.approx(2 * 20 * 1e-4)


def test_what_an_average_opens_costs_the_others_nothing() -> None:
    p = np.array([[0.0009, 0.9991, 1.0], [0.002, 0.998, 1.0]])
    gates = np.array([0.9, 0.01])
    assert two_doors(p, gates, LEVEL, [0, 1]).p[0] == pytest.approx(
        two_doors(p, np.array([0.9, 0.9]), LEVEL, [0, 1]).p[0]
    )
