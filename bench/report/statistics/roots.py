"""Where many functions are 0 at once (Chandrupatla 1997, "A new hybrid quadratic/bisection algorithm for finding the
zero of a nonlinear function without using derivatives", Advances in Engineering Software 28).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def roots(function: Callable[[Array], Array], low: float, high: float, size: int, tolerance: float) -> Array:
    """(N,): where each of N continuous functions crosses 0 between `low` and `high`, to the tolerance.

    `function` takes and gives (N,). Of one that crosses nowhere it is the end at which it is nearer to 0. A quadratic
    through three points is tried where it is safe, else the middle: smooth ones are done in about ten steps, none takes
    more than some times those of halving.
    """
    first, second = np.full(size, high), np.full(size, low)
    at_first, at_second = function(first), function(second)
    ends = np.where(np.abs(at_first) <= np.abs(at_second), first, second)
    crosses = np.sign(at_first) * np.sign(at_second) < 0
    share = np.full(size, 0.5)
    while crosses.any():
        middle = first + share * (second - first)
        value = function(middle)
        same = np.sign(value) == np.sign(at_first)
        third, at_third = np.where(same, first, second), np.where(same, at_first, at_second)
        second, at_second = np.where(same, second, first), np.where(same, at_second, at_first)
        first, at_first = middle, value
        gap = np.abs(second - first)
        least = np.clip(tolerance / 2 / np.where(gap > 0, gap, tolerance), 0, 0.5)
        if np.all((least >= 0.5) | (at_first == 0) | ~crosses):
            break
        share = np.clip(_share(first, second, third, at_first, at_second, at_third), least, 1 - least)
    return np.where(crosses, np.where(np.abs(at_first) <= np.abs(at_second), first, second), ends)


def _share(x1: Array, x2: Array, x3: Array, f1: Array, f2: Array, f3: Array) -> Array:
    """How far from x1 to x2 the next point is: by the inverse quadratic through all three where that is monotone."""
    with np.errstate(divide="ignore", invalid="ignore"):
        place, value = (x1 - x2) / (x3 - x2), (f1 - f2) / (f3 - f2)
        safe = (value**2 < place) & ((1 - value) ** 2 < 1 - place)
        inverse = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (f3 - f1) * f2 / (f3 - f2)
    return np.where(safe & np.isfinite(inverse), inverse, 0.5)
