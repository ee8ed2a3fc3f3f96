"""The bars of a run: which columns stand beside them is a matter of how wide the terminal is, at any moment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

BAR, LEAST_BAR = 24, 8
GAP = 1  # between two columns
TIME = 7  # 0:00:00
NAME = 28  # what a cell's name has at least, before anything but its numbers is shown


class Bars(Progress):
    """A bar for each task, whose fields are `loss` and `speed`; a name is never cut: it goes on in a further line.

    Steps, loss and the time left are always there. A bar, then the whole name in one line, then tokens a second, then
    the time passed come where there is room for them.
    """

    def __init__(self, console: Console) -> None:
        self._screen = console  # the display asks for its table while it is being made
        super().__init__(console=console)

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        shown = list(tasks)
        self.columns = columns(shown, self._screen.width)
        return super().make_tasks_table(shown)


def columns(tasks: Sequence[Task], width: int) -> tuple[ProgressColumn, ...]:
    """The columns for these tasks on a terminal of that width."""
    longest = max((len(task.description) for task in tasks), default=0)
    loss, speed = (max((len(task.fields[name]) for task in tasks), default=0) for name in ("loss", "speed"))
    count = max((2 * len(str(task.total or 0)) + 1 for task in tasks), default=0)
    room = width - sum(size + GAP for size in (count, loss, TIME))
    room -= min(longest, max(NAME, width // 2, room - LEAST_BAR - GAP))
    further = []  # what there is room for, the most telling first
    for name, size in (("bar", LEAST_BAR), ("speed", speed), ("elapsed", TIME)):
        if size + GAP > room:
            break
        further.append(name)
        room -= size + GAP
    bar = min(BAR, LEAST_BAR + max(room, 0))
    return (
        TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold")),
        *([BarColumn(bar, table_column=Column(no_wrap=True))] if "bar" in further else []),
        MofNCompleteColumn(table_column=Column(no_wrap=True, justify="right")),
        _text("loss"),
        *([_text("speed")] if "speed" in further else []),
        *([TimeElapsedColumn(table_column=Column(no_wrap=True))] if "elapsed" in further else []),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
    )


def _text(field: str) -> TextColumn:
    return TextColumn(f"{{task.fields[{field}]}}", markup=False, table_column=Column(no_wrap=True))
