"""A metric by its name, as a function of a task, examples and predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.score.kind import kind_of
from bench.score.predicted import Prediction
from bench.task import Example, Task


def formula(name: str) -> Callable[[Task, Sequence[Example], Sequence[Prediction]], float]:
    def value(task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> float:
        kind = kind_of(task)
        return kind.metrics()[name].score(task, kind.rows(task, examples, predictions))

    return value
