"""The tiny checkpoints of tests/model/families.py, written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.model import proof
from bench.model.backbone import Backbone
from tests.loaded import loaded
from tests.model.families import FAMILIES
from tests.perf import zoo


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The checkpoint of a family."""
    made: dict[str, Path] = {}

    def write(family: str) -> Path:
        if family not in made:
            made[family] = FAMILIES[family](tmp_path_factory.mktemp("families") / family)
        return made[family]

    return write


@pytest.fixture
def load(folders: Callable[[str], Path]) -> Callable[[str], Backbone]:
    """A frozen backbone of a family, which a test may change."""

    def loader(family: str, checkpointing: bool = False) -> Backbone:
        return loaded(folders(family), checkpointing=checkpointing)

    return loader


@pytest.fixture
def nothing_is_known(tmp_path, monkeypatch):
    """Every proof is made here."""
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(proof, "_MADE", {})


@pytest.fixture(scope="session")
def animals(tmp_path_factory) -> Callable[[str], Path]:
    """The checkpoint of a family in tests/perf/zoo.py."""
    root = tmp_path_factory.mktemp("zoo")

    def animal(family: str) -> Path:
        return root / family if (root / family).is_dir() else zoo.write(family, root / family)

    return animal
