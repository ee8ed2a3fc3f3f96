"""Simulated grids: intervals hold the truth about as often as they say, and hardly a grid has a wrong verdict.

With 250 grids a rate of 95 % has a standard error of 1.4 points; tests/perf/coverage.py does it with 2,000.
"""

from __future__ import annotations

import pytest

from tests.perf.coverage import TRUTHS, WORLDS, simulate

NUM_GRIDS = 250


@pytest.mark.parametrize("num_seeds", [3, 5])
def test_intervals_cover_and_verdicts_are_right(num_seeds: int) -> None:
    counts = simulate(WORLDS[1], num_seeds, range(NUM_GRIDS))
    for what in ("mean", "difference"):
        covered = [100 * counts[f"{what} {name}"] / NUM_GRIDS for name in TRUTHS]
        assert min(covered) > 91
        assert 93 < sum(covered) / len(covered) < 98
    assert counts["wrong"] < 0.05 * NUM_GRIDS
    assert counts["outside better"] > counts["at + better"]


def test_more_seeds_decide_more() -> None:
    decided = [simulate(WORLDS[0], num_seeds, range(40))["none matches"] for num_seeds in (3, 10)]
    assert decided[0] < decided[1]
    assert decided[1] > 20


def test_an_interval_over_seeds_of_examples_alone_would_miss() -> None:
    """The simulation can fail: leave out the level of seeds and far fewer intervals hold the truth."""
    from bench.report.statistics.intervals import Estimate, estimate, interval
    from tests.perf.coverage import REFERENCE, draw

    held = 0
    for grid in range(100):
        found = estimate(draw(WORLDS[2], 3, grid)["none"])
        low, high = interval(Estimate(found.mean, found.variances[1:], found.degrees[1:]))
        held += low <= REFERENCE <= high
    assert held < 75
