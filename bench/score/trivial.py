"""The trivial baseline, one answer for every example: a method that only reaches its score has learned nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.score.metrics import Metric, Prediction, metrics_of, rows_of
from bench.task import Example, Task


def trivial(task: Task, train: Sequence[Example], scored: Sequence[Example]) -> dict[str, float]:
    """Per metric, from 0 to 100: the constant that does best on train by that metric, scored on `scored`.

    Constants are, by kind: classification: each class; choice: each candidate's number, the last candidate where a row
    has fewer; tagging: no entity; span: no answer. Of equally good ones it is the first. UsageError as `metrics_of`.
    """
    return {
        name: metric(task, scored, _constant(task, _best(task, metric, train), scored))
        for name, metric in metrics_of(task).items()
    }


def _best(task: Task, metric: Metric, train: Sequence[Example]) -> int:
    """The number of the constant that does best on train; 0 for kinds that have just one."""
    if task.kind == "classification":
        return max(range(len(task.classes)), key=lambda label: metric(task, train, _constant(task, label, train)))
    return _best_candidate(task, metric, train) if task.kind == "choice" else 0


def _best_candidate(task: Task, metric: Metric, train: Sequence[Example]) -> int:
    """Every metric of a choice is a mean over examples, so that each (example, candidate) is scored only once.

    Scoring every number on all of train would cost the longest row's candidates for each row; rows have 2 to over 60.
    """
    counts = [len(example.choices) for example in train]
    pairs = [(example, number) for example, count in zip(train, counts, strict=True) for number in range(count)]
    rows = rows_of(task, [example for example, _ in pairs], [[number] for _, number in pairs])
    credits = metric.combine(metric.terms(task, rows))
    totals = np.zeros(max(counts))
    for scores in np.split(credits, np.cumsum(counts)[:-1]):
        totals[: len(scores)] += scores
        totals[len(scores) :] += scores[-1]
    return int(totals.round(6).argmax())  # rounded: sums that differ by the order of adding alone are ties


def _constant(task: Task, number: int, examples: Sequence[Example]) -> list[Prediction]:
    if task.kind == "span":
        return [""] * len(examples)
    if task.kind == "tagging":
        return [[task.outside] * len(example.labels) for example in examples]
    if task.kind == "choice":
        return [[min(number, len(example.choices) - 1)] for example in examples]
    return [[number]] * len(examples)
