"""Per-example predictions as a Parquet table, one row per scored example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.store.tables import batches

PREDICTIONS = "predictions.parquet"
# columns that metrics read, and what they are called there
_READ = {"label": "labels", "predicted": "predicted", "group": "groups", "query": "queries", "subset": "subsets"}
_NEEDED = tuple(_READ)[:4]
UNREADABLE = f"{PREDICTIONS} cannot be read"


@cache  # of ten thousand cells
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
    return {name: _listed(column) for name, column in _columns(content, names, where_there).items()}


def read_predictions(content: bytes) -> dict[str, Any]:
    """What metrics read of a file's content: `labels` and `predicted` (lists of texts), `groups`, `queries` and, where
    there are some, `subsets` (texts or None). UsageError when the file is no such table.
    """
    return {_READ[name]: values for name, values in read_columns(content, _NEEDED, ["subset"]).items()}


class PredictionReader:
    """Reads the predictions of one cell after another.

    Those of one task are on the same examples, with the same labels and groups: a column that the file before had too
    is the same list again. `worked_out` is the same as long as nothing but `predicted` is another.
    """

    def __init__(self) -> None:
        self._columns: dict[str, Any] = {}
        self._lists: dict[str, list[Any]] = {}
        self._worked_out: dict[Any, Any] = {}

    def read(self, content: bytes) -> dict[str, Any]:
        """What `read_predictions` gives, and `worked_out`."""
        columns = _columns(content, _NEEDED, ["subset"])
        known = {name for name in columns.keys() & self._columns.keys() if columns[name].equals(self._columns[name])}
        self._lists = {name: self._lists[name] if name in known else _listed(columns[name]) for name in columns}
        if (columns.keys() | self._columns.keys()) - known - {"predicted"}:
            self._worked_out = {}
        self._columns = columns
        return {_READ[name]: values for name, values in self._lists.items()} | {"worked_out": self._worked_out}


def _columns(content: bytes, names: Sequence[str], where_there: Sequence[str]) -> dict[str, Any]:
    """The same as `pyarrow.ChunkedArray`s."""
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
        columns = {name: pa.chunked_array([batch.column(name) for batch in read]) for name in names}
        for name in (name for name in names if known[name] not in (pa.string(), pa.float32())):
            # the values of a batch may be those of others too, and `flatten` takes long
            if any(c.null_count or (c.values.null_count and c.flatten().null_count) for c in columns[name].chunks):
                raise ValueError(f"{name} has nothing in a row")
        return columns
    except (OSError, ValueError, KeyError, pa.ArrowException):
        raise UsageError(UNREADABLE) from None


def _listed(column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except ValueError:  # bytes that are no text
        raise UsageError(UNREADABLE) from None
    return values
