"""A small grid that `bench.run` has measured, for tests that only read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import bench


@pytest.fixture(scope="session")
def small(tiny_bert: Path, fixed_superglue: Path) -> dict[str, Any]:
    """The arguments of a grid of cells that take a moment each, but for `out`."""
    return {
        "suite": "superglue", "tasks": "rte", "models": [tiny_bert], "data": fixed_superglue, "steps": 2,
        "batch_size": 4, "max_length": 24, "precision": "fp32", "devices": "cpu", "seeds": 1, "methods": ["ptv2"],
    }  # fmt: skip


@pytest.fixture(scope="session")
def measured(small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> bench.Results:
    """Two methods on two tasks with three seeds; one cell has failed."""
    out = tmp_path_factory.mktemp("measured") / "out"
    grid = {**small, "tasks": ["rte", "cb"], "methods": ["ptv2", "finetune"], "seeds": 3}
    return bench.run(**grid, out=out)
