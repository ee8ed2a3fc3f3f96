"""What a metric is: a score of predictions, and the same score of examples drawn again and again.

A bootstrap must measure nothing but the metric itself, so that a metric says both by one formula. Most are formulas
over sums (`SumMetric`): `terms` gives each example K numbers (right and counted; a class's hits, predictions and gold
labels; …), `combine` turns sums of them into the score. What is no such formula (ranks) has a Measured of its own.

Scores are from 0 to 100, correlations from -100, and larger is better. There is at least one example. A metric reads
predictions as text, as predictions.parquet has them.

Shape legend: N examples, U units of them that are drawn whole, B draws, K terms.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError
from bench.score.predicted import PredictedRows
from bench.task import Task

Array = NDArray[np.float64]
Units = NDArray[np.int64]  # (N,) the unit of each example
Times = NDArray[np.float32]  # (B, U) how often each unit is drawn


class Measured(ABC):
    """Predictions as one metric sees them."""

    @property
    @abstractmethod
    def score(self) -> float:
        """The score of all examples."""

    @abstractmethod
    def redrawn(self, units: Units, times: Times) -> Array:
        """(B,) the scores of what was drawn, each unit's examples as often as the unit."""


class Metric(ABC):
    """One way of scoring predictions."""

    @abstractmethod
    def measured(self, task: Task, rows: PredictedRows) -> Measured:
        """What this metric sees of predictions. ValueError, KeyError or IndexError where they are not the task's."""

    def score(self, task: Task, rows: PredictedRows) -> float:
        """The score of the predictions."""
        return self.measured(task, rows).score


@dataclass(frozen=True)
class SumMetric(Metric):
    """`terms(task, rows)`: (N, K); `combine(sums)`: scores of sums of terms, (..., K) -> (...).

    The terms of one example stand in its own row, those of a question that several examples answer together in the
    row of the first of them; whoever resamples must keep groups, and questions without a group, whole.
    """

    terms: Callable[[Task, PredictedRows], Array]
    combine: Callable[[Array], Array]

    def measured(self, task: Task, rows: PredictedRows) -> Sums:
        return self.of_terms(self.terms(task, rows))

    def of_terms(self, terms: Array) -> Sums:
        """The same of terms that were kept in the place of predictions."""
        return Sums(terms, self.combine)


@dataclass(frozen=True)
class Sums(Measured):
    """Terms of each example (N, K), or of several runs at once (N, ..., K), and the formula over their sums."""

    terms: Array
    combine: Callable[[Array], Array]

    @property
    def score(self) -> float:
        return float(self.combine(np.array([fsum(column) for column in self.terms.T])))  # exact in any order

    def redrawn(self, units: Units, times: Times) -> Array:
        terms = by_unit(self.terms, units, times.shape[1])
        sums = times @ terms.reshape(len(terms), -1).astype(np.float32)
        return self.combine(sums.reshape(len(times), *terms.shape[1:]).astype(float))


@dataclass(frozen=True)
class Mean(Metric):
    """The mean of several metrics' scores, as GLUE and SuperGLUE count a task that has two."""

    parts: tuple[Metric, ...]

    def measured(self, task: Task, rows: PredictedRows) -> MeasuredTogether:
        return MeasuredTogether(tuple(part.measured(task, rows) for part in self.parts))


@dataclass(frozen=True)
class MeasuredTogether(Measured):
    """The same predictions as several metrics see them."""

    parts: tuple[Measured, ...]

    @property
    def score(self) -> float:
        return fsum(part.score for part in self.parts) / len(self.parts)

    def redrawn(self, units: Units, times: Times) -> Array:
        mean: Array = np.mean([part.redrawn(units, times) for part in self.parts], axis=0)
        return mean


@dataclass(frozen=True)
class Within(Metric):
    """A metric of the rows of one set (MNLI's matched); rows that are of none, as train's, are of each."""

    metric: Metric
    subset: str

    def measured(self, task: Task, rows: PredictedRows) -> MeasuredWithin:
        """UsageError where no row is of the set."""
        kept = [at for at, subset in enumerate(rows.subsets) if subset in (None, self.subset)]
        if rows.subsets and not kept:
            raise UsageError(f"task {task.name!r}: none of the rows scored is of its set {self.subset!r}; score more")
        chosen = kept if rows.subsets else range(len(rows.labels))
        return MeasuredWithin(self.metric.measured(task, rows.only(chosen)), np.array(chosen, dtype=np.int64))


@dataclass(frozen=True)
class MeasuredWithin(Measured):
    """Predictions of which only some rows count; `kept` (N',) are their numbers."""

    inner: Measured
    kept: Units

    @property
    def score(self) -> float:
        return self.inner.score

    def redrawn(self, units: Units, times: Times) -> Array:
        """A draw in which no row of the set is has the score of all of them."""
        with np.errstate(invalid="ignore"):
            drawn = self.inner.redrawn(units[self.kept], times)
        scores: Array = np.where(np.isnan(drawn), self.score, drawn)
        return scores


def by_unit(terms: Array, units: Units, num_units: int) -> Array:
    """(N, K) -> (U, K): sums over each unit's rows."""
    if num_units == len(terms):
        return terms
    sums = np.zeros((num_units, *terms.shape[1:]))
    np.add.at(sums, units, terms)
    return sums


def credits(given: Iterable[float]) -> Array:
    """(N, 2): what each example is credited with, from 0 to 1, and 1 for being counted."""
    values = np.fromiter(given, dtype=float)
    return np.stack([values, np.ones_like(values)], axis=1)


def pairs(rows: PredictedRows) -> Iterable[tuple[Sequence[str], Sequence[str]]]:
    """What is right and what was predicted, example by example."""
    return zip(rows.labels, rows.predicted, strict=True)


def share(sums: Array) -> Array:
    """From sums of (credit from 0 to 1, counted)."""
    shares: Array = 100 * sums[..., 0] / sums[..., 1]
    return shares


def f1_of(sums: Array, nothing: float) -> Array:
    """Of (hits, predicted, gold): 2 · hits / (predicted + gold); `nothing` (0 to 100) where there is neither."""
    both = sums[..., 1] + sums[..., 2]
    scores: Array = np.divide(200 * sums[..., 0], both, out=np.full(both.shape, nothing), where=both > 0)
    return scores
