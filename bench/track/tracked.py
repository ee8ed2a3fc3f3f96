"""Trackers beside the display of a run: told of the same cells, and of nothing else. No torch here.

Losses come as a loop hands them on, which on a GPU reads them every so many steps, so that a tracker makes nothing
wait for the device.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cell import Cell
from bench.plan.selection import Choice
from bench.store.record import CurvePoint, Record
from bench.track.known import trackers
from bench.track.tracker import Run, Tracker

if TYPE_CHECKING:
    from bench.train.audience import Audience
    from bench.train.loop import Progress, Running

MOST_LOSSES = 200  # of a cell, beside those of its evaluations
MOST_FAILURES = 3  # cells in a row that a tracker may fail at; it is then not asked again
INTERRUPTED = "interrupted"


@contextmanager
def tracked(audience: Audience, names: Sequence[str], folder: Path, cells: Collection[Cell]) -> Iterator[Audience]:
    """Within the block an audience beside which these trackers are told of the cells of a plan, trials among them."""
    if not names:
        yield audience
        return
    beside = Tracked(audience, names, folder, cells)
    try:
        yield beside
    finally:
        beside.end()


@dataclass
class Told:
    """The open runs of a cell by the names of their trackers, and what they have been told."""

    runs: dict[str, Tracker] = field(default_factory=dict)
    points: int = 0  # of the curve
    step: int = 0  # of the last loss


class Tracked:
    """An audience, and the trackers beside it."""

    def __init__(self, audience: Audience, names: Sequence[str], folder: Path, cells: Collection[Cell]) -> None:
        self._audience, self._folder = audience, folder
        self._kinds = {name: trackers()[name] for name in names}
        self._planned = {cell.id for cell in cells}
        self._told: dict[str, Told] = {}  # by cell
        self._failures = dict.fromkeys(names, 0)
        self._warned: set[str] = set()

    @contextmanager
    def loop(self, cells: Sequence[Cell]) -> Iterator[None]:
        for cell in cells:
            self._begin(cell)
        with self._audience.loop(cells):
            yield

    def step(self, progress: Progress) -> None:
        self._audience.step(progress)
        for lane, loss in zip(progress.lanes, progress.losses, strict=True):
            told = self._told.get(lane.cell.id)
            if told is not None:
                self._tell_curve(told, lane.curve)
                self._tell_loss(told, lane, loss)

    def finished(self, record: Record) -> None:
        self._audience.finished(record)
        told = self._begin(record.cell)
        if told is not None:
            self._tell_curve(told, record.curve)
            self._close(record.id, record.status, _final(record))

    def chosen(self, choice: Choice) -> None:
        self._audience.chosen(choice)

    def end(self) -> None:
        """Close what is open: cells that were interrupted, or were not finished here."""
        for cell_id in list(self._told):
            self._close(cell_id, INTERRUPTED, {})

    def _begin(self, cell: Cell) -> Told | None:
        """The runs of a cell, which one that is tried again goes on with; None where it is none of the plan: a first
        stage's, of which there is no record.
        """
        if cell.id not in self._planned and not cell.trials:
            return None
        if cell.id not in self._told:
            self._told[cell.id] = told = Told()
            for name, kind in self._kinds.items():
                self._ask(told, name, partial(kind, Run(cell, self._folder)))
        self._told[cell.id].step = 0
        return self._told[cell.id]

    def _tell_curve(self, told: Told, curve: Sequence[CurvePoint]) -> None:
        for point in curve[told.points :]:
            numbers = {f"selection/{name}": value for name, value in point.scores.items()}
            numbers |= {} if point.train_loss is None else {"train/mean_loss": point.train_loss}
            self._log(told, point.step, numbers)
        told.points = len(curve)

    def _tell_loss(self, told: Told, lane: Running, loss: float) -> None:
        every = max(1, lane.num_steps // MOST_LOSSES)
        if lane.losses_read - told.step >= every or (lane.losses_read == lane.num_steps > told.step):
            told.step = lane.losses_read
            self._log(told, lane.losses_read, {"train/loss": loss})

    def _log(self, told: Told, step: int, numbers: Mapping[str, float]) -> None:
        known = _finite(numbers)
        for name, run in list(told.runs.items()) if known else ():
            self._ask(told, name, partial(run.log, step, known))

    def _close(self, cell_id: str, status: str, numbers: Mapping[str, float]) -> None:
        told = self._told.pop(cell_id)
        for name, run in list(told.runs.items()):
            self._ask(told, name, partial(run.close, status, _finite(numbers)))
            self._failures[name] = 0 if name in told.runs else self._failures[name]

    def _ask(self, told: Told, name: str, what: Callable[[], Tracker | None]) -> None:
        """Ask a tracker something; where it fails, the cell goes on without it, and the user is told once."""
        if self._failures[name] >= MOST_FAILURES:
            told.runs.pop(name, None)
            return
        try:
            made = what()
        except Exception as error:
            told.runs.pop(name, None)
            self._failures[name] += 1
            if name not in self._warned:
                self._warned.add(name)
                said = " ".join(str(error).split())[:300]
                warnings.warn(f"--track {name}: {type(error).__name__}: {said}; cells train without it", stacklevel=2)
            return
        if made is not None:
            told.runs[name] = made


def _final(record: Record) -> dict[str, float]:
    """What a record says in numbers."""
    parts: dict[str, dict[str, float | None]] = {
        "score": {**record.scores},
        "trivial": {**record.trivial},
        "costs": record.costs.model_dump(),
        "parameters": record.parameters.model_dump(),
    }
    numbers = {
        f"{part}/{name}": value for part, values in parts.items() for name, value in values.items() if value is not None
    }
    numbers |= {} if record.selection_score is None else {"selection/best": record.selection_score}
    return numbers | ({} if record.selected_step is None else {"selection/step": record.selected_step})


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
