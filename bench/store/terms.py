"""What metrics count of a cell's examples as a Parquet table, a row per scored example: in the place of predictions
that may not go to others, or would be too large.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.bounds import MOST
from bench.errors import UsageError
from bench.store.tables import batches

TERMS = "terms.parquet"
_DIGEST, _FORM = b"examples", re.compile(rb"[0-9a-f]{64}")
_NUMBERED = ("group", "query")

Terms = dict[str, NDArray[np.float64]]


def write_terms(
    path: Path,
    terms: Mapping[str, NDArray[np.float64]],
    groups: Sequence[int | None],
    queries: Sequence[int | None],
    examples: str,
) -> None:
    """Columns group and query (numbers or nothing), and a list of numbers per metric; the digest of the examples.

    Numbers repeat, so that dictionaries make them small; what packs the file further packs several of them together.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array(values, pa.int32()) for name, values in zip(_NUMBERED, (groups, queries), strict=True)}
    for metric, values in terms.items():
        offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * values.shape[1])
        columns[_column(metric)] = pa.ListArray.from_arrays(offsets, pa.array(np.ascontiguousarray(values).ravel()))
    table = pa.table(columns).replace_schema_metadata({_DIGEST: examples.encode()})
    pq.write_table(table, path, compression="none")


def read_terms(content: bytes) -> tuple[Terms, list[int | None], list[int | None], str]:
    """Terms (N, K) by metric, groups, queries and the digest of the examples, from a file's content.

    UsageError where it is none that `write_terms` has written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            digest = (file.schema_arrow.metadata or {})[_DIGEST]
            if not _FORM.fullmatch(digest):
                raise ValueError("no digest of examples")
            table = pa.Table.from_batches(batches(file, len(content)))
        numbered = [_numbers(table[name]) for name in _NUMBERED]
        metrics = [name for name in table.column_names if name not in _NUMBERED]
        return {_metric(name): _matrix(table[name]) for name in metrics}, numbered[0], numbered[1], digest.decode()
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        raise UsageError(f"{TERMS} cannot be read") from None


def _column(metric: str) -> str:
    return f"{metric} terms"  # no metric's name is that of another column


def _metric(column: str) -> str:
    if not column.endswith(" terms"):
        raise ValueError(f"{column} is no column of terms")
    return column.removesuffix(" terms")


def _numbers(column: Any) -> list[int | None]:
    import pyarrow as pa

    if column.type != pa.int32() or not len(column):
        raise ValueError("no rows, or of another type")
    numbers: list[int | None] = column.to_pylist()
    return numbers


def _matrix(column: Any) -> NDArray[np.float64]:
    """Of lists that are all of one length, of numbers that are finite."""
    import pyarrow as pa

    if column.type != pa.list_(pa.float64()):
        raise ValueError("of another type")
    lists = column.combine_chunks()
    values = lists.flatten()
    lengths = lists.value_lengths()
    if lists.null_count or values.null_count or len(lengths.unique()) != 1:
        raise ValueError("rows of several lengths")
    numbers: NDArray[np.float64] = values.to_numpy().reshape(len(lists), -1)
    if not (np.abs(numbers) <= MOST).all():  # nor are there any that are no numbers
        raise ValueError("more than any example counts")
    return numbers
