"""The cache that a first run has left which could reach the hub: a stand-in, asked by the real libraries."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pytest
from huggingface_hub import constants
from pyarrow import parquet

from bench.data import hub
from bench.model.source import known_model
from bench.task import Source, Task
from tests.data.hub_server import HubServer, serving

REPO, MODEL, BRANCHED = "us/PairSet", "us/tiny", "us/branched"
CARD = b"""---
configs:
- config_name: p
  data_files: [{split: train, path: p/train-*}, {split: validation, path: p/validation-*}]
---
"""
PAIRS = Task(
    name="pairs", kind="classification", source=Source(hub=REPO, config="p"), plain="{premise}", classes=("a", "b"),
    metrics=("accuracy",),
)  # fmt: skip
CONVERTED = PAIRS.model_copy(
    update={"source": Source(hub="us/script", config="english_v4", revision="refs/convert/parquet")}
)
FETCH = """
import torch
from bench.data.sources import load
from bench.model.loading import load_backbone
from bench.model.source import find_model
from tests.data.conftest import BRANCHED, CONVERTED, MODEL, PAIRS
load(PAIRS, "train", None)
load(CONVERTED, "train", None)
load_backbone(find_model(MODEL), torch.device("cpu"), "fp32", True)
load_backbone(find_model(BRANCHED + "@refs/pr/4"), torch.device("cpu"), "fp32", True)
"""


def table(*premises: str) -> bytes:
    written = io.BytesIO()
    parquet.write_table(pyarrow.table({"premise": premises, "label": ["a"] * len(premises)}), written)
    return written.getvalue()


@dataclass(frozen=True)
class Fetched:
    """A cache of data sets and models at these commits; the hub has gone on since."""

    folder: Path
    server: HubServer
    dataset: str
    newer: str  # of the data set, not in the cache
    model: str
    branched: str  # the model of a pull request


@pytest.fixture(scope="session")
def fetched(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Iterator[Fetched]:
    folder = tmp_path_factory.mktemp("home")
    with serving() as server:
        files = {f"p/{split}-00000-of-00001.parquet": table(f"{split} a", "b") for split in ("train", "validation")}
        first = server.push("dataset", REPO, {"README.md": CARD, **files})
        server.push("dataset", "us/script", {"script.py": b"raise SystemExit"})
        config = {f"english_v{version}/train/0000.parquet": table(f"v{version}") for version in (4, 12)}
        server.names["refs/convert/parquet"] = server.push("dataset", "us/script", config)
        weights = {path.name: path.read_bytes() for path in tiny_bert.iterdir()}
        model, branched = server.push("model", MODEL, weights), server.push("model", BRANCHED, weights)
        server.names["refs/pr/4"] = branched
        server.push("model", BRANCHED, {"config.json": weights["config.json"], "pytorch_model.bin": b""})
        paths = {
            "HF_HOME": str(folder / "hf"),
            "TUNING_BENCH_CACHE": str(folder / "own"),
            "HF_ENDPOINT": server.address,
        }
        online = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        subprocess.run([sys.executable, "-c", FETCH], env={**online, **paths}, check=True, timeout=300)
        newer = server.push("dataset", REPO, {"README.md": CARD, **files, "p/train-00000-of-00001.parquet": table("c")})
        yield Fetched(folder, server, first, newer, model, branched)


@pytest.fixture
def cached(fetched: Fetched, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """The cache of the first run, offline."""
    use_cache(fetched.folder, monkeypatch)
    monkeypatch.setattr(constants, "ENDPOINT", fetched.server.address)
    template = fetched.server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(fetched.server, "refusals", {})
    monkeypatch.setattr(fetched.server, "silent", False)
    fetched.server.asked.clear()
    return fetched


@pytest.fixture
def online(cached: Fetched, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """The cache of the first run, and the hub to be asked."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    return cached


@pytest.fixture
def own_copy(cached: Fetched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that cache, which a test may spoil."""
    folder = tmp_path / "copy"
    shutil.copytree(cached.folder, folder, symlinks=True)
    use_cache(folder, monkeypatch)
    return folder


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HOME", str(folder / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hf/hub"))
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(folder / "own"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    monkeypatch.setattr(hub, "_offline", [])
    monkeypatch.setattr(hub, "_answered", [])
    monkeypatch.setattr(hub, "_files", {})
    hub.resolve.cache_clear()
    known_model.cache_clear()
