"""The scores of a task: each of its metrics, as its kind has them (bench.score.metric says what a metric is)."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import unknown
from bench.score.kind import kind_of
from bench.score.metric import Metric
from bench.score.predicted import Prediction
from bench.task import Example, Task


def score(task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
    """Every metric of the task, a prediction for each example. UsageError as `metrics_of`."""
    rows = kind_of(task).rows(task, examples, predictions)
    return {name: metric.score(task, rows) for name, metric in metrics_of(task).items()}


def metrics_of(task: Task) -> dict[str, Metric]:
    """The task's metrics by name. UsageError names one that is none or not for a task of this kind."""
    fitting = kind_of(task).metrics()
    for name in task.metrics:
        if name not in fitting:
            raise unknown(f"metric of a {task.kind} task", name, fitting, f"Task {task.name!r} asks for it.")
    return {name: fitting[name] for name in task.metrics}
