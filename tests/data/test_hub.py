"""Which commit of a repository is meant: asked of a stand-in of the hub once, then known from the cache it filled."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow
import pytest
from huggingface_hub import HfApi, constants
from pyarrow import parquet

from bench.data import hub
from bench.data.places import hub_revision
from bench.data.sources import load
from bench.errors import UsageError
from bench.model.source import find_model
from bench.task import Source, Task
from tests.data.hub_server import HubServer, serving

REPO, MODEL = "us/PairSet", "us/tiny"
OTHER = "0123456789abcdef0123456789abcdef01234567"
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
FETCH = """
from huggingface_hub import snapshot_download
from bench.data.sources import load
from bench.model.source import find_model
from tests.data.test_hub import MODEL, PAIRS
load(PAIRS, "train", None)
model = find_model(MODEL)
snapshot_download(model.path, revision=model.revision)  # as a loader does, by commit
"""


def table(*premises: str) -> bytes:
    written = io.BytesIO()
    parquet.write_table(pyarrow.table({"premise": premises, "label": ["a"] * len(premises)}), written)
    return written.getvalue()


@dataclass(frozen=True)
class Fetched:
    """What a first, online run has left: a cache of data set and model at these commits; the hub has moved on."""

    folder: Path
    dataset: str
    model: str
    server: HubServer
    newer: str  # of the data set


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Iterator[Fetched]:
    folder = tmp_path_factory.mktemp("home")
    with serving() as server:
        files = {f"p/{split}-00000-of-00001.parquet": table(f"{split} a", "b") for split in ("train", "validation")}
        first = server.push("dataset", REPO, {"README.md": CARD, **files})
        model = server.push("model", MODEL, {path.name: path.read_bytes() for path in tiny_bert.iterdir()})
        paths = {
            "HF_HOME": str(folder / "hf"),
            "TUNING_BENCH_CACHE": str(folder / "own"),
            "HF_ENDPOINT": server.address,
        }
        online = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        subprocess.run([sys.executable, "-c", FETCH], env={**online, **paths}, check=True, timeout=120)
        newer = server.push("dataset", REPO, {"README.md": CARD, **files, "p/train-00000-of-00001.parquet": table("c")})
        yield Fetched(folder, first, model, server, newer)


@pytest.fixture
def cached(fetched: Fetched, monkeypatch: pytest.MonkeyPatch) -> Fetched:
    """The cache of the first run, offline."""
    use(fetched.folder, monkeypatch)
    monkeypatch.setattr(constants, "ENDPOINT", fetched.server.address)
    fetched.server.asked.clear()
    return fetched


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache without anything, offline."""
    use(tmp_path, monkeypatch)
    return tmp_path


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HOME", str(folder / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hf/hub"))
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(folder / "own"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    hub.resolve.cache_clear()
    find_model.cache_clear()


def premises(task: Task = PAIRS) -> list[str]:
    return [row.fields["premise"] for row in load(task, "train", None)]


def test_a_data_set_once_fetched_comes_from_the_cache_with_its_commit(cached: Fetched) -> None:
    assert not (cached.folder / "hf/hub/datasets--us--PairSet/refs").exists()  # nobody else says which commit it was
    assert hub_revision(PAIRS) == cached.dataset
    assert premises() == ["train a", "b"]
    assert cached.server.asked == []


def test_a_model_once_fetched_comes_from_the_cache_with_its_commit(cached: Fetched) -> None:
    found = find_model(MODEL)
    assert (found.revision, found.layers) == (cached.model, 2)
    assert cached.server.asked == []


def test_without_our_notes_the_commit_that_is_in_the_cache_is_taken_and_told(
    cached: Fetched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path))
    with pytest.warns(UserWarning, match=f"dataset {REPO} is taken at {cached.dataset}, the newest in the cache"):
        assert hub_revision(PAIRS) == cached.dataset


def test_a_newer_commit_that_was_only_looked_up_is_not_taken_for_the_one_in_the_cache(
    cached: Fetched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "repo_info", lambda *_, **__: type("Info", (), {"sha": cached.newer}))
    assert hub_revision(PAIRS) == cached.newer
    hub.resolve.cache_clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.warns(UserWarning, match=f"is taken at {cached.dataset}"):
        assert (hub_revision(PAIRS), premises()) == (cached.dataset, ["train a", "b"])


def test_another_configuration_than_the_one_fetched_is_not_in_the_cache(cached: Fetched) -> None:
    assert hub.resolve(REPO, None, "dataset", "", config=None) == cached.dataset
    with pytest.raises(UsageError) as error:
        hub.resolve(REPO, None, "dataset", "Do this instead.", config="q")
    assert str(error.value) == (
        f"cannot reach the hub for dataset {REPO!r} (q) (HF_HUB_OFFLINE is set), and it is not in the cache. "
        "Do this instead."
    )


def test_a_revision_is_its_own_commit_and_not_the_newest(cached: Fetched) -> None:
    assert hub.resolve(REPO, cached.dataset, "dataset", "", config="p") == cached.dataset
    for revision in ("v2", OTHER):
        with pytest.raises(UsageError, match=rf"dataset '{REPO}' \(p\) at {revision} "):
            hub.resolve(REPO, revision, "dataset", "", config="p")


def test_the_hub_client_s_own_note_is_read_too(empty: Path) -> None:
    repository = empty / "hf/hub/models--us--tiny"
    for name, content in {
        "refs/main": OTHER, f"snapshots/{OTHER}/config.json": "{}", f"snapshots/{OTHER}/model.safetensors": ""
    }.items():  # fmt: skip
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(content)
    assert hub.resolve(MODEL, None, "model", "") == OTHER


def test_without_hub_and_cache_the_hint_is_given(empty: Path) -> None:
    with pytest.raises(UsageError) as error:
        hub.resolve("aps/super_glue", None, "dataset", "Do this instead.")
    assert str(error.value) == (
        "cannot reach the hub for dataset 'aps/super_glue' (HF_HUB_OFFLINE is set), and it is not in the cache. "
        "Do this instead."
    )


def test_a_hub_out_of_reach_is_asked_once_and_all_else_comes_from_the_cache(
    cached: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def unreachable(_: HfApi, repo: str, timeout: float, **__: object) -> None:
        assert timeout <= 10
        asked.append(repo)
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "repo_info", unreachable)
    told = r"the hub cannot be reached \(Name or service not known\); all is taken from the cache from here on"
    with pytest.warns(UserWarning, match=told):
        assert hub_revision(PAIRS) == cached.dataset
    assert (premises(), find_model(MODEL).revision) == (["train a", "b"], cached.model)
    assert asked == [REPO]
    assert cached.server.asked == []
    assert constants.HF_HUB_OFFLINE


def test_what_the_hub_fetches_anew_is_of_the_commit_that_was_asked_for(
    cached: Fetched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library falls back to the newest data set in its cache when the hub breaks off."""
    import datasets

    kept = datasets.Dataset.from_file(
        str(next((cached.folder / "hf/datasets").glob(f"*/p/*/{cached.dataset}/*-train.arrow")))
    )
    monkeypatch.setattr(hub, "resolve", lambda *_, **__: cached.newer)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: kept)
    with pytest.raises(UsageError, match=f"came as {cached.dataset}, not as {cached.newer}"):
        load(PAIRS, "train", None)
