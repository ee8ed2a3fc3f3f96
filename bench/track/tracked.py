"""Trackers beside the display of a run: told of the same cells, and of nothing else. No torch here.

Losses come as a loop hands them on, which on a GPU reads them every so many steps, so that a tracker makes nothing
wait for the device.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cell import Cell
from bench.plan.selection import Choice
from bench.store.record import CurvePoint, Record
from bench.track.known import trackers
from bench.track.teller import Teller

if TYPE_CHECKING:
    from bench.train.audience import Audience
    from bench.train.loop import Progress, Running

MOST_LOSSES = 200  # of a cell, beside those of its evaluations


@contextmanager
def tracked(audience: Audience, names: Sequence[str], folder: Path, cells: Collection[Cell]) -> Iterator[Audience]:
    """Within the block an audience beside which these trackers are told of the cells of a plan, trials among them."""
    if not names:
        yield audience
        return
    teller = Teller({name: trackers()[name] for name in names}, folder)
    try:
        yield Tracked(audience, teller, cells)
    finally:
        teller.end()


@dataclass
class Told:
    """What trackers have been told of a cell: points of its curve, and the step of its last loss."""

    points: int = 0
    step: int = 0


class Tracked:
    """An audience, and beside it the trackers."""

    def __init__(self, audience: Audience, teller: Teller, cells: Collection[Cell]) -> None:
        self._audience, self._teller = audience, teller
        self._planned = {cell.id for cell in cells}
        self._told: dict[str, Told] = {}  # by cell

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
                self._tell_curve(lane.cell.id, told, lane.curve)
                self._tell_loss(told, lane, loss)

    def finished(self, record: Record) -> None:
        self._audience.finished(record)
        told = self._told.get(record.id) or self._begin(record.cell)
        if told is not None:
            self._tell_curve(record.id, told, record.curve)
            self._teller.close(record.id, record.status, _finite(_final(record)))
            del self._told[record.id]

    def chosen(self, choice: Choice) -> None:
        self._audience.chosen(choice)

    def _begin(self, cell: Cell) -> Told | None:
        """None for what is none of the plan: a first stage, of which there is no record."""
        if cell.id not in self._planned and not cell.trials:
            return None
        self._teller.begin(cell)
        self._told[cell.id] = Told()
        return self._told[cell.id]

    def _tell_curve(self, cell_id: str, told: Told, curve: Sequence[CurvePoint]) -> None:
        for point in curve[told.points :]:
            numbers = {f"selection/{name}": value for name, value in point.scores.items()}
            numbers |= {} if point.train_loss is None else {"train/mean_loss": point.train_loss}
            self._teller.log(cell_id, point.step, _finite(numbers))
        told.points = len(curve)

    def _tell_loss(self, told: Told, lane: Running, loss: float) -> None:
        every = max(1, lane.num_steps // MOST_LOSSES)
        is_last = lane.losses_read == lane.num_steps > told.step
        if math.isfinite(loss) and (lane.losses_read - told.step >= every or is_last):
            told.step = lane.losses_read
            self._teller.log(lane.cell.id, lane.losses_read, {"train/loss": loss})


def _final(record: Record) -> dict[str, float]:
    """What a record says in numbers."""
    parts: dict[str, dict[str, float | None]] = {
        "score": {**record.scores},
        "trivial": {**record.trivial},
        "costs": record.costs.model_dump(),
        "parameters": record.parameters.model_dump(),
        "selection": {"best": record.selection_score, "step": record.selected_step},
    }
    return {
        f"{part}/{name}": value for part, values in parts.items() for name, value in values.items() if value is not None
    }


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}
