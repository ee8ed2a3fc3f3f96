"""Predictions as the columns of a record's predictions.parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.score.answers import ScoredAnswer
from bench.score.kind import kind_of
from bench.score.predicted import Prediction
from bench.task import Example, Task


def prediction_table(
    task: Task, examples: Sequence[Example], answers: Sequence[ScoredAnswer], predictions: Sequence[Prediction]
) -> dict[str, list[Any]]:
    """The columns by name, a row per example (see bench.store.predictions)."""
    kind = kind_of(task)
    rows = kind.rows(task, examples, predictions)
    return {
        "id": [example.id for example in examples],
        "group": list(rows.groups),
        "query": list(rows.queries),
        **({"subset": list(rows.subsets)} if rows.subsets else {}),
        "label": list(rows.labels),
        "predicted": list(rows.predicted),
        "candidates": [list(answer.candidates) for answer in answers],
        "probabilities": [kind.kept_probabilities(task, answer) for answer in answers],
        "null_margin": [answer.null_margin for answer in answers],
    }
