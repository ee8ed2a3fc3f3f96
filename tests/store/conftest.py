"""Processes that own claims: real ones of this machine, and made-up ones of others; a clock that a test moves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.store import workers
from bench.store.workers import Identity, Worker, worker_file

ROOT = Path(__file__).parents[2]
WAITING = "import sys; from bench.store.workers import new_identity; print(new_identity(sys.argv[1]).model_dump_json(), flush=True); input()"  # noqa: E501


@dataclass
class Process:
    """A process of this machine that does nothing, and who it is."""

    popen: subprocess.Popen[str]
    identity: Identity

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    """Start such a process: process(run)."""
    started: list[subprocess.Popen[str]] = []

    def start(run: str = "theirs") -> Process:
        child = subprocess.Popen(
            [sys.executable, "-c", WAITING, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        started.append(child)
        assert child.stdout is not None
        return Process(child, Identity.model_validate_json(child.stdout.readline()))

    yield start
    for child in started:
        child.kill()
        child.communicate()


@dataclass
class Clock:
    """What `bench.store.workers` takes for the time."""

    now: float = 1000.0
    when_slept: list[Callable[[], object]] = field(default_factory=list)  # called in turn, one a sleep

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.when_slept:
            self.when_slept.pop(0)()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=made.monotonic, sleep=made.sleep))
    return made


def elsewhere(name: str = "far-1", run: str = "theirs") -> Identity:
    """A process of another machine, with a number that lives here too: the first of all."""
    return Identity(worker=name, run=run, host="far", machine="another boot", process=1, began="0")


def show(folder: Path, owner: Identity, grid: dict[str, str] | None = None, **changes: object) -> Path:
    """Write a worker's file as the worker would, anew."""
    path = worker_file(folder, owner.worker)
    path.parent.mkdir(parents=True, exist_ok=True)
    said = Worker(identity=owner, devices=("cpu",), started="2026-01-01T00:00:00+00:00", grid=grid or {})
    path.write_text(said.model_copy(update=changes).model_dump_json())
    return path
