"""Rows of Arrow tables: parquet files, folders that `save_to_disk` wrote, data sets of the hub.

Class numbers become their names wherever the table says what these are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import UsageError

SAVED = "state.json"  # what `save_to_disk` writes beside a data set's tables
BATCH = 4096  # rows of a parquet file in memory at once
Fields = dict[str, Any]


def parquet_rows(path: Path) -> Iterator[Fields]:
    """The rows of a parquet file, whoever wrote it. UsageError when it cannot be read."""
    import datasets
    from pyarrow import ArrowException, parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = _names(datasets.Features.from_arrow_schema(file.schema_arrow))
            for batch in file.iter_batches(BATCH):
                yield from (_named_row(names, row) for row in batch.to_pylist())
    except (ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"cannot read {path} as parquet: {_said(error)}") from None


def saved_rows(folder: Path) -> Iterator[Fields]:
    """The rows of a folder that `save_to_disk` wrote for one split. UsageError when it cannot be read."""
    import datasets

    try:
        table = datasets.Dataset.load_from_disk(str(folder))
    except Exception as error:  # errors of the library, of Arrow, of JSON, of the file system
        raise UsageError(f"cannot read {folder} as a saved data set: {_said(error)}") from None
    yield from table_rows(table)


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
    return (_named_row(names, row) for row in table)


def _names(features: Any) -> dict[str, list[str]]:
    """Of the columns that hold class numbers, alone or in a list, the names of the classes."""
    class_names = {}
    for column, kind in features.items():
        names = getattr(getattr(kind, "feature", kind), "names", None)
        if isinstance(names, list | tuple):
            class_names[column] = list(names)
    return class_names


def _named_row(names: dict[str, list[str]], row: Fields) -> Fields:
    return {**row, **{column: _named(known, row[column]) for column, known in names.items()}} if names else row


def _named(names: list[str], value: Any) -> Any:
    """The name of a class number; -1, the hub's mark of a hidden label, stays for the reader to refuse."""
    if isinstance(value, list):
        return [_named(names, element) for element in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
