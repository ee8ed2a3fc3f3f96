"""One worker: it claims a group of a job's cells, trains and writes it, and claims the next, until nothing is left.

Who the worker is, this process, one per GPU, a job of a cluster, is nobody else's business: all do this.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from types import FrameType

import torch

from bench.cell import Cell
from bench.errors import UsageError
from bench.execute.job import Job, grid_of
from bench.execute.work import Work
from bench.plan.selection import Choice, choose, trials_to_run
from bench.resolved import ResolvedCell, resolve
from bench.runner import Runner
from bench.store.claims import Claims
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Presence, Watch, new_identity
from bench.train.audience import Audience
from bench.train.compiling import Compiling
from bench.train.loop import Progress
from bench.train.options import Options
from bench.train.run_data import RunData

LONG_SILENCE = 3600.0  # seconds; a worker's file is written every few
NOTED_EVERY = 2.0  # seconds between two notes of how far a loop is


@dataclass(frozen=True)
class Seat:
    """Where a worker works: its devices, a model that is larger than one lies over all of them, and whether it stays
    while others train what is left.
    """

    devices: tuple[torch.device, ...]
    wait: bool = True


def work(job: Job, seat: Seat, audience: Audience, data: RunData | None = None) -> list[Record]:
    """Measure what can be had of a job; the records that this worker wrote.

    UsageError where another run is measuring the same tasks otherwise, where data or models are unfit, and (DiskError)
    for a full disk. What it had claimed when it was interrupted is free again.
    """
    identity = new_identity(job.run)
    watch = Watch(job.folder)
    check_grid(job, watch)
    store = Store(job.folder, identity.worker)
    claims = Claims(job.folder, identity, watch)
    names = [str(device) for device in seat.devices]
    with Presence(job.folder, identity, names, grid_of(job.plan.cells)) as presence, closing(claims):
        watch.sweep()
        noted = Noted(audience, presence)
        queue = Work(job, store, claims, watch, seat.wait, audience.chosen)
        runner = Runner(store, options_of(job, seat), noted, data, Compiling(job.tokens, job.compiled))
        with closing(queue.groups(lambda ids: noted.doing(ids, names[0]))) as pieces:
            return runner.run(pieces, () if job.workers > 1 else expected(job, store))


def options_of(job: Job, seat: Seat) -> Options:
    return Options(
        seat.devices[0], job.max_lanes, job.token_budget, job.save_tuned, job.checkpointing, job.compile
    )  # fmt: skip


def expected(job: Job, store: Store) -> list[ResolvedCell]:
    """What this worker will train where it is the only one."""
    choice = choose(job.plan, store)
    cells = [*trials_to_run(job.plan, store), *store.missing(choice.cells), *choice.waiting]
    return [resolve(cell) for cell in cells]


def check_grid(job: Job, watch: Watch) -> None:
    """UsageError where a process that is at work on the folder measures one of the tasks otherwise.

    One of another machine that was silent for so long that no clock can be that wrong is not.
    """
    ours = grid_of(job.plan.cells)
    for worker in watch.alive():
        if worker.identity.run == job.run or watch.silence(worker.identity) > LONG_SILENCE:
            continue
        for place, theirs in worker.grid.items():
            if ours.get(place, theirs) != theirs:
                raise UsageError(
                    f"another bench run on {worker.identity.host} measures {place} into {job.folder} with {theirs}, "
                    f"this one would with {ours[place]}; wait for it or choose another --out"
                )


class Noted:
    """An audience's voice, and a worker's file that says the same to other processes."""

    def __init__(self, audience: Audience, presence: Presence) -> None:
        self._audience, self._presence = audience, presence
        self._ids: Sequence[str] = ()
        self._noted = 0.0

    @contextmanager
    def doing(self, ids: Sequence[str], device: str) -> Iterator[None]:
        self._ids = ids
        with self._presence.doing(ids, device):
            yield

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        return self._audience.loop(cells)

    def step(self, progress: Progress) -> None:
        self._audience.step(progress)
        now = time.monotonic()
        if now - self._noted >= NOTED_EVERY and progress.lanes:
            self._noted = now
            lane = min(progress.lanes, key=lambda lane: lane.step / max(1, lane.num_steps))
            self._presence.reached(self._ids, lane.step, lane.num_steps, progress.tokens / progress.seconds)

    def finished(self, record: Record) -> None:
        self._audience.finished(record)

    def chosen(self, choice: Choice) -> None:
        self._audience.chosen(choice)


TERMINATED = 128 + signal.SIGTERM  # what a shell sees of a program that was asked to end


@contextmanager
def ending_on_request() -> Iterator[None]:
    """Within the block SIGTERM, which a queue sends before it takes a machine away, ends the process as Ctrl-C does:
    what is claimed is let go.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
