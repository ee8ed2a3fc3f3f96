"""How a run is shown in a notebook: one output, changed in place, however long it takes. No widget, no thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from bench.cell import Cell
from bench.commands.preview import print_choice
from bench.commands.record_line import summary
from bench.commands.span import span
from bench.commands.tally import Tally
from bench.escaping.terminal import Screen
from bench.plan.selection import Choice
from bench.store.record import Record

if TYPE_CHECKING:
    from bench.train.loop import Progress, Running

EVERY = 0.5  # seconds between two changes, but for a cell that ends
MOST_RUNNING, MOST_ENDED, MOST_FAILED = 6, 4, 10  # lines


class NotebookDisplay:
    """A bar for the grid, a line for each running cell, and the last cells that ended; failures stay."""

    def __init__(self, tally: Tally) -> None:
        self._tally, self._shown = tally, 0.0
        self._running: dict[str, str] = {}
        self._ended: deque[str] = deque(maxlen=MOST_ENDED)
        self._failed: list[str] = []
        self._chosen = ""
        self._output: Any = None

    def __enter__(self) -> NotebookDisplay:
        from IPython.display import display

        self._output = display(self, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._running.clear()
        self._show()

    @contextmanager
    def loop(self, cells: Sequence[Cell]) -> Iterator[None]:
        self._running |= {cell.id: f"{_name(cell)}: begins" for cell in cells}
        self._show()
        try:
            yield
        finally:
            for cell in cells:
                self._running.pop(cell.id, None)

    def step(self, step: Progress) -> None:
        self._tally.under_way(step.lanes)
        if time.monotonic() - self._shown < EVERY:
            return
        speed = f"{step.tokens / step.seconds:,.0f} tokens/s"
        for lane, loss in zip(step.lanes, step.losses, strict=True):
            if lane.cell.id in self._running:
                self._running[lane.cell.id] = f"{_name(lane.cell)}: {_place(lane)}, loss {loss:.3f}, {speed}"
        self._show()

    def finished(self, record: Record) -> None:
        self._tally.add(record.id)
        (self._ended if record.status == "done" else self._failed).append(summary(record))
        self._show()

    def chosen(self, choice: Choice) -> None:
        text = StringIO()
        print_choice(Screen(file=text, force_jupyter=False, color_system=None), choice)
        self._chosen = text.getvalue()
        self._show()

    def _show(self) -> None:
        self._shown = time.monotonic()
        if self._output is not None:
            self._output.update(self)

    def _repr_html_(self) -> str:
        bar = Markup('<progress value="{}" max="{}" style="width: 24em"></progress> {}')
        parts = [bar.format(self._tally.over, self._tally.total, self._counts)]
        parts += [Markup("<pre>{}</pre>").format("\n".join(self._lines))] if self._lines else []
        if self._chosen:
            parts.append(
                Markup("<details><summary>Chosen settings</summary><pre>{}</pre></details>").format(self._chosen)
            )
        return str(Markup().join(parts))

    def __repr__(self) -> str:
        return "\n".join([self._counts, *self._lines])

    @property
    def _counts(self) -> str:
        text = f"{self._tally.over} of {self._tally.total} cells, {span(self._tally.passed)}"
        return text + (f", about {span(self._tally.left)} left" if self._tally.left else "")

    @property
    def _lines(self) -> list[str]:
        running = _first(list(self._running.values()), MOST_RUNNING, "running")
        return [*_first(self._failed, MOST_FAILED, "failed"), *self._ended, *running]


def _first(lines: Sequence[str], most: int, how: str) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], *([f"and {more} more {how}"] if more > 0 else [])]


def _name(cell: Cell) -> str:
    return f"{cell.model} · {cell.task} · {cell.label} · {cell.seed_label}"


def _place(lane: Running) -> str:
    return f"step {lane.step}/{lane.num_steps}"
