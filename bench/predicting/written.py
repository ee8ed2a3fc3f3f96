"""Answers as a file: CSV, JSON lines or parquet by its ending, written as they come. No torch here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from bench.errors import UsageError
from bench.escaping.table_cells import csv_rows
from bench.escaping.unseen import visible
from bench.writing import sweep, telling, whole

Row = dict[str, Any]
AT_ONCE = 4096  # rows of a part of a parquet file


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows of the same columns to a file, in place of what is there; an error leaves that as it was.

    In CSV and TSV lists are JSON, and a text that a spreadsheet would take for a formula has `'` in front of it.
    UsageError for an ending that is not known, and where the disk takes no more.
    """
    write = _WRITERS.get(path.suffix.casefold())
    if write is None:
        raise UsageError(f"--to {path}: the ending says how it is written, one of {', '.join(_WRITERS)}; - for a pipe")
    instead = "what stood there is as it was: free space, or choose another --to"
    with telling("write to", path, instead):
        sweep(path)
        with whole(path) as aside:
            write(aside, rows)


def json_line(row: Row | Sequence[Any]) -> str:
    """A row, or a list in one, as a line of JSON."""
    return visible(json.dumps(row, ensure_ascii=False, default=str))


def _json_lines(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{json_line(row)}\n" for row in rows)


def _table(path: Path, rows: Iterable[Row], divider: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        _cells(file, rows, divider)


def _cells(file: IO[str], rows: Iterable[Row], divider: str) -> None:
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    names = list(first)
    write = csv_rows(file, divider)
    write(names)
    for row in chain([first], rows):
        write(_cell(row.get(name)) for name in names)


def _cell(value: Any) -> Any:
    return json_line(value) if isinstance(value, list | tuple | dict) else value


def _parquet(path: Path, rows: Iterable[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = iter(rows)
    writer: Any = None
    try:
        while part := list(islice(rows, AT_ONCE)):
            table = pa.Table.from_pylist(part, schema=writer.schema if writer else _schema(part))
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
    except (pa.ArrowException, TypeError) as error:
        said = " ".join(str(error).split())[:160]
        raise UsageError(f"a column has values of several kinds, which parquet has not ({said}); take .jsonl") from None
    finally:
        if writer:
            writer.close()


def _schema(rows: list[Row]) -> Any:
    """That of these rows; a column of nothing yet is text, a list of nothing one of texts."""
    import pyarrow as pa

    schema = pa.Table.from_pylist(rows).schema
    for at, field in enumerate(schema):
        if pa.types.is_null(field.type):
            schema = schema.set(at, field.with_type(pa.string()))
        elif pa.types.is_list(field.type) and pa.types.is_null(field.type.value_type):
            schema = schema.set(at, field.with_type(pa.list_(pa.string())))
    return schema


_WRITERS: dict[str, Callable[[Path, Iterable[Row]], None]] = {
    ".csv": _table,
    ".tsv": lambda path, rows: _table(path, rows, "\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
