"""A table on the terminal, and as Markdown where the output is no terminal."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from bench.escaping.terminal import Screen
from bench.report.tables.fit import Column, blocks
from bench.report.tables.formats import NO_PROBLEMS, markdown
from bench.report.tables.table import Table

MOST_PROBLEMS = 20  # a terminal holds no more; the files name all


def print_table(table: Table, console: Console | None = None, notes: bool = True) -> None:
    """Print one table; the cells without a score are named, at most 20 of them on a terminal."""
    console = console or Screen()
    if not console.is_terminal:
        shown = table if notes else replace(table, notes=())
        console.print(markdown(shown), markup=False, highlight=False, soft_wrap=True)
        return
    for line in table.lead:
        console.print(line, style="bold", markup=False, highlight=False)
    if table.header:
        console.print(table.title, style="bold", markup=False, highlight=False)
        columns = [Column(name, number >= table.num_words) for number, name in enumerate(table.header)]
        for grid in blocks(columns, table.rows, table.footer, table.num_words, console.width):
            console.print(grid)
            console.print()
    for note in table.notes if notes else ():
        console.print(note, style="dim", markup=False, highlight=False)
    problems = table.problems or ()
    if problems:
        console.print(f"Without a score ({len(problems)}):", style="yellow", highlight=False)
    elif table.problems is not None:
        console.print(NO_PROBLEMS, style="green", highlight=False)
    for problem in problems[:MOST_PROBLEMS]:
        console.print(f"  {problem}", markup=False, highlight=False)
    if len(problems) > MOST_PROBLEMS:
        console.print(f"  and {len(problems) - MOST_PROBLEMS} more, all named in the files", style="dim")
