"""A table on the terminal, and as Markdown where the output is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from bench.report.tables.formats import NO_PROBLEMS, markdown
from bench.report.tables.table import Table

MOST_PROBLEMS = 20  # a terminal holds no more; the files name all


def print_table(table: Table, console: Console | None = None) -> None:
    """Print one table; the cells without a score are named, at most 20 of them on a terminal."""
    console = console or Console()
    if not console.is_terminal:
        console.print(markdown(table), markup=False, highlight=False, soft_wrap=True)
        return
    if table.header:
        console.print(_grid(table))
    for note in table.notes:
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


def _grid(table: Table) -> Grid:
    grid = Grid(title=escape(table.title), title_justify="left", header_style="bold")
    for number, name in enumerate(table.header):
        grid.add_column(escape(name), justify="left" if number < table.num_words else "right", overflow="fold")
    for row in table.rows:
        grid.add_row(*map(escape, row))
    grid.add_section()
    for row in table.footer:
        grid.add_row(*map(escape, row), style="dim")
    return grid
