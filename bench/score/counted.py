"""What metrics count of predictions, example by example: all that scores and intervals need, and no text.

Shape legend: N examples, K terms of a metric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.score.metric import Array, Measured, SumMetric
from bench.score.metrics import metrics_of
from bench.score.predicted import PredictedRows
from bench.task import Task


@dataclass(frozen=True)
class CountedRows:
    """What is left of PredictedRows: `terms` (N, K) by metric, and the groups and queries of the N examples, numbered.

    `examples` is the digest of which examples they are and what was right: equal ones were scored on the same.
    """

    terms: Mapping[str, Array]
    groups: Sequence[int | None]
    queries: Sequence[int | None]
    examples: str

    def measured(self, task: Task, name: str) -> Measured:
        """What a metric sees. ValueError, KeyError or IndexError where the terms are not the metric's."""
        metric = metrics_of(task)[name]
        if not isinstance(metric, SumMetric):
            raise KeyError(name)
        return metric.of_terms(self.terms[name])


def counted(task: Task, rows: PredictedRows, examples: str) -> CountedRows | None:
    """What the task's metrics count of predictions; None where one of them is no formula over sums.

    ValueError, KeyError or IndexError where the predictions are not the task's.
    """
    terms: dict[str, Array] = {}
    for name, metric in metrics_of(task).items():
        if not isinstance(metric, SumMetric):
            return None
        terms[name] = metric.terms(task, rows)
    return CountedRows(terms, numbered(rows.groups), numbered(rows.queries), examples)


def numbered(values: Sequence[str | None]) -> list[int | None]:
    """Numbers in the place of names, in the order in which they come."""
    numbers: dict[str, int] = {}
    return [None if value is None else numbers.setdefault(value, len(numbers)) for value in values]
