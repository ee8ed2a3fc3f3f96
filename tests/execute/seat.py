"""A worker of a results folder with its queue, of which nothing is trained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from bench.cell import Cell, Plan
from bench.execute import work as queue
from bench.execute.job import Job
from bench.execute.work import Work
from bench.plan.cells import plan
from bench.plan.selection import Choice
from bench.request import RunRequest
from bench.store.claims import Claims
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Identity, Watch, new_identity
from bench.train.groups import Group


def make_plan(**asked: Any) -> Plan:
    return plan(RunRequest(**{"tasks": "sentiment", "models": "tiny", "methods": "ptv2", **asked}), "fp32")


class Seat:
    """One worker of a folder, as bench.execute.worker has it, with its queue."""

    def __init__(
        self,
        folder: Path,
        of: Plan,
        owner: Identity | None = None,
        *,
        wait: bool = False,
        gone: float = 90.0,
        **job: Any,
    ) -> None:
        self.me = owner or new_identity("mine")
        self.store = Store(Store.create(folder).path, self.me.worker)
        self.watch = Watch(folder, gone)
        self.claims = Claims(folder, self.me, self.watch)
        self.choices: list[Choice] = []
        self.given_up: list[Record] = []
        self.job = Job(of, folder, self.me.run, **{"max_lanes": 8, "failures": self.store.failures(), **job})
        work = Work(self.job, self.store, self.claims, self.watch, wait, self.choices.append, self.given_up.append)
        self.work, self.groups = work, work.groups(lambda _: nullcontext())

    def next(self) -> list[Cell]:
        group: Group = next(self.groups)
        return [resolved.cell for resolved in group.cells]

    def write(self, cell: Cell, score: float = 50.0, **changes: Any) -> None:
        scores = {"accuracy": score} if changes.get("status", "done") == "done" else {}
        fields = {"status": "done", "main_metric": "accuracy", "scores": scores, "selection_score": score}
        self.store.write(Record(id=cell.id, cell=cell, **(fields | changes)))

    def do_all(self, score: Callable[[Cell], float] = lambda _: 50.0) -> list[list[Cell]]:
        """Take group after group and write it; returns them."""
        done = []
        for group in self.groups:
            done.append([resolved.cell for resolved in group.cells])
            for cell in done[-1]:
                self.write(cell, score(cell))
        return done


def standing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("claims/[!.]*"))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """A worker with nothing to take does not sleep but calls these in turn; one that would sleep on is a mistake."""
    meanwhile: list[Callable[[], object]] = []
    monkeypatch.setattr(queue.time, "sleep", lambda _: meanwhile.pop(0)())
    return meanwhile
