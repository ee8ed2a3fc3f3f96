"""The trivial baseline, one answer for every example: a method that only reaches its score has learned nothing."""

from __future__ import annotations

from collections.abc import Sequence

from bench.score.kind import kind_of
from bench.score.metrics import metrics_of
from bench.task import Example, Task


def trivial(task: Task, train: Sequence[Example], scored: Sequence[Example]) -> dict[str, float]:
    """Per metric the score on `scored` of the constant that does best on train by that metric.

    Constants are, by kind: classification: each class; choice: each candidate's number, the last candidate where a row
    has fewer; tagging: no entity; span: no answer; regression: the mean. UsageError as `metrics_of`.
    """
    kind = kind_of(task)
    return {
        name: metric.score(task, kind.rows(task, scored, kind.trivial(task, metric, train, scored)))
        for name, metric in metrics_of(task).items()
    }
