"""One worker: it claims a group of a job's cells, trains and writes it, and claims the next, until nothing is left.

Who the worker is, this process, one per GPU, a job of a cluster, is nobody else's business: all do this.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

import torch

from bench.cell import Cell, Plan
from bench.ending import Ended
from bench.errors import DeviceLost, UsageError
from bench.execute.job import Job, grid_of
from bench.execute.work import Doing, Work
from bench.plan.selection import Choice, outstanding
from bench.resolved import ResolvedCell, resolve
from bench.runner import Runner
from bench.store.aside import place_of
from bench.store.claims import Claims
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import GONE, Presence, Watch, is_here, new_identity
from bench.train.audience import Audience
from bench.train.compiling import Compiling
from bench.train.loop import Progress
from bench.train.options import Options
from bench.train.run_data import RunData

NOTED_EVERY = 2.0  # seconds between two notes of how far a loop is


@dataclass(frozen=True)
class Seat:
    """Where a worker works: its devices, a model that is larger than one lies over all of them, and whether it stays
    while others train what is left. `workers`: how many of the same command share its GPU.
    """

    devices: tuple[torch.device, ...]
    wait: bool = True
    own_process: bool = False  # which ends with the work
    workers: int = 1


def work(
    job: Job, seat: Seat, audience: Audience, data: RunData | None = None, holding: Doing = nullcontext
) -> list[Record]:
    """Measure what can be had of a job; the records that this worker wrote. `holding` wraps the work on each group.

    UsageError where another run is measuring the same tasks otherwise, where data or models are unfit, and (DiskError)
    for a full disk; DeviceLost where a device is lost to this process. What it had claimed when it was interrupted is
    free again.
    """
    identity, watch = new_identity(job.run), Watch(job.folder)
    names = [str(device) for device in seat.devices]
    post = Post(
        watch, Claims(job.folder, identity, watch), Presence(job.folder, identity, names, grid_of(job.plan.cells))
    )
    try:
        with post.presence, closing(post.claims):
            return _measured(job, seat, post, audience, data, holding)
    except (Ended, KeyboardInterrupt):  # in whatever these were just about to do, or to note
        post.claims.close()
        post.presence.close()
        rmtree(place_of(job.folder, identity.worker), ignore_errors=True)
        raise


class Post(NamedTuple):
    """What a worker has in a results folder."""

    watch: Watch
    claims: Claims
    presence: Presence


def _measured(
    job: Job, seat: Seat, post: Post, audience: Audience, data: RunData | None, holding: Doing
) -> list[Record]:
    """The records of a worker whom others can see: of two that begin at once one has to be told."""
    watch, claims, presence = post
    check_grid(job.plan, job.folder, watch, job.run)
    watch.sweep()
    store, noted = Store(job.folder, claims.me.worker), Noted(audience, presence)
    queue = Work(job, store, claims, watch, seat.wait, audience.chosen, audience.finished)
    runner = Runner(store, options_of(job, seat), noted, data, Compiling(job.tokens, job.compiled))

    @contextmanager
    def doing(ids: Sequence[str]) -> Iterator[None]:
        with holding(ids), noted.doing(ids, str(seat.devices[0])):
            yield

    with closing(queue.groups(doing)) as pieces:
        try:
            records = runner.run(pieces, () if job.workers > 1 else expected(job, store))
            watch.sweep()  # of those of other machines some have been silent for long enough by now
            return records
        except DeviceLost:
            if seat.own_process:  # it has died of what it held
                claims.abandon()
            raise


def options_of(job: Job, seat: Seat) -> Options:
    first, *others = seat.devices
    return Options(
        first, job.max_lanes, job.token_budget, job.save_tuned, job.checkpointing, job.compile, tuple(others)
    )  # fmt: skip


def expected(job: Job, store: Store) -> list[ResolvedCell]:
    """What this worker will train where it is the only one."""
    return [resolve(cell) for cell in outstanding(job.plan, store).every]


def check_grid(plan: Plan, folder: Path, watch: Watch, run: str = "") -> None:
    """UsageError where a process of another run that is at work on the folder measures one of the tasks otherwise."""
    ours = grid_of(plan.cells)
    for worker in watch.alive():
        other = worker.identity
        apart = [place for place, theirs in worker.grid.items() if ours.get(place, theirs) != theirs]
        if not apart or other.run == run:
            continue
        if not is_here(other):  # its file may be what a power cut has left
            said = f"looking whether a bench run on {other.host} is still there, for at most {GONE:.0f} s"
            warnings.warn(said, stacklevel=2)
        if watch.outlasts(other):
            place = apart[0]
            raise UsageError(
                f"another bench run on {other.host} measures {place} into {folder} with {worker.grid[place]}, "
                f"this one would with {ours[place]}; wait for it or choose another --out"
            )
        watch.sweep()  # nobody has to look again


@dataclass
class Pace:
    """How fast a loop goes, evaluations included, from the end of its first step, in which kernels are made ready."""

    since: float
    step: int
    tokens: int = 0


class Noted:
    """An audience's voice, and a worker's file that says the same to other processes."""

    def __init__(self, audience: Audience, presence: Presence) -> None:
        self._audience, self._presence = audience, presence
        self._ids: Sequence[str] = ()
        self._noted = 0.0
        self._pace: Pace | None = None

    @contextmanager
    def doing(self, ids: Sequence[str], device: str) -> Iterator[None]:
        self._ids = ids
        with self._presence.doing(ids, device):
            yield

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        self._pace, self._noted = None, 0.0
        return self._audience.loop(cells)

    def step(self, progress: Progress) -> None:
        self._audience.step(progress)
        now = time.monotonic()
        if self._pace is not None:
            self._pace.tokens += progress.tokens
        if now - self._noted < NOTED_EVERY or not progress.lanes:
            return
        self._noted = now
        lane = min(progress.lanes, key=lambda lane: lane.step / max(1, lane.num_steps))
        self._pace = pace = self._pace or Pace(now, lane.step)
        passed, steps = now - pace.since, lane.step - pace.step
        self._presence.reached(
            self._ids,
            step=lane.step,
            num_steps=lane.num_steps,
            tokens_per_second=round(pace.tokens / passed) if steps > 0 else 0.0,
            seconds_per_step=passed / steps if steps > 0 else 0.0,
        )

    def finished(self, record: Record) -> None:
        self._audience.finished(record)

    def chosen(self, choice: Choice) -> None:
        self._audience.chosen(choice)
