"""Simulated suites in which runs collapse: wrong verdicts stay rare, and verdicts are given.

Few suites, at fixed seeds: with 25 of them a rate of 5 % gives more than 4 in 1 of 100 tries. The whole table is
printed by tests/perf/verdict_worlds.py.
"""

from __future__ import annotations

import pytest

from tests.perf.verdict_worlds import WORLDS, simulate

SUITES = 25
BY_NAME = {world.name: world for world in WORLDS}


@pytest.mark.parametrize(
    "name", ["collapse 0.2 in all", "collapse 0.4 in methods", "collapse 0.4 in reference", "far never trains"]
)
def test_collapse_makes_few_verdicts_wrong(name: str) -> None:
    counts = simulate(BY_NAME[name], 3, SUITES)
    assert counts["averages"] <= 4
    assert counts["tasks"] <= 0.03 * counts["families"]


def test_without_collapse_differences_are_decided() -> None:
    three, five = (simulate(BY_NAME["no collapse"], seeds, SUITES) for seeds in (3, 5))
    shown = SUITES * BY_NAME["no collapse"].models
    assert three["task far worse"] >= 0.8 * shown  # 10 points on a task of 300 rows
    assert five["average at better"] >= 0.8 * shown  # 3 points on the average
    assert five["average below worse"] >= 0.8 * shown
    assert five["average none matches"] >= 0.6 * shown  # within 3
    assert five["averages"] <= 4


def test_a_method_that_never_trains_is_worse() -> None:
    world = BY_NAME["far never trains"]
    counts = simulate(world, 3, 10)
    assert counts["average far worse"] == 10 * world.models


def test_the_rule_of_before_is_wrong_where_the_reference_collapses() -> None:
    """The simulation can fail: means over all seeds, paired by seed, are wrong in far more than 5 % of suites."""
    world = BY_NAME["equal means over all runs"]
    before, now = (simulate(world, 3, 60, before=rule) for rule in (True, False))
    assert before["averages"] > 0.2 * 60
    assert now["averages"] <= 0.05 * 60
