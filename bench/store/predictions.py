"""Per-example predictions as a Parquet table, one row per scored example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.store.tables import batches

PREDICTIONS = "predictions.parquet"


def column_types() -> dict[str, Any]:
    """The type of each column."""
    import pyarrow as pa

    text = pa.string()
    texts = pa.list_(text)
    return {
        "id": text, "group": text, "query": text, "subset": text, "label": texts, "predicted": texts,
        "candidates": texts, "probabilities": pa.list_(pa.float32()), "null_margin": pa.float32(),
    }  # fmt: skip


def write_predictions(path: Path, table: Mapping[str, Sequence[Any]]) -> None:
    """Columns id, group, query, and subset where rows are of several sets; label and predicted (lists of text: a
    class's name, a tag per word, a candidate, an answer; several labels where any is right); candidates and
    probabilities (see results/README.md); null_margin.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = column_types()
    pq.write_table(pa.table({name: pa.array(values, known[name]) for name, values in table.items()}), path)


def read_columns(content: bytes, names: Sequence[str], where_there: Sequence[str] = ()) -> dict[str, list[Any]]:
    """Columns of a file's content (bench.store.checksums), with those that need not be there. UsageError where it is
    none that `write_predictions` has written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = column_types()
    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            schema = file.schema_arrow
            names = [*names, *(name for name in where_there if name in schema.names)]
            for name in names:
                if schema.field(name).type != known[name]:
                    raise ValueError(f"{name} is of another type")
            read = list(batches(file, len(content), names))
        if not read:
            raise ValueError("no rows")
        table = pa.Table.from_batches(read)
        for name in (name for name in names if known[name] not in (pa.string(), pa.float32())):
            column = table[name].combine_chunks()
            if column.null_count or column.values.null_count:
                raise ValueError(f"{name} has nothing in a row")
        return {name: table[name].to_pylist() for name in names}
    except (OSError, ValueError, KeyError, pa.ArrowException):
        raise UsageError(f"{PREDICTIONS} cannot be read") from None


def read_predictions(content: bytes) -> dict[str, list[Any]]:
    """What metrics read of a file's content: `labels` and `predicted` (lists of texts), `groups`, `queries` and, where
    there are some, `subsets` (texts or None). UsageError when the file is no such table.
    """
    columns = {"label": "labels", "predicted": "predicted", "group": "groups", "query": "queries"}
    table = read_columns(content, list(columns), ["subset"])
    return {(columns | {"subset": "subsets"})[name]: values for name, values in table.items()}
