"""Rows without their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ANSWERS = {"label", "tags", "answers"}


@pytest.fixture
def unanswered(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as JSON lines without their answers, or with those that are given; returns the file."""

    def write(name: str, rows: list[dict[str, Any]], **answers: Any) -> Path:
        path = tmp_path / f"{name}.jsonl"
        bare = [{key: value for key, value in row.items() if key not in ANSWERS} | answers for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in bare))
        return path

    return write
