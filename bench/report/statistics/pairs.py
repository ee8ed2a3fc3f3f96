"""Lines of one task or average beside each other: the test of every pair at once, as the verdicts test a pair.

L lines; a pair is two of their numbers, and what is asked of it is by how much the first is above the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.statistics.differences import Side, joined
from bench.report.statistics.intervals import margins, one_sided

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """L lines on a task or the average: means, the runs' parts of their variances, and that of examples by pair."""

    means: Array  # (L,)
    runs: Array
    run_degrees: Array
    examples: Array  # (L, L)
    example_degrees: Array


def lines_of(sides: Sequence[Side]) -> Lines:
    """The lines on a task, in this order."""
    runs = np.array([side.variance / side.num_runs for side in sides])
    examples, degrees = np.zeros((len(sides), len(sides))), np.ones((len(sides), len(sides)))
    drawn = [at for at, side in enumerate(sides) if side.means is not None]
    if drawn:
        covariance = np.atleast_2d(np.cov(np.array([sides[at].means for at in drawn])))
        spread, shared = np.diag(covariance), np.array([sides[at].shared for at in drawn])
        variances = spread[:, None] + spread[None, :] - 2 * covariance - shared[:, None] - shared[None, :]
        units = np.array([sides[at].runs.num_units for at in drawn], dtype=float)
        fewest = np.minimum(units[:, None], units[None, :])
        examples[np.ix_(drawn, drawn)] = np.maximum(variances, 0) * fewest / (fewest - 1)
        degrees[np.ix_(drawn, drawn)] = fewest - 1
    means, run_degrees = np.array([side.mean for side in sides]), np.array([side.degrees for side in sides])
    return Lines(means, runs, run_degrees, examples, degrees)


def average_of(tasks: Sequence[Lines], together: float) -> Lines:
    """The average's, as statistics.differences.average has it."""
    runs, run_degrees = _satterthwaite([lines.runs for lines in tasks], [lines.run_degrees for lines in tasks])
    examples, degrees = _satterthwaite([lines.examples for lines in tasks], [lines.example_degrees for lines in tasks])
    means = np.mean([lines.means for lines in tasks], axis=0)
    return Lines(means, runs * together, run_degrees, examples, degrees)


def _satterthwaite(variances: Sequence[Array], degrees: Sequence[Array]) -> tuple[Array, Array]:
    parts, free = np.array(variances) / len(variances) ** 2, np.array(degrees)
    total = parts.sum(axis=0)
    squares = (parts**2 / free).sum(axis=0)
    return total, np.where(squares > 0, total**2 / np.where(squares > 0, squares, 1), free.min(axis=0))


@dataclass(frozen=True)
class Paired:
    """N pairs of lines: by how much the first is above the second, and the parts of that difference's variance with
    their degrees of freedom, as statistics.differences tests it.
    """

    gaps: Array  # (N,)
    variances: Array  # (N, 3)
    degrees: Array

    def p_above(self, by: float = 0.0) -> Array:
        """(N,) one-sided p-values against the first being `by` points above the second, or less; NaN: no spread."""
        return one_sided(self.gaps - by, self.variances, self.degrees)

    def reach(self, level: float) -> Array:
        """(N,) points that a difference errs by with at most this one-sided probability; NaN without a spread."""
        reached = margins(self.variances, self.degrees, np.full(len(self.gaps), level))
        return np.where(self.variances.sum(axis=1) > 0, reached, np.nan)


def paired(pairs: Sequence[tuple[int, int]], lines: Lines) -> Paired:
    """The pairs of some lines."""
    if not pairs:
        return Paired(np.empty(0), np.empty((0, 3)), np.empty((0, 3)))
    upper, lower = np.array(pairs).T
    first, second = lines.runs[upper], lines.runs[lower]
    upper_degrees, lower_degrees = lines.run_degrees[upper], lines.run_degrees[lower]
    total, both = joined(first, second, upper_degrees, lower_degrees)
    first, second = np.where(both > 0, total, first), np.where(both > 0, 0.0, second)
    return Paired(
        lines.means[upper] - lines.means[lower],
        np.stack([first, second, lines.examples[upper, lower]], axis=1),
        np.stack([np.where(both > 0, both, upper_degrees), lower_degrees, lines.example_degrees[upper, lower]], axis=1),
    )
