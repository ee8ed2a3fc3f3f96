"""How a run is shown: one rich display on a terminal, one output in a notebook, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import TaskID

from bench.cell import Cell
from bench.commands.bars import Bars
from bench.commands.notebook_display import NotebookDisplay
from bench.commands.preview import print_choice
from bench.commands.record_line import summary
from bench.commands.screen import is_notebook
from bench.commands.span import span
from bench.commands.tally import Tally
from bench.plan.selection import Choice
from bench.store.record import Record

if TYPE_CHECKING:
    from bench.train.loop import Progress as Step


class PlainProgress:
    """A line when a cell ends; while loops go on, a line a minute for the cells of a method and task in each."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console, self._tally = console, tally
        self._said: dict[str, float] = {}  # by cell

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextmanager
    def loop(self, cells: Sequence[Cell]) -> Iterator[None]:
        self._said |= dict.fromkeys((cell.id for cell in cells), time.monotonic())
        yield

    def step(self, step: Step) -> None:
        self._tally.under_way(step.lanes)
        now = time.monotonic()
        if all(now - self._said.get(lane.cell.id, now) < 60 for lane in step.lanes):
            return
        self._said |= dict.fromkeys((lane.cell.id for lane in step.lanes), now)
        alike: dict[tuple[object, ...], list[tuple[Cell, float]]] = {}
        for lane, loss in zip(step.lanes, step.losses, strict=True):
            cell = lane.cell
            key = (cell.model, cell.task, cell.method, lane.step, lane.num_steps)
            alike.setdefault(key, []).append((cell, loss))
        for (model, task, method, at, num_steps), found in alike.items():
            cell, loss = found[0][0], sum(loss for _, loss in found) / len(found)
            name = f"{cell.label} · {cell.seed_label}" if len(found) == 1 else f"{method} · {len(found)} cells"
            self._say(
                f"  … {model} · {task} · {name}: step {at}/{num_steps}, {'' if len(found) == 1 else 'mean '}"
                f"loss {loss:.3f}, {step.tokens / step.seconds:,.0f} tokens/s"
            )

    def finished(self, record: Record) -> None:
        self._tally.add(record.id)
        left = span(self._tally.left or 0.0)
        self._say(f"[{self._tally.over}/{self._tally.total}, {left} left] {summary(record)}")

    def chosen(self, choice: Choice) -> None:
        print_choice(self._console, choice)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class RichProgress:
    """A bar for the grid and one per running cell with loss, tokens/s and the time left."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self._console, self._tally = console, tally
        self._bars = Bars(console)
        self._grid = self._bars.add_task("grid", total=tally.total, loss="cells", speed="")
        self._running: dict[str, TaskID] = {}

    def __enter__(self) -> RichProgress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def loop(self, cells: Sequence[Cell]) -> Iterator[None]:
        bars = {
            cell.id: self._bars.add_task(
                f"{cell.task} · {cell.label} · {cell.model} · {cell.seed_label}", loss="", speed=""
            )
            for cell in cells
        }
        self._running |= bars
        try:
            yield
        finally:
            for cell_id, bar in bars.items():
                self._bars.remove_task(bar)
                self._running.pop(cell_id, None)

    def step(self, step: Step) -> None:
        self._tally.under_way(step.lanes)
        speed = f"{step.tokens / step.seconds:,.0f} tokens/s"
        for lane, loss in zip(step.lanes, step.losses, strict=True):
            if lane.cell.id in self._running:
                bar = self._running[lane.cell.id]
                self._bars.update(bar, completed=lane.step, total=lane.num_steps, loss=f"loss {loss:.3f}", speed=speed)
        self._bars.update(self._grid, completed=self._tally.done)

    def finished(self, record: Record) -> None:
        self._tally.add(record.id)
        self._bars.update(self._grid, completed=self._tally.done)
        style = None if record.status == "done" else "red"
        self._console.print(summary(record), markup=False, highlight=False, style=style)

    def chosen(self, choice: Choice) -> None:
        print_choice(self._console, choice)


def progress(console: Console, tally: Tally) -> PlainProgress | RichProgress | NotebookDisplay:
    if is_notebook():
        return NotebookDisplay(tally)
    draws = console.is_terminal and not console.is_dumb_terminal
    return RichProgress(console, tally) if draws else PlainProgress(console, tally)
