"""The scores of a task: each of its metrics, as its kind has them (bench.score.metric says what a metric is)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import unknown
from bench.kind import metric_parts
from bench.score.kind import kind_of
from bench.score.metric import Mean, Metric, Within
from bench.score.predicted import Prediction
from bench.task import Example, Task


def score(task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
    """Every metric of the task, a prediction for each example. UsageError as `metrics_of`."""
    rows = kind_of(task).rows(task, examples, predictions)
    return {name: metric.score(task, rows) for name, metric in metrics_of(task).items()}


def metrics_of(task: Task) -> dict[str, Metric]:
    """The task's metrics by name. UsageError names one that is none or not for a task of this kind."""
    fitting = kind_of(task).metrics()
    return {name: _metric(task, name, fitting) for name in task.metrics}


def _metric(task: Task, name: str, fitting: Mapping[str, Metric]) -> Metric:
    """What a name says: a metric of the kind, of one set of the rows alone, or the mean of several."""
    parts: list[Metric] = []
    for base, subset in metric_parts(name):
        if base not in fitting:
            raise unknown(f"metric of a {task.kind} task", base, fitting, f"Task {task.name!r} asks for it.")
        parts.append(Within(fitting[base], subset) if subset else fitting[base])
    return parts[0] if len(parts) == 1 else Mean(tuple(parts))
