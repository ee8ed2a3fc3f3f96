"""Tables of a notebook as files: what `bench.run(data=frame)` runs on is a file like any other, for workers and ids."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.data.cache import cache_folder
from bench.errors import UsageError

NAME = "data"


def keep_table(table: Any, name: str = NAME) -> Path:
    """Write a pandas DataFrame, a Dataset or DatasetDict, or a list of dicts, to the cache; the path to give as `data`.

    What holds the same has the same path. A DatasetDict, or a dict of tables by split, becomes a folder. UsageError
    for what is no table, and for columns that cannot be written.
    """
    folder = cache_folder() / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        made = Path(aside) / name
        if isinstance(table, Mapping):
            made.mkdir()
            files = [_write(part, made / str(split)) for split, part in table.items()]
        else:
            files = [_write(table, made)]
        digest = hashlib.sha256()
        for file in files:
            digest.update(f"{file.name}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
        kept = folder / digest.hexdigest()[:16]
        kept.mkdir(exist_ok=True)
        place = kept / (made.name if isinstance(table, Mapping) else files[0].name)
        if not place.exists():
            os.replace(made if isinstance(table, Mapping) else files[0], place)
    return place


def _write(table: Any, stem: Path) -> Path:
    """The table as `stem.parquet`, a list of dicts as `stem.jsonl`."""
    path = stem.with_name(f"{stem.name}.parquet")
    try:
        if hasattr(table, "select_dtypes"):  # a DataFrame; pandas need not be loaded to ask
            table.to_parquet(path, index=False)
        elif hasattr(table, "to_parquet") and hasattr(table, "features"):
            table.to_parquet(str(path))
        elif isinstance(table, list | tuple) and table and all(isinstance(row, dict) for row in table):
            path = stem.with_name(f"{stem.name}.jsonl")
            path.write_text("".join(f"{json.dumps(row)}\n" for row in table), encoding="utf-8")
        else:
            expected = "a path, hub:OWNER/NAME, a DataFrame, a Dataset, a DatasetDict or a list of dicts"
            raise UsageError(f"data: {type(table).__name__} is no table; give {expected}")
    except (TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"data: the table cannot be written: {' '.join(str(error).split())[:200]}") from None
    return path
