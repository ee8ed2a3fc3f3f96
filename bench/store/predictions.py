"""Per-example predictions as a Parquet table, one row per dev example."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.spec import Example, Task


def write_predictions(
    path: Path,
    task: Task,
    examples: Sequence[Example],
    predicted: Sequence[Sequence[int]],
    probabilities: Iterable[Any],
) -> None:
    """Columns id, group, label, predicted (lists of class names, one for classification) and probabilities.

    `probabilities` holds what the head read, flattened: positions x classes, in the order of the task's classes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = task.classes
    table = pa.table(
        {
            "id": [example.id for example in examples],
            "group": pa.array([example.group for example in examples], pa.string()),
            "label": [[names[label] for label in example.labels] for example in examples],
            "predicted": [[names[label] for label in labels] for labels in predicted],
            "probabilities": pa.array([values.flatten().tolist() for values in probabilities], pa.list_(pa.float32())),
        }
    )
    pq.write_table(table, path)
