"""What a number of seeds can show at all, said before a run rather than after it."""

from __future__ import annotations

import math

LEVEL = 0.05


def smallest_p(pairs: int) -> float:
    """The least two-sided p an exact Wilcoxon signed-rank test can give on so many pairs without ties: 2 / 2^n.

    Under the null all 2^n patterns of signs are equally likely, and two of them are the most extreme: every difference
    positive, and every one negative (Wilcoxon 1945, "Individual comparisons by ranking methods").
    """
    return min(1.0, 2.0 / 2.0**pairs)


def pairs_needed(level: float = LEVEL) -> int:
    """The fewest pairs of which some outcome has p < level."""
    pairs = max(1, math.ceil(math.log2(2 / level)))
    return pairs if smallest_p(pairs) < level else pairs + 1


def seeds_can_show(num_seeds: int, level: float = LEVEL) -> str:
    """One line on what a comparison of two methods over these seeds can come to."""
    needed = pairs_needed(level)
    least = smallest_p(num_seeds)
    test = "an exact two-sided Wilcoxon signed-rank test"
    enough = f"{smallest_p(needed):.3g}"
    if num_seeds == 1:
        no_spread = "1 seed: no spread and no interval can be given"
        return f"{no_spread}; {test} can reach p < {level:g} from {needed} seeds on ({enough})"
    if num_seeds < needed:
        no_reach = f"{num_seeds} seeds: {test} cannot reach p < {level:g} (smallest p {least:.3g})"
        return f"{no_reach}; {needed} seeds can ({enough})"
    return f"{num_seeds} seeds: {test} can reach p < {level:g} (smallest p {least:.3g})"
