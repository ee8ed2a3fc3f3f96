"""Tables on the terminal, and as Markdown where the output is no terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from bench.report.tables.formats import LEFT, NO_PROBLEMS, markdown
from bench.report.tables.scores import Table
from bench.report.tables.table import Section, section_markdown

MOST_PROBLEMS = 20  # a terminal holds no more; the files name all


def print_table(table: Table, console: Console | None = None) -> None:
    """Print one table; the cells without a score are named, at most 20 of them on a terminal."""
    console = console or Console()
    if not console.is_terminal:
        console.print(markdown(table), markup=False, highlight=False, soft_wrap=True)
        return
    if table.rows:
        console.print(_rich(table))
    for note in table.notes:
        console.print(note, style="dim", markup=False, highlight=False)
    if table.problems:
        console.print(f"Without a score ({len(table.problems)}):", style="yellow", highlight=False)
    elif table.rows and not table.heading:
        console.print(NO_PROBLEMS, style="green", highlight=False)
    for problem in table.problems[:MOST_PROBLEMS]:
        console.print(f"  {problem}", markup=False, highlight=False)
    if len(table.problems) > MOST_PROBLEMS:
        console.print(f"  and {len(table.problems) - MOST_PROBLEMS} more, all named in the files", style="dim")


def print_section(section: Section, console: Console | None = None) -> None:
    """Print a further table of a suite."""
    console = console or Console()
    if not console.is_terminal:
        console.print(section_markdown(section), markup=False, highlight=False, soft_wrap=True)
        return
    grid = RichTable(title=escape(section.title), title_justify="left", header_style="bold")
    for number, name in enumerate(section.header):
        grid.add_column(escape(name), justify="left" if number < section.words else "right", overflow="fold")
    for row in section.rows:
        grid.add_row(*map(escape, row))
    console.print(grid)
    for note in section.notes:
        console.print(note, style="dim", markup=False, highlight=False)


def _rich(table: Table) -> RichTable:
    grid = RichTable(title=escape(table.title), title_justify="left", header_style="bold")
    for number, name in enumerate(table.header):
        grid.add_column(escape(name), justify="left" if number < LEFT else "right", overflow="fold")
    last = len(table.rows) - (not table.heading)
    for row in table.rows[:last]:
        grid.add_row(*map(escape, row))
    grid.add_section()
    for row in table.rows[last:]:
        grid.add_row(*map(escape, row), style="dim")
    return grid
