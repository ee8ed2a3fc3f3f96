"""A tracker that keeps what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.track import known
from bench.track.tracker import Run, Tracker


class Kept(Tracker):
    """Every run of the test by the cell's id: settings, numbers by step, status and final numbers."""

    runs: dict[str, dict[str, Any]] = {}

    def __init__(self, run: Run) -> None:
        self.told: dict[str, Any] = {"run": run, "log": [], "closed": None}
        assert run.cell.id not in self.runs, "one run a cell"
        self.runs[run.cell.id] = self.told

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        assert self.told["closed"] is None
        self.told["log"].append((step, dict(numbers)))

    def close(self, status: str, numbers: Mapping[str, float]) -> None:
        assert self.told["closed"] is None
        self.told["closed"] = (status, dict(numbers))

    @classmethod
    def series(cls, cell_id: str, name: str) -> list[tuple[int, float]]:
        return [(step, numbers[name]) for step, numbers in cls.runs[cell_id]["log"] if name in numbers]


@pytest.fixture(autouse=True)
def _own_trackers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_TRACKERS", dict(known.trackers()))


@pytest.fixture
def kept() -> Iterator[type[Kept]]:
    known.tracker("kept")(Kept)
    Kept.runs.clear()
    yield Kept
    Kept.runs.clear()


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A file with a tracker that writes lines."""
    file = tmp_path / "lines.py"
    file.write_text(
        "import bench\n\n@bench.tracker('lines')\nclass Lines(bench.Tracker):\n"
        "    def __init__(self, run):\n        self.path = run.folder / f'{run.cell.id}.txt'\n"
        "    def log(self, step, numbers):\n        pass\n"
        "    def close(self, status, numbers):\n        self.path.write_text(status)\n"
    )
    return file
