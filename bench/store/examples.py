"""The texts that were scored, kept once for all cells that were scored on the same rows.

Predictions name their examples by id alone; a report shows text, label and prediction together with this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cell import Cell


def examples_key(cell: Cell) -> str:
    """The name of the file with a cell's scored examples: 16 hex digits over all that decides which rows they are."""
    rows = (cell.task, cell.task_version, cell.data_fingerprint, cell.budget.scored_rows)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def write_examples(path: Path, table: Mapping[str, Sequence[Any]], task: str, kind: str) -> None:
    """Columns id; fields (pairs of name and text); words (tagging); candidates (choice). The schema's metadata has
    the task's name and kind.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = pa.string()
    schema = pa.schema(
        {"id": text, "fields": pa.map_(text, text), "words": pa.list_(text), "candidates": pa.list_(text)},
        metadata={"task": task, "kind": kind},
    )
    pq.write_table(pa.table(dict(table), schema=schema), path)
