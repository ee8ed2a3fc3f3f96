"""How a command's lines and listings come onto the screen: whole words on a terminal, whole lines in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.console import Console

from bench.commands.screen import WIDTH
from bench.report.tables.fit import Column, Rows, fitted

WARNING = "warning: "


class WarningsOnce:
    """Says lines, a warning once: every worker reads the data that the command has read, and warns of the same.

    `told`: texts of those that have been said before.
    """

    def __init__(self, say: Callable[[str], None], told: Iterable[str] = ()) -> None:
        self._say = say
        self._told = {f"{WARNING}{text}" for text in told}

    def __call__(self, line: str) -> None:
        if line.startswith(WARNING):
            if line in self._told:
                return
            self._told.add(line)
        self._say(line)


def print_line(console: Console, line: str, style: str | None = None) -> None:
    """A line of words: broken between words on a terminal, and whole for programs that read it."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def print_listing(console: Console, columns: Sequence[Column], rows: Rows) -> None:
    """A table as wide as the terminal at most; in a pipe as wide as it is."""
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    for part in fitted(columns, rows, console.width):
        console.print(part)
