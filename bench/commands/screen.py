"""Where commands print: as wide as the terminal, and wide enough for whole names where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from bench.escaping.terminal import Screen

MOST_LINES = 30  # of a plan in a notebook
WIDTH = 200  # columns where no terminal says how many there are


def screen() -> Console:
    """Standard output, for tables."""
    console = Screen()
    if not console.is_terminal:
        console.width = WIDTH
    return console


def plain_screen() -> Console:
    """Standard output, for lines: in a notebook they are text as elsewhere, not a display each."""
    return Screen(force_jupyter=False)


def say_on(console: Console, line: str) -> None:
    """Something that the user should read."""
    console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=not console.is_terminal)


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return Screen().is_jupyter


@contextmanager
def in_brief(console: Console) -> Iterator[None]:
    """Within the block a notebook gets the first lines of what is printed, and how many more there are."""
    if not is_notebook():
        yield
        return
    with console.capture() as printed:
        yield
    first = printed.get().splitlines()
    more = len(first) - MOST_LINES
    if more > 0:
        first[MOST_LINES:] = [f"and {more} more lines; bench.preview(...) has all"]
    for line in first:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
