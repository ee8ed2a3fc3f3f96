"""The texts that were scored, kept once for all cells that were scored on the same rows.

Predictions name their examples by id alone; a report shows text, label and prediction together with this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.checksums import digest
from bench.store.seal import Spoiled
from bench.store.tables import batches

DIGITS = 16  # of a file's SHA-256 in its name


def examples_key(cell: Cell) -> str:
    """The name of the file with a cell's scored examples: 16 hex digits over all that decides which rows they are."""
    rows = (cell.task, cell.task_version, cell.data_fingerprint, cell.budget.scored_rows)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def kept_examples(folder: Path, key: str) -> Path | None:
    """The file with the scored examples of a key in a results folder, where there is one that is what was written.

    Its name has its own checksum, so that two writers whose files differ do not spoil each other's; one of format 3 has
    none.
    """
    for path in sorted(folder.glob(f"examples/{key}*.parquet")):
        with suppress(OSError):
            if spoiled_examples(path) is None:
                return path
    return None


def spoiled_examples(path: Path) -> Spoiled | None:
    """What is wrong with a file of examples."""
    key, mark, _ = path.stem.partition("-")
    if not mark or named_examples(path, key) == path.name:
        return None
    return Spoiled(f"{path} is not what was written: its checksum is another one than in its name; delete it")


def all_spoiled_examples(folder: Path) -> list[UsageError]:
    """What is wrong with the files of examples in a results folder."""
    problems: list[UsageError] = []
    for path in sorted(folder.glob("examples/*.parquet")):
        try:
            problems += filter(None, [spoiled_examples(path)])
        except OSError as error:
            problems.append(UsageError(f"{path} cannot be read ({error.strerror or error})"))
    return problems


def named_examples(path: Path, key: str) -> str:
    """The name that a file's content gives it."""
    return f"{key}-{digest(path)[:DIGITS]}.parquet"


def columns() -> Any:
    """The columns of a file with examples."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema({"id": text, "fields": pa.map_(text, text), "words": pa.list_(text), "candidates": pa.list_(text)})


def write_examples(path: Path, table: Mapping[str, Sequence[Any]], task: str, kind: str) -> None:
    """Columns id; fields (pairs of name and text); words (tagging); candidates (choice). The schema's metadata has
    the task's name and kind.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = columns().with_metadata({"task": task, "kind": kind})
    pq.write_table(pa.table(dict(table), schema=schema), path)


def read_examples(path: Path, ids: Collection[str]) -> tuple[dict[str, dict[str, Any]], str]:
    """Those of these ids, by id, and the task's kind; none and "" where the file is none that was written so."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not path.is_file():  # a pipe would be waited for
        return {}, ""
    wanted, rows = pa.array(ids, pa.string()), []
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(columns()):
                return {}, ""
            kind = (file.schema_arrow.metadata or {}).get(b"kind", b"").decode()
            for batch in batches(file, path.stat().st_size):
                rows += batch.filter(pc.is_in(batch["id"], wanted)).to_pylist()
    except (OSError, ValueError, pa.ArrowException):
        return {}, ""
    whole = (row for row in rows if None not in (*row.values(), *row["words"], *row["candidates"]))
    return {row["id"]: row for row in whole}, kind
