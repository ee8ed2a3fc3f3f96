"""Per-example predictions as a Parquet table, one row per scored example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UsageError


def write_predictions(path: Path, table: Mapping[str, Sequence[Any]]) -> None:
    """Columns id, group, query, and subset where rows are of several sets; label and predicted (lists of text: a
    class's name, a tag per word, a candidate, an answer; several labels where any is right); candidates and
    probabilities (see results/README.md); null_margin.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts, shares = pa.list_(pa.string()), pa.list_(pa.float32())
    kinds = {
        "label": texts,
        "predicted": texts,
        "candidates": texts,
        "probabilities": shares,
        "null_margin": pa.float32(),
    }
    columns = {name: pa.array(values, kinds.get(name, pa.string())) for name, values in table.items()}
    pq.write_table(pa.table(columns), path)


def read_predictions(content: bytes) -> dict[str, list[Any]]:
    """What metrics read of a file's content (bench.store.checksums): `labels` and `predicted` (lists of texts),
    `groups`, `queries` and, where there are some, `subsets` (texts or None).

    UsageError when the file is no such table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"labels": "label", "predicted": "predicted", "groups": "group", "queries": "query"}
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            if "subset" in file.schema_arrow.names:
                columns["subsets"] = "subset"
            table = file.read(columns=list(columns.values()))
        if not table.num_rows:
            raise ValueError("no rows")
        return {name: table[column].to_pylist() for name, column in columns.items()}
    except (OSError, ValueError, KeyError, pa.ArrowException):
        raise UsageError("predictions.parquet cannot be read") from None
