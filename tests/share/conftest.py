"""A hub that can be written to, this process as somebody who uses it, and results that a run has left."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.conftest import Bench, write_superglue, write_tiny_bert
from tests.share.writable_hub import WritableHub, serving_writable

Become = Callable[..., None]
SMALL = ("--epochs", "1", "--batch-size", "8", "--max-length", "24", "--precision", "fp32", "--device", "cpu",
         "--suite", "superglue")  # fmt: skip


@pytest.fixture
def hub() -> Iterator[WritableHub]:
    with serving_writable() as server:
        yield server


@pytest.fixture
def become(hub: WritableHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Become:
    """become(name, token): from here on this process is somebody with caches of their own, online."""

    def somebody(name: str, token: str | None = "token-of-us", address: str = "") -> None:
        use_hub(address or hub.address, tmp_path / f"home-of-{name}", monkeypatch)
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        else:
            monkeypatch.delenv("HF_TOKEN", raising=False)

    return somebody


def use_hub(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these variables say when a process starts."""
    for name, value in {
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
        "ENDPOINT": address,
        "HUGGINGFACE_CO_URL_TEMPLATE": address + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(home / "hf"),
        "HF_HUB_CACHE": str(home / "hf/hub"),
        "HF_TOKEN_PATH": str(home / "hf/token"),
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(home / "own"))


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of `bench run`: two methods, two seeds, of a classification and of a choice."""
    folder = tmp_path_factory.mktemp("home-of-ann") / "secret project"
    data, model = write_superglue(folder / "data", train=24), write_tiny_bert(folder / "models" / "my-bert")
    return ran(folder, "--tasks", "rte,copa", "--methods", "ptv2,finetune", "--seeds", "2", "--models", model, "--data",
               data, *SMALL)  # fmt: skip


def ran(folder: Path, *flags: object) -> Path:
    """The results of a `bench run` in a folder."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        bench = Bench(monkeypatch, _Silent())  # type: ignore[arg-type]
        code, _, err = bench("run", *flags, "--out", folder / "results")
    assert code == 0, err
    return folder / "results"


class _Silent:
    """In the place of a test's own capture, for what is made once for all tests."""

    class _Read:
        out = err = ""

    def readouterr(self) -> _Read:
        return self._Read()


@pytest.fixture
def mine(measured: Path, tmp_path: Path) -> Path:
    """A copy of these results that a test may change."""
    shutil.copytree(measured, tmp_path / "mine")
    return tmp_path / "mine"


def seeds_of(folder: Path, keep: int) -> Path:
    """Take the records of other seeds away: what somebody has who measured that one."""
    from bench.store.store import Store

    store = Store.open(folder)
    for record in store.records():
        if record.cell.seed != keep:
            shutil.rmtree(store.cell_folder(record.id))
    cells = [cell for cell in store.planned() if cell.seed == keep]
    shutil.rmtree(folder / "plans")
    store.write_plan(cells)
    return folder
