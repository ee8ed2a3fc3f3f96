"""Rows of Arrow tables: parquet files, folders that `save_to_disk` wrote, data sets of the hub.

Class numbers become their names wherever the table says what these are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import UsageError

SAVED = "state.json"  # what `save_to_disk` writes beside a data set's tables
BATCH = 256  # rows of a parquet file in memory at once, each of which may have a megabyte
LEAST_REFUSED = 256 << 20  # bytes; a parquet file that holds no more may repeat itself as it likes
MOST_TIMES = 1000  # its own size that it may hold; a passage with fifty questions stands there once
Fields = dict[str, Any]


def parquet_rows(path: Path) -> Iterator[Fields]:
    """The rows of a parquet file, whoever wrote it. UsageError when it cannot be read, and for one that holds far more
    than its size lets expect: a value may stand there once for millions of rows.
    """
    import datasets
    from pyarrow import parquet

    held, most = 0, max(LEAST_REFUSED, MOST_TIMES * path.stat().st_size)
    try:
        with parquet.ParquetFile(path) as file:
            names = _names(datasets.Features.from_arrow_schema(file.schema_arrow))
            for batch in file.iter_batches(BATCH):
                held += batch.nbytes
                if held > most:
                    raise UsageError(f"it holds more than {most:,} bytes, {MOST_TIMES:,} times its size or more")
                yield from (_named(names, row) for row in batch.to_pylist())
    except Exception as error:  # errors of Arrow, of the file system, and of Python where it lacks a type or number
        raise UsageError(f"cannot read {path} as parquet: {_said(error)}") from None


def saved_rows(folder: Path) -> Iterator[Fields]:
    """The rows of a folder that `save_to_disk` wrote for one split. UsageError when it cannot be read."""
    import datasets

    try:
        yield from table_rows(datasets.Dataset.load_from_disk(str(folder)))
    except Exception as error:  # errors of the library, of Arrow, of JSON, of the file system, of Python's numbers
        raise UsageError(f"cannot read {folder} as a saved data set: {_said(error)}") from None


def prepared_rows(folder: Path, split: str) -> Iterator[Fields] | None:
    """The rows of a split that `datasets` keeps in its cache, None when the split is not there."""
    import datasets

    tables = sorted([*folder.glob(f"*-{split}.arrow"), *folder.glob(f"*-{split}-*-of-*.arrow")])
    if not tables:
        return None
    return table_rows(datasets.concatenate_datasets([datasets.Dataset.from_file(str(path)) for path in tables]))


def table_rows(table: Any) -> Iterator[Fields]:
    """The rows of a `datasets.Dataset`."""
    names = _names(table.features)
    return (_named(names, row) for row in table)


Names = list[str] | dict[str, "Names"]  # of a class number, or of those columns of an object that have some


def _names(kind: Any) -> Names:
    """The names of the classes in a feature of `datasets`, or in the features of a table; empty where it has none.

    A list's are its elements', at any depth.
    """
    if isinstance(kind, Mapping):
        of_columns = {column: _names(inner) for column, inner in kind.items()}
        return {column: names for column, names in of_columns.items() if names}
    if isinstance(kind, list):
        return _names(kind[0])
    if hasattr(kind, "feature"):
        return _names(kind.feature)
    names = getattr(kind, "names", None)
    return list(names) if isinstance(names, list | tuple) else []


def _named(names: Names, value: Any) -> Any:
    """A value with names for its class numbers; -1, the mark of a hidden label, stays for the reader to refuse."""
    if not names:
        return value
    if isinstance(value, list):
        return [_named(names, element) for element in value]
    if isinstance(names, dict):
        return value and {**value, **{column: _named(known, value[column]) for column, known in names.items()}}
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
