"""A cell that answers, and rows without their answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench as face
from bench.store.store import Store
from tests.conftest import Bench

ANSWERS = {"label", "tags", "answers"}


@pytest.fixture(scope="session")
def measured(tiny_bert: Path, fixed_superglue: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one small cell of RTE."""
    out = tmp_path_factory.mktemp("measured") / "out"
    face.run(suite="superglue", tasks="rte", models=[tiny_bert], data=fixed_superglue, methods=["ptv2"], seeds=1,
             set={"ptv2": {"length": 4}}, steps=2, batch_size=4, max_length=24, precision="fp32", devices="cpu",
             out=out)  # fmt: skip
    return out


@pytest.fixture
def cell(bench: Bench, measured: Path, tmp_path: Path) -> str:
    """The id of that cell in ./out, which a test may change."""
    shutil.copytree(measured, tmp_path / "out")
    (cell_id,) = Store.open(tmp_path / "out").ids()
    return cell_id


@pytest.fixture
def unanswered(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as JSON lines without their answers, or with those that are given; returns the file."""

    def write(name: str, rows: list[dict[str, Any]], **answers: Any) -> Path:
        path = tmp_path / f"{name}.jsonl"
        bare = [{key: value for key, value in row.items() if key not in ANSWERS} | answers for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in bare))
        return path

    return write
