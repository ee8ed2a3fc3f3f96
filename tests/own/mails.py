"""Made-up mails of three teams, and how they are written in every form."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.own.suite import OwnData, with_own_data
from bench.request import RunRequest

TEAMS = ("press", "sales", "support")
Rows = list[dict[str, Any]]


def mails(count: int = 60, seed: int = 0) -> Rows:
    """Rows with `body` and `team`, the teams in turn."""
    rng = random.Random(seed)
    return [{"body": words(rng), "team": TEAMS[number % len(TEAMS)]} for number in range(count)]


def words(rng: random.Random, count: int = 6) -> str:
    return " ".join(f"word{rng.randrange(60)}" for _ in range(count))


def write(path: Path, rows: Rows, header: Sequence[str] = ()) -> Path:
    """Rows as the ending says; `.gz` packed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if ending == ".parquet":
        import pandas as pd

        pd.DataFrame(rows).to_parquet(path)
        return path
    text = {".csv": ",", ".tsv": "\t"}.get(ending)
    content = _table(rows, text) if text else _json(rows, ending)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())
    return path


def _table(rows: Rows, mark: str) -> str:
    written = io.StringIO()
    table = csv.DictWriter(written, rows[0], delimiter=mark, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue()


def _json(rows: Rows, ending: str) -> str:
    return json.dumps(rows) if ending == ".json" else "".join(f"{json.dumps(row)}\n" for row in rows)


def own(data: Path | str, **asked: Any) -> OwnData:
    """What is understood of `--data` with these flags."""
    _, found = with_own_data(RunRequest(data=data, **asked))
    assert found is not None
    return found
