"""Parquet files of a results folder, which may be a stranger's, read as far as their size lets expect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

ROWS = 1024  # in memory at once
LEAST_REFUSED = 256 << 20  # bytes; a file that holds no more may repeat itself as it likes
MOST_TIMES = 100  # its own size that it may hold: questions of one context have its text each


def batches(file: Any, size: int, names: Sequence[str] | None = None) -> Iterator[Any]:
    """The rows of a `pyarrow.parquet.ParquetFile` of that many bytes, some at a time; by default with all columns.

    ValueError where it holds far more than its size lets expect: a value may stand there once for millions of rows.
    """
    held, most = 0, max(LEAST_REFUSED, MOST_TIMES * size)
    for batch in file.iter_batches(ROWS, columns=names):
        held += batch.nbytes
        if held > most:
            raise ValueError(f"it holds more than {most:,} bytes, {MOST_TIMES} times its size or more")
        yield batch
