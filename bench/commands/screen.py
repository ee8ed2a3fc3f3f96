"""Where commands print: as wide as the terminal, and wide enough for whole names where there is none."""

from __future__ import annotations

from rich.console import Console

WIDTH = 200  # columns where no terminal says how many there are


def screen() -> Console:
    """Standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    return console
