"""What a pool makes of its workers' words, however late they are heard, and of what was not said. Nothing trains."""

from __future__ import annotations

import io
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from bench.commands.measure import _close
from bench.errors import UsageError
from bench.execute import pool
from bench.execute.job import Job
from bench.execute.pool import Pool
from bench.execute.worker import Seat
from bench.plan.selection import outstanding
from bench.store.record import Record
from bench.store.store import Store
from tests.conftest import Quiet
from tests.execute.seat import make_plan

Life = Callable[[Any], None]  # what a worker does, with the pipe to the one that listens


class Scripted:
    """A process. Its sentinel, a file's descriptor, has the number that the sentinel of the one before it had, as may
    be with multiprocessing's.
    """

    exitcode = 1

    def __init__(self, life: Life, wire: Any, sentinel: int) -> None:
        end, self._other_end = os.pipe()
        os.dup2(end, sentinel)
        os.close(end)
        self.sentinel = sentinel
        self._thread = threading.Thread(target=self._live, args=(life, wire))

    def _live(self, life: Life, wire: Any) -> None:
        life(wire)
        wire.close()
        os.close(self._other_end)

    def start(self) -> None:
        self._thread.start()
        self._thread.join(0.2)  # most have ended before anybody listens

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def is_alive(self) -> bool:
        return self._thread.is_alive()


class Script:
    """Processes that live, one after another, as it says."""

    def __init__(self, *lives: Life) -> None:
        self._lives = list(lives)
        self._sentinel = os.open(os.devnull, os.O_RDONLY)

    def Pipe(self, duplex: bool) -> tuple[Any, Any]:
        return multiprocessing.Pipe(duplex)

    def Process(self, target: object, args: tuple[Any, ...], name: str) -> Scripted:
        wire = os.dup(args[0].fileno())  # the pool closes its own when the process has started
        return Scripted(self._lives.pop(0), Connection(wire, readable=False), self._sentinel)

    def close(self) -> None:
        os.close(self._sentinel)


class Told(Quiet):
    def __init__(self) -> None:
        self.records: list[Record] = []

    def finished(self, record: Any) -> None:
        self.records.append(record)


class World:
    """A folder, a job of three cells, and who listens."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.plan = make_plan(seeds=3)
        self.store = Store.create(folder / "out")
        self.job = Job(self.plan, self.store.path, "mine", 1)
        self.left, self.before = outstanding(self.plan, self.store), self.store.done()
        self.told, self.said = Told(), []
        self._monkeypatch = monkeypatch

    def record(self, number: int, status: Any = "done") -> Record:
        cell = self.plan.cells[number]
        return Record(id=cell.id, cell=cell, status=status, main_metric="accuracy", scores={}, reason="no luck")

    def write(self, number: int, status: str = "done") -> Record:
        record = self.record(number, status)
        self.store.write(record)
        return record

    def holds(self, number: int) -> tuple[str, list[str]]:
        return ("holds", [self.plan.cells[number].id])

    def run(self, *lives: Life) -> list[Record]:
        with closing(Script(*lives)) as script:
            self._monkeypatch.setattr(pool.multiprocessing, "get_context", lambda _: script)
            return Pool(self.job, [Seat((torch.device("cpu"),))], self.told, self.said.append).run()

    def line(self, records: list[Record]) -> tuple[int, str]:
        """How `bench run` ends."""
        screen = Console(file=io.StringIO(), width=200)
        code = _close(screen, self.job, self.left, self.before, records)
        return code, screen.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def test_a_worker_that_ends_with_words_unheard_is_replaced_once(world: World) -> None:
    """Else the second in its place is not listened to: what it wrote would be counted as that of other processes."""

    def loses_its_device(wire: Any) -> None:
        wire.send(world.holds(1))
        wire.send(("lost", "an illegal memory access"))

    def goes_on(wire: Any) -> None:
        wire.send(("finished", world.write(1, "failed")))
        wire.send(world.holds(2))
        wire.send(("finished", world.write(2)))
        wire.send(("over", None))

    first = world.write(0)
    records = [first, *world.run(*[loses_its_device] * 3, goes_on)]
    assert world.line(records) == (
        1,
        "1 of 3 cells failed; they are tried again next time\n"
        f"2 cells written to {world.store.path}; next: bench report {world.store.path}\n",
    )
    assert [line.split("(")[0] for line in world.said[1::2]] == ["the worker on cpu ended "] * 3


def test_a_worker_that_has_the_sentinel_of_the_one_before_it_has_not_ended_with_that(world: World) -> None:
    def dies(wire: Any) -> None:
        """It has no word to say, so that its pipe and its sentinel are seen to be at their end in one look."""

    def goes_on(wire: Any) -> None:
        time.sleep(0.5)  # beyond what is waited for at its start
        for number in range(3):
            wire.send(world.holds(number))
            wire.send(("finished", world.write(number)))
        wire.send(("over", None))

    assert [record.cell.seed for record in world.run(dies, goes_on)] == [0, 1, 2]
    assert len(world.said) == 1


def test_what_a_worker_wrote_and_did_not_live_to_tell_is_its_runs(world: World) -> None:
    def writes_and_dies(wire: Any) -> None:
        wire.send(world.holds(0))
        world.write(0)

    def fails_and_dies(wire: Any) -> None:
        wire.send(world.holds(1))
        world.write(1, "failed")

    def goes_on(wire: Any) -> None:
        wire.send(world.holds(2))
        wire.send(("finished", world.write(2)))
        wire.send(("holds", []))
        wire.send(("over", None))

    records = world.run(writes_and_dies, fails_and_dies, goes_on)
    assert [(record.cell.seed, record.status) for record in records] == [(0, "done"), (1, "failed"), (2, "done")]
    assert world.told.records == records
    assert world.line(records) == (
        1,
        "1 of 3 cells failed; they are tried again next time\n"
        f"2 cells written to {world.store.path}; next: bench report {world.store.path}\n",
    )


def test_a_failure_of_an_earlier_run_is_not_of_a_worker_that_dies(world: World) -> None:
    world.write(0, "failed")
    world.job = replace(world.job, failures=world.store.failures())

    def dies(wire: Any) -> None:
        wire.send(world.holds(0))

    def goes_on(wire: Any) -> None:
        for number in range(3):
            wire.send(world.holds(number))
            wire.send(("finished", world.write(number)))
        wire.send(("over", None))

    records = world.run(dies, goes_on)
    assert [(record.cell.seed, record.status) for record in records] == [(0, "done"), (1, "done"), (2, "done")]
    assert world.line(records)[0] == 0


def test_what_failed_here_and_another_process_then_finished_has_not_failed(world: World) -> None:
    failed = world.write(0, "failed")
    world.write(0)
    done = [world.write(1), world.write(2)]
    assert world.line([failed, *done]) == (
        0,
        f"2 cells written to {world.store.path}, 1 by other processes; next: bench report {world.store.path}\n",
    )


def test_a_cell_that_two_workers_tell_of_is_one(world: World) -> None:
    failed = world.write(1, "failed")
    assert world.line([world.write(0), failed, failed])[1].startswith("1 of 2 cells failed; ")


def test_a_worker_that_loses_what_it_is_told_is_asked_to_end_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, heard = threading.Semaphore(0), list[bool]()
    monkeypatch.setattr(Scripted, "terminate", lambda _: asked.release(), raising=False)
    monkeypatch.setattr(pool, "AGAIN", 0.01)

    def deaf_at_first(wire: Any) -> None:
        wire.send(("unusable", UsageError("no data")))
        heard.extend(asked.acquire(timeout=20) for _ in range(3))

    with pytest.raises(UsageError, match="no data"):
        world.run(deaf_at_first)
    assert heard == [True] * 3
