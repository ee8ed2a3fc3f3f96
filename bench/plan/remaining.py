"""How long what is left of a results folder will take, by what its finished cells took. No torch, no method needed.

A look at a folder must be quick and needs no plugin, so that only a few records of each kind of cell are read, and a
cell takes what those most like it took: of the same task, else of the same method and budget, else of the same method.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from bench.cell import Cell
from bench.store.standing import Standing
from bench.store.store import Store

MOST_READ = 200  # records in all
OF_A_KIND = 3

# what two cells have in common that take about as long, the most alike first
KINDS: tuple[Callable[[Cell], Hashable], ...] = (
    lambda cell: (cell.model, cell.method, cell.budget, cell.stage, cell.task),
    lambda cell: (cell.model, cell.method, cell.budget, cell.stage),
    lambda cell: (cell.model, cell.method),
)


@dataclass(frozen=True)
class TimeLeft:
    """Seconds of wall time on the workers that are there, or on one where there is none; those of what is `unknown`,
    cells of a model and method of which none has finished, are not in it.
    """

    seconds: float
    num_workers: int
    unknown: int


def time_left(standing: Standing, store: Store) -> TimeLeft | None:
    """What the unfinished cells take, but for failed ones; None where nothing is left or nothing is known.

    Work is taken to divide evenly among the workers, and no group ends before its own time.
    """
    left = standing.of("to_run", "waiting", "free", "silent")
    running = [piece for piece in standing.pieces if piece.sign.state == "alive"]
    at_work = [cell for piece in running if piece.seconds_left is None for cell in piece.cells]
    took = _took(standing.of("done"), [*left, *at_work], store)
    seconds = [_seconds(cell, took) for cell in (*left, *at_work)]
    known = [each for each in seconds if each is not None]
    groups = [piece.seconds_left for piece in running if piece.seconds_left is not None]
    if not known and not groups:
        return None
    num_workers = max(1, sum(sign.state == "alive" for _, sign in standing.workers))
    whole = max([(sum(known) + sum(groups)) / num_workers, *groups])
    return TimeLeft(whole, num_workers, len(seconds) - len(known))


def _took(done: Iterable[Cell], left: Iterable[Cell], store: Store) -> Mapping[Hashable, float]:
    """By kind the median of the seconds that finished cells took, of kinds that bear on what is left."""
    wanted = {KINDS[-1](cell) for cell in left}
    alike: dict[Hashable, list[Cell]] = defaultdict(list)
    for cell in done:
        if KINDS[-1](cell) in wanted:
            alike[KINDS[0](cell)].append(cell)
    each = max(1, min(OF_A_KIND, MOST_READ // max(1, len(alike))))
    read = list(alike.values())[:: math.ceil(len(alike) / MOST_READ) or 1]
    chosen = {cell.id: cell for of_kind in read for cell in of_kind[-each:]}
    seconds: dict[Hashable, list[float]] = defaultdict(list)
    for cell_id, record in store.records_of(chosen, lambda _: None).items():  # a look goes on, whatever is broken
        for kind in KINDS:
            seconds[kind(chosen[cell_id])].append(record.costs.seconds)
    return {kind: median(values) for kind, values in seconds.items()}


def _seconds(cell: Cell, took: Mapping[Hashable, float]) -> float | None:
    return next((took[key] for kind in KINDS if (key := kind(cell)) in took), None)
