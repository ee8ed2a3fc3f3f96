"""A cluster for tests of what is sent to one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.execute.slurm_cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(tmp_path / "cluster")
    monkeypatch.setenv("PATH", f"{made.folder}:{os.environ['PATH']}")
    return made
