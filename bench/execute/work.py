"""The cells of a plan that are still to be had, as groups for whoever asks. No torch here.

Trials come before the cells that wait for them. Of each come first those of the method that the others are compared
with, so that a run that is interrupted can be read, and then the longest, so that no worker is left with a long group
in the end; what may share a loop is divided so that the parts cost alike (bench.plan.cost), by what finished cells of
the same task were seen to train on. A group that this worker's loaded model can go on with comes before one that
another must be loaded for. Every worker sees the same plan and the same store, so that each comes to the same choice
once a line's trials are there.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime

from bench.cell import Cell
from bench.execute.job import Job
from bench.execute.line import Line
from bench.plan.cost import Costs, likeness
from bench.plan.seen import seen
from bench.plan.selection import Choice, choose, trials_to_run
from bench.resolved import ResolvedCell, resolve
from bench.store.claims import MOST_DEATHS, Claims, Held
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Watch
from bench.train.groups import Group, kind_of

POLL = 1.0  # seconds between two looks at the folder when there is nothing to take
LOOK = 1.0  # seconds for which a look at what is finished is good enough
LOOKING = 0.05  # most of the time that looks may take: in a large folder there are fewer of them
Doing = Callable[[Sequence[str]], AbstractContextManager[object]]


class Work:
    """The outstanding cells of a job, for one worker, which `claims` are of.

    `wait`: whether to stay while others train what is left, and take it over when they die; without it a worker leaves
    as soon as there is nothing to take and nothing to come. `chosen` hears of the choice when all trials are over,
    `gave_up` of the record of a cell that brought down too many workers.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        claims: Claims,
        watch: Watch,
        wait: bool = True,
        chosen: Callable[[Choice], None] = lambda _: None,
        gave_up: Callable[[Record], None] = lambda _: None,
    ) -> None:
        self._job, self._store, self._claims, self._watch = job, store, claims, watch
        self._wait, self._chosen, self._gave_up = wait, chosen, gave_up
        self._named: dict[str, ResolvedCell] = {}  # one of each task and settings
        self._resolved: dict[str, ResolvedCell] = {}
        self._done: set[str] = set()
        self._attempted: set[str] = set()
        self._look_at = -math.inf  # when the next look is due
        self._workers = 1
        self._stages: list[list[Line]] = []  # trials, and the cells whose settings are known; in the order to be taken
        self._line_of: dict[str, Line] = {}
        self._trials = frozenset(trial.id for trial in job.plan.trials)
        self._costs = Costs()
        self._choice: Choice | None = None
        self._waiting = True
        self._loaded: Hashable = None

    def groups(self, doing: Doing) -> Generator[Group, None, None]:
        """Groups, one after another, each claimed until the next is asked for; ends when nothing is left.

        What is interrupted is free again at once.
        """
        while True:
            group = self.next()
            if group is None:
                if self.is_over or not (self._wait or self._waiting):
                    return
                time.sleep(POLL)
                continue
            ids = [resolved.cell.id for resolved in group.cells]
            try:
                with doing(ids):
                    yield group
            finally:
                self.let_go(ids)

    @property
    def is_over(self) -> bool:
        """Whether every cell has a record, or has been tried and failed."""
        return not self._waiting and not self._line_of

    def let_go(self, ids: Sequence[str]) -> None:
        """A group's work has ended: what has no record is free again."""
        done = {cell_id for cell_id in ids if self._store.is_done(cell_id)}
        failed = {cell_id for cell_id in ids if cell_id not in done and self._has_failed(cell_id)}
        self._claims.release([*done, *failed])
        self._claims.release([cell_id for cell_id in ids if cell_id not in done | failed], over=False)
        self._note(done, failed)

    def next(self) -> Group | None:
        """A group that is now claimed, until `let_go`; None when there is none to be had at the moment."""
        return self._next() or self._next(anew=True)

    def _next(self, anew: bool = False) -> Group | None:
        """The same as far as the last look says, or a new one."""
        if anew or time.monotonic() >= self._look_at:
            self._look()
        held = self._claims.held()
        self._give_up(held)
        lost: set[str] = set()  # others were faster
        while candidate := self._candidate(held, lost):
            line, cells = candidate
            group = self._claimed(line, cells, held, lost)
            if group is not None:
                return group
        return None

    def _claimed(
        self, line: Line, cells: Sequence[ResolvedCell], held: Mapping[str, Held], lost: set[str]
    ) -> Group | None:  # fmt: skip
        """The candidates that could be claimed; None where another was faster with the first, or all are finished."""
        ids = [resolved.cell.id for resolved in cells]
        taken = self._claims.take(ids[:1], held)
        taken += self._claims.take(ids[1:], held) if taken else []
        lost.update(set(ids if taken else ids[:1]).difference(taken))
        if any(cell_id in held for cell_id in taken):
            self._watch.sweep()  # who takes over clears up
        done = {cell_id for cell_id in taken if self._store.is_done(cell_id)}
        failed = {cell_id for cell_id in taken if cell_id not in done and self._has_failed(cell_id)}
        self._claims.release([*done, *failed])
        left = [self._resolved[cell_id] for cell_id in taken if cell_id not in done | failed]
        self._note(done, failed)
        if not left:
            return None
        self._loaded = line.model
        return Group(tuple(left), shared=line.shares)

    def _has_failed(self, cell_id: str) -> bool:
        """Whether a cell has failed in this run, in whatever process."""
        mark = self._store.failure(cell_id)
        return mark is not None and mark != self._job.failures.get(cell_id)

    def _candidate(self, held: Mapping[str, Held], lost: set[str]) -> tuple[Line, Sequence[ResolvedCell]] | None:
        """The cells to be claimed next: of a line as many as cost a worker's share of its work, or a single one that
        has brought down two workers, lest it takes others along.
        """
        for stage in self._stages:
            stage[:] = [line for line in stage if line.cells]
            for line in sorted(stage, key=lambda line: line.model != self._loaded):
                free = [
                    cell
                    for name, cell in line.cells.items()
                    if name not in lost and (name not in held or held[name].is_gone)
                ]
                if not free:
                    continue
                parts = line.divided(free, self._job.max_lanes, self._workers)
                # workers that look at the same moment are not to want the same cells
                wanted = parts[self._spread(len(line.cells)) % len(parts) if self._workers > 1 else 0]
                risky = [cell for cell in wanted if _deaths(held, cell.cell.id) >= MOST_DEATHS - 1]
                return line, risky[:1] or wanted
        return None

    def _spread(self, salt: object) -> int:
        """A number that differs from worker to worker."""
        return zlib.crc32(f"{self._claims.me.worker} {salt}".encode())

    def _give_up(self, held: Mapping[str, Held]) -> None:
        """Note as failed what has brought down too many workers; forget claims on what is finished."""
        self._claims.forget([cell_id for cell_id in held if cell_id in self._done or cell_id in self._attempted], held)
        for cell_id, claim in held.items():
            if cell_id not in self._line_of or not claim.is_gone or claim.deaths < MOST_DEATHS:
                continue
            if not self._claims.take([cell_id], held):
                continue
            is_done, record = self._store.is_done(cell_id), None
            if not is_done and not self._has_failed(cell_id):
                record = _died(self._resolved[cell_id], claim)
                self._store.write(record)
            self._claims.release([cell_id])
            self._note({cell_id} if is_done else set(), set() if is_done else {cell_id})
            if record is not None:
                self._gave_up(record)

    def _look(self) -> None:
        """See what is finished or has failed by now, and how many are at work."""
        begun = time.monotonic()
        done = self._store.done(self._done)
        before = self._job.failures
        failed = {cell_id for cell_id, mark in self._store.failures().items() if mark != before.get(cell_id)}
        self._workers = max(self._job.workers, len(self._watch.alive()))
        self._note(done, failed - done)
        now = time.monotonic()
        self._look_at = now + max(LOOK, (now - begun) / LOOKING)

    def _note(self, done: set[str], failed: set[str]) -> None:
        """Take out what is over; where trials are, see what can be chosen."""
        new = (done - self._done) | (failed - self._attempted)
        self._done |= done
        self._attempted |= failed
        if self._choice is None or (self._waiting and not new.isdisjoint(self._trials)):
            self._sort()
        for cell_id in new:
            line = self._line_of.pop(cell_id, None)
            if line is not None:
                del line.cells[cell_id]

    def _sort(self) -> None:
        """Put what is left into lines: trials, and the cells whose settings are known."""
        plan, store, before = self._job.plan, self._store, self._choice
        self._choice = choose(plan, store, self._attempted)
        trials = trials_to_run(plan, store)
        over = {trial.id for trial in trials} <= self._attempted
        self._waiting = bool(self._choice.waiting) and not over
        self._line_of = {}
        self._learn([*plan.trials, *self._choice.cells])
        self._stages = [self._in_lines(trials), self._in_lines(self._choice.cells)]
        if plan.trials and over and (before is None or before.waiting):
            store.write_plan([*plan.trials, *self._choice.cells, *self._choice.waiting])
            self._chosen(self._choice)

    def _learn(self, cells: Iterable[Cell]) -> None:
        """See how much finished cells have trained on, one of each task, model, budget and method."""
        new = {likeness(cell): cell.id for cell in cells if cell.id in self._done and self._costs.lacks(cell)}
        self._costs.learn(seen(self._store.records_of(new.values(), lambda _: None).values()))

    def _in_lines(self, cells: Sequence[Cell]) -> list[Line]:
        lines: dict[Hashable, Line] = {}
        for cell in cells:
            if cell.id in self._done or cell.id in self._attempted:
                continue
            resolved = self._resolve(cell)
            kind = (_model_of(resolved), *kind_of(resolved))
            if kind not in lines:
                turn = self._spread(cell.id) if self._workers > 1 else 0
                lines[kind] = Line(kind[0], not resolved.method.changes_weights, turn)
            lines[kind].add(resolved, self._costs.tokens(resolved))
            self._line_of[cell.id] = lines[kind]
        for line in lines.values():
            line.sort()
            line.cost = self._costs.of(line.longest)
        return sorted(lines.values(), key=lambda line: (not line.reference, -line.cost, line.turn))

    def _resolve(self, cell: Cell) -> ResolvedCell:
        """What a cell's names stand for, which its seeds have in common."""
        if cell.id not in self._resolved:
            names = f"{cell.suite} {cell.task} {cell.method} {cell.settings}"
            if names not in self._named:
                self._named[names] = resolve(cell)
            self._resolved[cell.id] = replace(self._named[names], cell=cell)
        return self._resolved[cell.id]


def _deaths(held: Mapping[str, Held], cell_id: str) -> int:
    return held[cell_id].deaths if cell_id in held else 0


def _model_of(resolved: ResolvedCell) -> Hashable:
    return (resolved.cell.model_path, resolved.cell.precision)


def _died(resolved: ResolvedCell, claim: Held) -> Record:
    """The record of a cell whose workers ended without a word."""
    last = f", the last on {claim.owner.host}" if claim.owner and claim.owner.host else ""
    how = claim.how or "killed, out of memory, or a driver's error"
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Record(
        id=resolved.cell.id,
        cell=resolved.cell,
        status="failed",
        reason=f"{claim.deaths} workers ended while they trained it{last}: {how}",
        main_metric=resolved.task.main_metric,
        started=now,
        finished=now,
    )
