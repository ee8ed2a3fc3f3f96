"""What would decide what is undecided: how many seeds, or how many more scored rows, if all else is as it was seen.

The test is the verdicts' own (statistics.differences, statistics.intervals), at the level that the question has now.
With n runs of each line its variance is, task by task,

    s~²/n of one line + s~²/n of the other + V_examples / f,

with n - 1 degrees of freedom and those borrowed, and f times the scored rows; s~², V_examples and the difference itself
are those seen. Enough is what decides with a probability of 80 %, were they the truth. They are estimates, of few runs
rough ones: the answer is the size of the thing, not a promise. V_examples does not fall with seeds, so that there may
be no number of them that decides; then the rows limit, and are said. The level a question has may become larger as
others of its family are decided, and runs that collapse must be had on top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import ndtr

from bench.report.statistics.differences import Difference, Side, average, difference
from bench.report.statistics.intervals import Estimate, margins

POWER = 0.8
MOST_SEEDS, MOST_ROWS = 100, 100.0  # beyond which the answer is "no"
BOTH = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # times the rows, where more seeds are wanted too
STEPS = 24  # halvings of the logarithm of the rows: to a millionth
Pairs = Sequence[tuple[Side, Side]]  # a line and its reference on each task
Decides = Callable[[float, float, float], float]  # difference, error, standard error -> probability


@dataclass(frozen=True)
class Need:
    """`seeds` of each line in all, where the line with the fewest has `now`, on `rows` times the scored rows of now; 0
    seeds: it is more than 100 of each.
    """

    seeds: int = 0
    rows: float = 1.0
    now: int = 0

    @property
    def is_out_of_reach(self) -> bool:
        return self.seeds == 0

    @property
    def more_seeds(self) -> bool:
        return self.seeds > self.now

    def text(self) -> str:
        """ "9 seeds", "7 times the scored rows", "9 seeds and 2 times the scored rows"."""
        parts = [f"{self.seeds} seeds"] if self.more_seeds else []
        parts += [f"{self.rows:.2g} times the scored rows"] if self.rows > 1 else []
        if self.is_out_of_reach:
            return f"more than {MOST_SEEDS} seeds and {MOST_ROWS:.0f} times the scored rows"
        return " and ".join(parts)


def verdict_needs(pairs: Pairs, together: float, margin: float, level: float) -> Need | None:
    """What decides a verdict: that two lines match within the margin, or which is above; None where there is no spread
    to tell it from.
    """

    def decides(gap: float, error: float, spread: float) -> float:
        room = margin - error
        matches = float(ndtr((room - gap) / spread) - ndtr((-room - gap) / spread)) if room > 0 else 0.0
        return max(matches, float(ndtr((abs(gap) - error) / spread)))

    return _needs(pairs, together, level, decides)


def contest_needs(pairs: Pairs, together: float, margin: float, level: float) -> Need | None:
    """What decides whether a line is within the margin of the best, its reference in `pairs`, or below it; None as
    above.
    """

    def decides(gap: float, error: float, spread: float) -> float:
        return float(ndtr((max(gap + margin, -gap) - error) / spread))

    return _needs(pairs, together, level, decides)


def _power(
    pairs: Pairs, seen: Sequence[Difference], together: float, level: float, need: Need, decides: Decides
) -> float:  # fmt: skip
    """The probability that so many seeds and rows decide; NaN where nothing is known of a spread. `seen` are the pairs'
    differences.
    """
    parts = [_with(of_pair, *pair, need) for of_pair, pair in zip(seen, pairs, strict=True)]
    tested = average(parts, together).tested if len(parts) > 1 else parts[0].tested
    if not tested.known or not level > 0:
        return float("nan")
    error = margins(np.array([tested.variances]), np.array([tested.degrees]), np.array([level]))
    return decides(tested.mean, float(error[0]), float(np.sqrt(sum(tested.variances))))


def _needs(pairs: Pairs, together: float, level: float, decides: Decides) -> Need | None:
    now = min(min(line.num_runs, reference.num_runs) for line, reference in pairs)
    seen = [difference(*pair) for pair in pairs]

    def power(seeds: int, rows: float) -> float:
        return _power(pairs, seen, together, level, Need(seeds, rows), decides)

    def enough(seeds: int, rows: float) -> bool:
        return power(seeds, rows) >= POWER

    if np.isnan(power(now, 1.0)):
        return None
    if enough(MOST_SEEDS, 1.0):
        return Need(_fewest(partial(enough, rows=1.0), now, MOST_SEEDS), now=now)
    if enough(now, MOST_ROWS):
        return Need(now, _least(partial(enough, now)), now)
    for rows in BOTH:
        if enough(MOST_SEEDS // 2, rows):  # not with rows that barely do: seeds are then many
            return Need(_fewest(partial(enough, rows=rows), now, MOST_SEEDS // 2), rows, now)
    return Need(now=now)


def _fewest(enough: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number above `low` that is enough, as `high` is."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _least(enough: Callable[[float], bool]) -> float:
    """The smallest factor of the rows that is enough, as the most is."""
    low, high = 1.0, MOST_ROWS
    for _ in range(STEPS):
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _with(seen: Difference, line: Side, reference: Side, need: Need) -> Difference:
    """The difference of two lines on a task as if each had so many runs, on so many times the rows."""
    if len(seen.parts.variances) < 2:
        return seen
    variances, degrees = [], []
    for side in (line, reference):
        runs = max(need.seeds, side.num_runs)
        variances.append(side.variance / runs)
        degrees.append(side.degrees + runs - side.num_runs)
    if len(seen.parts.variances) > 2:
        variances.append(seen.parts.variances[2] / need.rows)
        degrees.append((seen.parts.degrees[2] + 1) * need.rows - 1)
    return replace(seen, parts=Estimate(seen.parts.mean, tuple(variances), tuple(degrees)))
