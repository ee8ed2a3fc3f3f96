"""The cells of a plan that are still to be had, as groups for whoever asks. No torch here.

Trials come before the cells that wait for them, and of each the longest first, so that no worker is left with a long
group in the end. A group that this worker's loaded model can go on with comes before one that another must be loaded
for. Every worker sees the same plan and the same store, so that each comes to the same choice once a line's trials are
there.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.cell import Budget, Cell
from bench.execute.job import Job
from bench.model.sizes import model_sizes
from bench.model.source import find_model
from bench.plan.selection import Choice, choose, contests
from bench.resolved import ResolvedCell, resolve
from bench.store.claims import MOST_DEATHS, Claims, Held
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Watch
from bench.train.groups import Group, kind_of, loop_share

POLL = 1.0  # seconds between two looks at the folder when there is nothing to take
LOOK = 1.0  # seconds for which a look at what is finished is good enough
Doing = Callable[[Sequence[str]], AbstractContextManager[object]]


@dataclass
class Line:
    """Cells that may share a loop, in the plan's order, and what one of them costs, in arbitrary units."""

    cost: float
    shares: bool
    cells: dict[str, ResolvedCell] = field(default_factory=dict)


class Work:
    """The outstanding cells of a job, for one worker, which `claims` are of.

    `wait`: whether to stay while others train what is left, and take it over when they die; without it a worker leaves
    as soon as there is nothing to take and nothing to come. `told` hears of the choice when all trials are over.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        claims: Claims,
        watch: Watch,
        wait: bool = True,
        told: Callable[[Choice], None] = lambda _: None,
    ) -> None:
        self._job, self._store, self._claims, self._watch, self._wait, self._told = (
            job, store, claims, watch, wait, told,
        )  # fmt: skip
        self._resolved: dict[str, ResolvedCell] = {}
        self._done: set[str] = set()
        self._attempted: set[str] = set()
        self._looked = -math.inf
        self._lines: list[dict[Hashable, Line]] = []
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
                self._looked = -math.inf
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
        return not self._waiting and not any(line.cells for lines in self._lines for line in lines.values())

    def let_go(self, ids: Sequence[str]) -> None:
        """A group's work has ended: what has no record is free again."""
        self._looked = -math.inf
        self._look()
        over = {cell_id for cell_id in ids if cell_id in self._attempted or self._store.is_done(cell_id)}
        self._done |= {cell_id for cell_id in over if cell_id not in self._attempted}
        self._claims.release(over)
        self._claims.release([cell_id for cell_id in ids if cell_id not in over], over=False)
        self._sort()

    def next(self) -> Group | None:
        """A group that is now claimed, until `let_go`; None when there is none to be had at the moment."""
        while True:
            self._look()
            held = self._claims.held()
            self._give_up(held)
            candidate = self._candidate(held)
            if candidate is None:
                return None
            line, cells = candidate
            group = self._claimed(line, cells, held)
            if group is not None:
                return group

    def _claimed(self, line: Line, cells: Sequence[ResolvedCell], held: Mapping[str, Held]) -> Group | None:
        """The candidates that could be claimed; None where another was faster with the first, or all are finished."""
        ids = [resolved.cell.id for resolved in cells]
        taken = self._claims.take(ids[:1], held)
        taken += self._claims.take(ids[1:], held) if taken else []
        done = [cell_id for cell_id in taken if self._store.is_done(cell_id)]
        failed = [cell_id for cell_id in taken if self._failed_anew(cell_id)]
        self._claims.release([*done, *failed])
        for cell_id in (*done, *failed):
            line.cells.pop(cell_id, None)
        self._done.update(done)
        left = [self._resolved[cell_id] for cell_id in taken if cell_id not in (*done, *failed)]
        if not left:
            return None
        self._loaded = _model_of(left[0])
        return Group(tuple(left), shared=line.shares)

    def _failed_anew(self, cell_id: str) -> bool:
        mark = self._store.failures().get(cell_id) if cell_id not in self._attempted else None
        return mark is not None and mark != self._job.failures.get(cell_id)

    def _candidate(self, held: Mapping[str, Held]) -> tuple[Line, list[ResolvedCell]] | None:
        """The cells to be claimed next: of a line as many as make its share of the work, or a single one that has
        brought down two workers, lest it takes others along.
        """
        workers = max(self._job.workers, len(self._watch.alive())) if held or self._job.workers > 1 else 1
        for lines in self._lines:
            order = sorted(lines.items(), key=lambda entry: (entry[0][0] != self._loaded, -entry[1].cost))  # type: ignore[index]
            for _, line in order:
                free = [cell for name, cell in line.cells.items() if name not in held or held[name].is_gone]
                if not free:
                    continue
                share = loop_share(len(line.cells), self._job.max_lanes if line.shares else 1, workers)
                start = 0
                if workers > 1:  # workers that look at the same moment are not to want the same cells
                    start = zlib.crc32(self._claims.me.worker.encode()) % math.ceil(len(free) / share) * share
                chosen = free[start : start + share]
                risky = [
                    cell for cell in chosen if cell.cell.id in held and held[cell.cell.id].deaths >= MOST_DEATHS - 1
                ]
                return line, risky[:1] or chosen
        return None

    def _give_up(self, held: Mapping[str, Held]) -> None:
        """Note as failed what has brought down too many workers of this run; forget claims on what is finished."""
        self._claims.forget([cell_id for cell_id in held if cell_id in self._done], held)
        for lines in self._lines:
            for line in lines.values():
                for cell_id in [name for name in line.cells if name in held and held[name].is_gone]:
                    claim = held[cell_id]
                    if claim.deaths < MOST_DEATHS or not self._claims.take([cell_id], held):
                        continue
                    if not self._store.is_done(cell_id) and not self._failed_anew(cell_id):
                        self._store.write(_died(line.cells[cell_id], claim))
                    self._claims.release([cell_id])
                    self._attempted.add(cell_id)
                    del line.cells[cell_id]

    def _look(self) -> None:
        """What is finished or has failed by now, and which cells are left."""
        if time.monotonic() - self._looked < LOOK:
            return
        done = self._store.done()
        failures = self._store.failures()
        before = self._job.failures
        attempted = {cell_id for cell_id, mark in failures.items() if mark != before.get(cell_id)} - done
        self._looked = time.monotonic()
        if done != self._done or attempted - self._attempted or self._choice is None:
            self._done, self._attempted = done, self._attempted | attempted
            self._sort()

    def _sort(self) -> None:
        """Put what is left into lines: trials, and the cells whose settings are known."""
        if self._choice is None or self._waiting:
            self._choose()
        assert self._choice is not None
        trials = [cell for cell in self._job.plan.trials if cell.id in self._wanted]
        self._lines = [self._in_lines(trials), self._in_lines(self._choice.cells)]

    def _choose(self) -> None:
        plan, store = self._job.plan, self._store
        before = self._choice
        self._choice = choose(plan, store, self._attempted)
        self._wanted = {trial.id for contest in contests(plan, store).values() for trial in contest.to_run}
        over = not any(trial for trial in self._wanted if trial not in self._attempted)
        self._waiting = bool(self._choice.waiting) and not over
        if plan.trials and over and (before is None or before.waiting):
            self._store.write_plan([*plan.trials, *self._choice.cells, *self._choice.waiting])
            self._told(self._choice)

    def _in_lines(self, cells: Sequence[Cell]) -> dict[Hashable, Line]:
        lines: dict[Hashable, Line] = {}
        for cell in cells:
            if cell.id in self._done or cell.id in self._attempted:
                continue
            if cell.id not in self._resolved:
                self._resolved[cell.id] = resolve(cell)
            resolved = self._resolved[cell.id]
            kind = (_model_of(resolved), *kind_of(resolved))
            if kind not in lines:
                lines[kind] = Line(cost_of(resolved), shares=not resolved.method.changes_weights)
            lines[kind].cells[cell.id] = resolved
        return lines


def _deaths(resolved: ResolvedCell, held: Mapping[str, Held]) -> int:
    claim = held.get(resolved.cell.id)
    return claim.deaths if claim else 0


def _model_of(resolved: ResolvedCell) -> Hashable:
    return (resolved.cell.model_path, resolved.cell.precision)


def cost_of(resolved: ResolvedCell) -> float:
    """What training a cell costs beside others, in arbitrary units: rows times their length times parameters."""
    cell = resolved.cell
    sizes = model_sizes(find_model(cell.model_path))
    parameters = sizes.parameters if sizes else 1
    passes = 1.5 if resolved.method.changes_weights else 1.0  # gradients of weights beside those of states
    return num_rows(resolved) * cell.budget.max_length * parameters * passes * resolved.method.passes_per_step


def num_rows(resolved: ResolvedCell) -> int:
    """About how many rows a cell trains on, each time counted."""
    budget: Budget = resolved.cell.budget
    if budget.steps is not None:
        return budget.steps * budget.batch_size
    rows = resolved.task.sizes.get("train", 1000)
    return budget.epochs * min(rows, budget.train_rows or rows)


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
