"""A table that fits its screen: words break at spaces, numbers never, and no column is squeezed to nothing.

What all rows say alike goes above a listing where there is no room for it; columns that matter least go out, and are
named. A table of scores may lose none: its columns go on in further blocks below the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table as Grid
from rich.text import Text

GAP = 2  # between two columns
LEAST = 6  # of a column of words where even these must be cut

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Column:
    """A column: of numbers, which stand to the right and are never cut, or of words.

    `goes` says which columns go out where there is no room: the highest first, 0 never.
    """

    name: str
    is_number: bool = False
    goes: int = 0


@dataclass(frozen=True)
class _Sized:
    """A column with its cells: how wide it would be in one line, and how narrow it can be without cutting a word."""

    column: Column
    cells: Sequence[str]

    @property
    def most(self) -> int:
        return max(map(len, [self.column.name, *self.cells]))

    @property
    def least(self) -> int:
        words = [word for cell in self.cells for word in self._pieces(cell)]
        return max(map(len, [*self.column.name.split(), *words]), default=1)

    def _pieces(self, cell: str) -> list[str]:
        """What of a cell stays in one line: a word; a number with all that belongs to it, of a range either end."""
        if not self.column.is_number or not any(map(str.isdigit, cell)):
            return cell.split()
        first, *last = cell.split(" – ")
        return [f"{first} –", *last] if last else [cell]


def fitted(columns: Sequence[Column], rows: Rows, width: int) -> Iterator[Grid | Text]:
    """What to print of a listing: a line on what all rows have alike, the table, and a line on what it lacks."""
    sized = _sized(columns, rows)
    alike: list[_Sized] = []
    gone: list[_Sized] = []
    while _sum(column.most for column in sized) > width and len(rows) > 1:
        same = [column for column in sized[1:] if len(set(column.cells)) == 1]
        if not same:
            break
        sized.remove(same[-1])
        alike.insert(0, same[-1])
    while _sum(column.least for column in sized) > width:
        last = max(sized, key=lambda column: column.column.goes)
        if not last.column.goes:
            break
        sized.remove(last)
        gone.insert(0, last)
    if alike:
        yield Text("all: " + ", ".join(f"{one.column.name} {one.cells[0] or '–'}" for one in alike), style="dim")
    yield _grid(sized, len(rows), width)
    if gone:
        names = ", ".join(column.column.name for column in gone)
        yield Text(f"not shown, for want of room: {names}", style="dim")


def blocks(columns: Sequence[Column], rows: Rows, footer: Rows, num_keys: int, width: int) -> Iterator[Grid]:
    """A table, or several with the first `num_keys` columns in each where one would be wider than `width`."""
    sized = _sized(columns, [*rows, *footer])
    keys, rest = sized[:num_keys], sized[num_keys:]
    while True:
        count = len(rest)
        while count > 1 and _sum(column.least for column in [*keys, *rest[:count]]) > width:
            count -= 1
        yield _grid([*keys, *rest[:count]], len(rows), width)
        rest = rest[count:]
        if not rest:
            return


def _sized(columns: Sequence[Column], rows: Rows) -> list[_Sized]:
    return [_Sized(column, [row[place] for row in rows]) for place, column in enumerate(columns)]


def _sum(widths: Iterator[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _grid(sized: Sequence[_Sized], num_rows: int, width: int) -> Grid:
    """The table; rows after `num_rows` stand under a rule."""
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0), header_style="bold")
    for one, size in zip(sized, _widths(sized, width), strict=True):
        justify: JustifyMethod = "right" if one.column.is_number else "left"
        grid.add_column(Text(one.column.name), width=size, justify=justify, overflow="fold")
    for number, row in enumerate(zip(*(one.cells for one in sized), strict=True)):
        if number == num_rows:
            grid.add_section()
        grid.add_row(*map(Text, row), style="dim" if number >= num_rows else None)
    return grid


def _widths(sized: Sequence[_Sized], width: int) -> list[int]:
    """A width for each column: as much as it wants, the narrowest first, and never less than its longest word; where
    not even that is there, words are cut in the widest columns.
    """
    widths = [one.least for one in sized]
    room = width - _sum(iter(widths))
    for place in sorted(range(len(sized)), key=lambda place: sized[place].most - widths[place]):
        more = min(max(room, 0), sized[place].most - widths[place])
        widths[place] += more
        room -= more
    while room < 0:
        words = [place for place, one in enumerate(sized) if not one.column.is_number and widths[place] > LEAST]
        if not words:
            break
        widest = max(words, key=lambda place: widths[place])
        widths[widest] -= 1
        room += 1
    return widths
