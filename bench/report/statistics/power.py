"""What a number of seeds can show at all by the tests of the verdicts, said before a run as well as after it.

The test is that of statistics.judging: a difference is held against its margin (statistics.intervals.margins),
where each of two lines has the degrees of freedom of its own runs and those it borrows from other cells
(statistics.moderation). How many those are shows in the runs alone; here are the two ends, none and all of them.
"""

from __future__ import annotations

import math

import numpy as np

from bench.report.statistics.collapse import most
from bench.report.statistics.intervals import CONFIDENCE, margins

MANY = 1e6  # degrees of freedom: as good as a spread that is known


def errors_needed(num_seeds: int, num_tests: int, borrowed: float = 0.0) -> float:
    """Standard errors that a difference must have for the first of `num_tests` two-sided tests to reject at 5 %.

    Of two lines with `num_seeds` runs each, equal spreads, and `borrowed` degrees of freedom each, where nothing but
    runs varies; it takes less where examples do too. Infinite for one seed.
    """
    if num_seeds < 2:
        return math.inf
    degrees = np.full((1, 2), num_seeds - 1 + borrowed)
    return float(margins(np.full((1, 2), 0.5), degrees, np.array([(1 - CONFIDENCE) / (2 * max(num_tests, 1))]))[0])


def seeds_can_show(num_seeds: int, num_tests: int) -> str:
    """One line on what so many seeds can come to where so many comparisons are one family."""
    bound = f"{100 * most(0, num_seeds):.0f} %"
    if num_seeds < 2:
        return "1 seed: no spread, no interval and no verdict can be given; 2 seeds can be compared, 3 to 5 are usual"
    low, high = (errors_needed(num_seeds, num_tests, borrowed) for borrowed in (MANY, 0.0))
    what = "comparison" if num_tests == 1 else "comparisons"
    return (
        f"{num_seeds} seeds: the first verdict of {num_tests} {what} takes a difference of {low:.1f} standard errors "
        f"where many cells are spread alike, of {high:.1f} where no spread can be borrowed; no collapse in {num_seeds} "
        f"runs rules out no rate under {bound}"
    )
