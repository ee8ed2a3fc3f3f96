"""Correlations of predicted numbers with right ones, times 100: from -100 to 100.

Where all numbers of one side are the same, a correlation is undefined (0 divided by 0) and counts 0: such predictions
have learned nothing. A prediction that is no finite number makes it NaN.

Neither is a formula over sums in single precision: sums of squares would lose what differs between numbers that are
nearly alike, and ranks are not an example's own: those of a draw are ranks among what was drawn. Ranks kept from all
1,500 examples would make the interval too narrow, by 2 % at a correlation of 0.6 and by 8 % at 0.95.

Shape legend: N examples, U units that are drawn whole, B draws, L levels (distinct values).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.score.metric import Array, Measured, Metric, Times, Units, by_unit
from bench.score.predicted import PredictedRows
from bench.task import Task

MOST_WEIGHTS = 1_000_000  # numbers held at once while draws are scored
LEAST_VARIANCE = 1e-12  # of standardised values: less is rounding


@dataclass(frozen=True)
class Correlation(Metric):
    """Of values (Pearson), or of their ranks, equal values having the mean of theirs (Spearman)."""

    ranked: bool

    def measured(self, task: Task, rows: PredictedRows) -> Pairs:
        right, predicted = _numbers(rows.labels), _numbers(rows.predicted)
        return RankedPairs(right, predicted) if self.ranked else Pairs(right, predicted)


@dataclass(frozen=True)
class Pairs(Measured):
    """Right and predicted numbers, (N,) each, scored by Pearson's correlation."""

    right: Array
    predicted: Array

    @property
    def score(self) -> float:
        return float(_correlation(_moments(self.right, self.predicted).sum(axis=0)))

    def redrawn(self, units: Units, times: Times) -> Array:
        sums = by_unit(_moments(self.right, self.predicted), units, times.shape[1])
        return np.concatenate([_correlation(part @ sums) for part in _parts(times, times.shape[1])])


@dataclass(frozen=True)
class RankedPairs(Pairs):
    """The same, scored by Spearman's: Pearson's of the ranks, which every draw has anew."""

    @property
    def score(self) -> float:
        return float(_of_ranks(np.ones((1, len(self.right))), self.right, self.predicted)[0])

    def redrawn(self, units: Units, times: Times) -> Array:
        parts = _parts(times, len(units))
        return np.concatenate([_of_ranks(part[:, units], self.right, self.predicted) for part in parts])


def _numbers(texts: Sequence[Sequence[str]]) -> Array:
    """(N,) the number that each text is. ValueError where one is none."""
    return np.array([float(text) for (text,) in texts])


def _parts(times: Times, width: int) -> Iterator[Array]:
    """The draws in double precision, so many at once that they are MOST_WEIGHTS numbers of `width` each."""
    most = max(1, MOST_WEIGHTS // width)
    return (times[start : start + most].astype(float) for start in range(0, len(times), most))


def _moments(right: Array, predicted: Array) -> Array:
    """(N, 6): 1, x, y, xx, yy, xy of the numbers, standardised over all: a correlation has neither shift nor scale."""
    x, y = _standardised(right), _standardised(predicted)
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _standardised(values: Array) -> Array:
    """Mean 0 and variance 1; all 0 where the values are the same, all NaN where one is no finite number."""
    if not np.isfinite(values).all():
        return np.full_like(values, np.nan)
    if (values == values[0]).all():
        return np.zeros_like(values)
    scaled = values / np.abs(values).max()  # so that no square is too large or too small
    centred = scaled - scaled.mean()
    standardised: Array = centred / np.sqrt(np.mean(centred * centred))
    return standardised


def _correlation(sums: Array) -> Array:
    """(..., 6) -> (...), of sums of (1, x, y, xx, yy, xy)."""
    count, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return _ratio(xy - x * y / count, xx - x * x / count, yy - y * y / count, count)


def _of_ranks(times: Array, right: Array, predicted: Array) -> Array:
    """(B,) Spearman's correlation where each example was drawn so many times (B, N)."""
    if not (np.isfinite(right).all() and np.isfinite(predicted).all()):
        return np.full(len(times), np.nan)
    count = times.sum(axis=1)
    x, y = (_ranks(times, values) - (count[:, None] + 1) / 2 for values in (right, predicted))
    weighted = times * x
    return _ratio((weighted * y).sum(axis=1), (weighted * x).sum(axis=1), (times * y * y).sum(axis=1), count)


def _ranks(times: Array, values: Array) -> Array:
    """(B, N) the rank of each value among what was drawn, from 1; of equal values the mean of theirs."""
    levels, level = np.unique(values, return_inverse=True)  # (L,), (N,)
    order = np.argsort(level, kind="stable")
    ends = np.cumsum(np.bincount(level, minlength=len(levels)))
    upto = np.cumsum(times[:, order], axis=1)[:, ends - 1]  # (B, L) how many were drawn of a level and those below it
    below = np.concatenate([np.zeros((len(times), 1)), upto[:, :-1]], axis=1)
    return ((below + upto + 1) / 2)[:, level]


def _ratio(covariance: Array, first: Array, second: Array, count: Array) -> Array:
    """100 · covariance / √(first · second), from sums over `count` examples; 0 where one side has no variance."""
    varies = (first > LEAST_VARIANCE * count) & (second > LEAST_VARIANCE * count)
    lost = np.isnan(first) | np.isnan(second)
    root = np.sqrt(np.where(varies, first * second, 1.0))
    scores: Array = np.where(lost, np.nan, np.where(varies, np.clip(100 * covariance / root, -100, 100), 0.0))
    return scores


pearson = Correlation(ranked=False)
"""Pearson's correlation: how near predictions are to a rising line in the right numbers."""
spearman = Correlation(ranked=True)
"""Spearman's correlation: how far predictions have the order of the right numbers."""
