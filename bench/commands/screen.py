"""Where commands print: as wide as the terminal, and wide enough for whole names where there is none."""

from __future__ import annotations

from rich.console import Console

WIDTH = 200  # columns where no terminal says how many there are


def screen() -> Console:
    """Standard output, for tables."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    return console


def plain_screen() -> Console:
    """Standard output, for lines: in a notebook they are text as elsewhere, not a display each."""
    return Console(force_jupyter=False)


def say_on(console: Console, line: str) -> None:
    """Something that the user should read."""
    console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)
