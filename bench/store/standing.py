"""How a results folder stands: which cells are done, at work, to be run, have failed. Only read, and without torch.

What stands in a claim (bench.store.claims) counts; what a worker says of itself (bench.store.workers) says how far it
is. The answer is of a moment: of a folder on another machine's disk the file system may show what was a minute ago.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from bench.cell import Cell
from bench.errors import UsageError
from bench.store.claims import Claims, Held
from bench.store.reading import Broken
from bench.store.record import Record
from bench.store.signs import PATIENCE, Sign, Signs
from bench.store.store import Store
from bench.store.workers import GONE, Doing, Identity, Worker, new_identity, workers_of

# done; at work; claimed by a worker that shows no sign; claimed by one that has ended, so that the next one takes it;
# to be run; to be run when trials have chosen its settings; failed or diverged, to be tried again by the next run; a
# trial that diverged, and so has lost
State = Literal["done", "running", "silent", "free", "to_run", "waiting", "failed", "lost"]
STATES: tuple[State, ...] = get_args(State)
BY_SIGN: dict[str, State] = {"alive": "running", "silent": "silent", "ended": "free"}


@dataclass(frozen=True)
class Piece:
    """What a worker has claimed and not finished of a group; `doing` is what it says of it, if it says anything yet."""

    cells: tuple[Cell, ...]
    owner: Identity
    sign: Sign
    doing: Doing | None = None

    @property
    def seconds_left(self) -> float | None:
        """Until its training ends, at the pace of the loop so far; None where that is not known yet."""
        if self.doing is None or not self.doing.seconds_per_step:
            return None
        return self.doing.seconds_per_step * (self.doing.num_steps - self.doing.step)


@dataclass(frozen=True)
class Standing:
    """The cells that were asked for, by id, with the state of each, and what is known of those not done.

    `ended`: by free cell how many workers ended while they trained it. `failures`: the records of failed and lost ones.
    `others`: finished cells that no grid of the folder names any more, as after another choice.
    """

    cells: Mapping[str, Cell]
    states: Mapping[str, State]
    pieces: Sequence[Piece]
    ended: Mapping[str, int]
    failures: Mapping[str, Record]
    workers: Sequence[tuple[Worker, Sign]]
    others: int

    def count(self, state: State) -> int:
        return sum(each == state for each in self.states.values())

    def of(self, *states: State) -> list[Cell]:
        """The cells in these states, in the plan's order."""
        return [cell for cell_id, cell in self.cells.items() if self.states[cell_id] in states]


Key = TypeVar("Key", bound=Hashable)


def counted(standing: Standing, key: Callable[[Cell], Key]) -> dict[Key, dict[State, int]]:
    """How many cells are in each state, by what `key` makes of them, in the plan's order."""
    counts: dict[Key, dict[State, int]] = {}
    for cell_id, cell in standing.cells.items():
        of_key = counts.setdefault(key(cell), dict.fromkeys(STATES, 0))
        of_key[standing.states[cell_id]] += 1
    return counts


class Observer:
    """Looks at a results folder, again and again if need be, and reads anew only what has changed.

    A file that cannot be read is a UsageError; with `broken` it is left out, and `broken` gets the error.
    """

    def __init__(self, store: Store, broken: Broken | None = None, gone: float = GONE) -> None:
        self._store, self._broken, self._signs = store, broken, Signs(store.path, gone)
        self._claims = Claims(store.path, new_identity(), self._signs.watch)  # which claims nothing here
        self._plans: tuple[Sequence[object], dict[str, Cell]] = ((), {})
        self._failures: dict[str, tuple[str, Record | None]] = {}  # with the mark of the file

    def look(self, patience: float = PATIENCE) -> Standing:
        """How the folder stands; `patience` as in `Signs.look`."""
        cells, workers, held = self._planned(), workers_of(self._store.path), self._claims.held()
        owners = [claim.owner for claim in held.values() if claim.owner]
        signs = self._signs.look([*owners, *(worker.identity for worker in workers)], patience)
        failures, done = self._failed(), self._store.done()  # last: what is over is no longer at work
        states: dict[str, State] = {}
        for cell_id, cell in cells.items():
            states[cell_id] = _state(cell, cell_id in done, held.get(cell_id), signs, failures.get(cell_id))
        states |= {cell_id: "waiting" for cell_id, cell in cells.items() if _waits(cell, states, done)}
        return Standing(
            cells=cells,
            states=states,
            pieces=_pieces(cells, states, held, workers, signs),
            ended={cell_id: held[cell_id].number + 1 for cell_id, state in states.items() if state == "free"},
            failures={cell_id: failures[cell_id] for cell_id, state in states.items() if state in ("failed", "lost")},
            workers=[(worker, signs[worker.identity.worker]) for worker in workers],
            others=len(done - cells.keys()),
        )

    def _planned(self) -> dict[str, Cell]:
        marks = self._store.plan_marks()
        if marks != self._plans[0]:
            self._plans = (marks, {cell.id: cell for cell in self._store.planned(self._broken)})
        return self._plans[1]

    def _failed(self) -> dict[str, Record]:
        marks = self._store.failures()
        for cell_id, mark in marks.items():
            if self._failures.get(cell_id, ("", None))[0] != mark:
                self._failures[cell_id] = (mark, self._failure(cell_id))
        known = {cell_id: self._failures[cell_id][1] for cell_id in marks}
        return {cell_id: record for cell_id, record in known.items() if record is not None}

    def _failure(self, cell_id: str) -> Record | None:
        def raising(error: UsageError) -> None:
            raise error

        return self._store.records_of([cell_id], self._broken or raising).get(cell_id)


def _state(cell: Cell, is_done: bool, claim: Held | None, signs: Mapping[str, Sign], failure: Record | None) -> State:
    if is_done:
        return "done"
    if claim is not None and claim.owner is not None:
        return BY_SIGN[signs[claim.owner.worker].state]
    if failure is not None and failure.status != "done":
        return "lost" if (cell.stage, failure.status) == ("trial", "diverged") else "failed"
    return "to_run"


def _waits(cell: Cell, states: Mapping[str, State], done: set[str]) -> bool:
    """Whether its settings are still to be chosen: trials are to come, or none has been finished."""
    if states[cell.id] != "to_run" or not cell.tried or cell.drawn:
        return False
    over = [states.get(trial_id, "to_run") in ("done", "failed", "lost") for trial_id in cell.tried]
    return not all(over) or not any(trial_id in done for trial_id in cell.tried)


def _pieces(
    cells: Mapping[str, Cell],
    states: Mapping[str, State],
    held: Mapping[str, Held],
    workers: Sequence[Worker],
    signs: Mapping[str, Sign],
) -> list[Piece]:
    """What is at work, by worker and group."""
    doings = {
        (worker.identity.worker, cell_id): doing
        for worker in workers
        for doing in worker.doing
        for cell_id in doing.cells
    }
    found: dict[tuple[str, Doing | None], tuple[Identity, list[Cell]]] = {}
    for cell_id, cell in cells.items():
        claim = held.get(cell_id)
        if states[cell_id] in ("running", "silent") and claim is not None and claim.owner is not None:
            key = (claim.owner.worker, doings.get((claim.owner.worker, cell_id)))
            found.setdefault(key, (claim.owner, []))[1].append(cell)
    return [
        Piece(tuple(of_piece), owner, signs[owner.worker], doing)
        for (_, doing), (owner, of_piece) in sorted(found.items(), key=lambda entry: (entry[1][0].host, entry[0][0]))
    ]
