"""How a results folder stands, in words and a table: legible on 80 columns, and line by line in a pipe."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from bench.cell import Cell
from bench.commands.span import span
from bench.plan.remaining import TimeLeft
from bench.report.read.names import model_names
from bench.report.tables.fit import Column, fitted
from bench.store.standing import STATES, Piece, Standing, State, counted
from bench.store.workers import GONE

MOST_ROWS = 60  # of the table: more lines are counted together
MOST_LISTED = 20  # groups, and reasons of failures
MOST_NAMES = 3
WORDS: dict[State, str] = {
    "done": "done",
    "running": "running",
    "silent": "silent",
    "free": "free again",
    "to_run": "to run",
    "waiting": "waiting",
    "failed": "failed",
    "lost": "lost",
}
REMARKS: dict[State, str] = {"waiting": "waiting for trials", "lost": "lost as trials", "silent": "without a sign"}


def blocks(folder: Path, standing: Standing, left: TimeLeft | None, width: int) -> Iterator[Text | Table]:
    """What `bench status` shows on so many columns, from top to bottom."""
    yield Text(_headline(folder, standing))
    yield Text(_outlook(folder, standing, left))
    if standing.others:
        yield Text(f"{standing.others:,} more finished cells are of no grid that this folder knows", style="dim")
    if standing.cells:
        yield from _table(standing, width)
    names = model_names({cell.model for cell in standing.cells.values()})
    for title, state in (("running", "alive"), ("without a sign", "silent")):
        pieces = [piece for piece in standing.pieces if piece.sign.state == state]
        lines = [line for piece in pieces[:MOST_LISTED] for line in _piece_lines(piece, names)]
        yield from _section(title, lines, len(pieces))
    yield from _section("free again, for the next worker", list(_free_lines(standing, names)), 0)
    failed = list(_failed_lines(standing, names))
    yield from _section("failed", [line for reason in failed[:MOST_LISTED] for line in reason], len(failed), "red")


def _headline(folder: Path, standing: Standing) -> str:
    trials = sum(cell.stage == "trial" for cell in standing.cells.values())
    of_trials = f" ({trials:,} of them trials)" if trials else ""
    counts = [(state, standing.count(state)) for state in STATES]
    parts = [f"{count:,} {REMARKS.get(state, WORDS[state])}" for state, count in counts if count or state == "done"]
    return f"{folder}: {_number(len(standing.cells), 'cell')}{of_trials}: {', '.join(parts)}"


def _outlook(folder: Path, standing: Standing, left: TimeLeft | None) -> str:
    """Who is at work, and how long it will take; what to do where nobody is."""
    alive = [worker for worker, sign in standing.workers if sign.state == "alive"]
    ahead = bool(standing.of("running", "silent", "free", "to_run", "waiting"))
    if alive:
        hosts = Counter(worker.identity.host for worker in alive)
        where = _listed([f"{host} ({count})" if count > 1 else host for host, count in sorted(hosts.items())])
        return f"{_number(len(alive), 'worker')} on {where}{_time(left, ahead)}"
    if standing.of("silent"):
        return f"nobody shows a sign of work{_time(left, ahead)}"
    if ahead:
        return f"nobody is at work{_time(left, ahead)}; the same bench run goes on from there"
    again = "; what failed is tried again by the same bench run" if standing.of("failed") else ""
    return f"nothing is left to run{again}; next: bench report {folder}"


def _time(left: TimeLeft | None, ahead: bool) -> str:
    if not ahead:
        return ""
    if left is None:
        return ", nothing is known yet of the time left"
    whose = f"{span(left.seconds)} left for {_number(left.num_workers, 'worker')}"
    if left.unknown:
        return f", more than {whose}: {_number(left.unknown, 'cell')} like none that has finished"
    return f", about {whose}"


def _table(standing: Standing, width: int) -> Iterator[Text | Table]:
    """Cells by model and line, or by what makes few enough rows."""
    names = model_names({cell.model for cell in standing.cells.values()})
    keys: tuple[Callable[[Cell], tuple[str, ...]], ...] = (
        lambda cell: (names[cell.model], _line(cell)),
        lambda cell: (names[cell.model], cell.method),
        lambda cell: (names[cell.model],),
    )
    for key in keys:
        rows = counted(standing, lambda cell, key=key: (cell.suite, *key(cell)))  # type: ignore[misc]
        if len(rows) <= MOST_ROWS:
            break
    header = ("suite", "model", "method")[: len(next(iter(rows)))]
    first = 0 if len({suite for suite, *_ in rows}) > 1 else 1  # one suite need not be named
    shown = [state for state in STATES if state == "done" or standing.count(state)]
    columns = [Column(name) for name in header[first:]]
    columns += [Column(name, is_number=True) for name in ("cells", *(WORDS[state] for state in shown))]
    lines = []
    places = {row: at for at, row in reversed(list(enumerate(row[:2] for row in rows)))}  # of a model all together
    for row, counts in sorted(rows.items(), key=lambda entry: places[entry[0][:2]]):
        numbers = [sum(counts.values()), *(counts[state] for state in shown)]
        lines.append([*row[first:], *(f"{number:,}" if number else "·" for number in numbers)])
    return fitted(columns, lines, width)


def _line(cell: Cell) -> str:
    return f"{cell.method}, trials" if cell.stage == "trial" else cell.label


def _piece_lines(piece: Piece, names: Mapping[str, str]) -> Iterator[str]:
    """What is trained, and below it where and how far."""
    yield f"  {_cells_text(piece.cells, names)}"
    doing, sign = piece.doing, piece.sign
    parts = [f"{piece.owner.host or 'somewhere'}{f' {doing.device}' if doing else ''}"]
    if sign.state == "silent":
        parts += [f"last sign {span(sign.age)} ago by the clock here"] if sign.age is not None else []
        parts.append(f"none in {span(sign.watched)} of watching; {GONE:.0f} s without one free its cells")
    else:
        parts += [f"for {span(doing.seconds)}"] if doing else ["just claimed"]
        parts += [f"step {doing.step:,} of {doing.num_steps:,}"] if doing and doing.num_steps else []
        parts += [f"{doing.tokens_per_second:,.0f} tokens/s"] if doing and doing.tokens_per_second else []
        parts += [f"{span(piece.seconds_left)} left"] if piece.seconds_left is not None else []
        parts += [f"last sign {span(sign.age)} ago"] if sign.age is not None else []
    yield f"    {', '.join(parts)}"


def _free_lines(standing: Standing, names: Mapping[str, str]) -> Iterator[str]:
    by_number: dict[int, list[Cell]] = defaultdict(list)
    for cell_id, number in standing.ended.items():
        by_number[number].append(standing.cells[cell_id])
    for number, cells in sorted(by_number.items()):
        yield f"  {_cells_text(cells, names)}: {_number(number, 'worker')} ended in training {_them(cells)}"


def _failed_lines(standing: Standing, names: Mapping[str, str]) -> Iterator[list[str]]:
    """By status and reason, the most frequent first, which cells."""
    by_reason: dict[str, list[Cell]] = defaultdict(list)
    for record in standing.failures.values():
        lost = " as a trial, and has lost" if standing.states[record.id] == "lost" else ""
        by_reason[f"{record.status}{lost}: {' '.join((record.reason or 'no reason').split())}"].append(record.cell)
    for reason, cells in sorted(by_reason.items(), key=lambda entry: -len(entry[1])):
        shown = [f"    {_cells_text([cell], names)}" for cell in cells[:MOST_NAMES]]
        shown += [f"    and {len(cells) - MOST_NAMES:,} more"] if len(cells) > MOST_NAMES else []
        yield [f"  {_number(len(cells), 'cell')} {reason}", *shown]


def _section(title: str, lines: Sequence[str], num_entries: int, style: str = "") -> Iterator[Text]:
    if lines:
        yield Text(title, style=f"bold {style}".strip())
        yield from map(Text, lines)
        if num_entries > MOST_LISTED:
            yield Text(f"  and {num_entries - MOST_LISTED:,} more; bench status --json has all", style="dim")


def _cells_text(cells: Sequence[Cell], names: Mapping[str, str]) -> str:
    """One cell with its id, or what several have between them."""
    first = cells[0]
    if len(cells) == 1:
        return f"{names[first.model]} · {first.task} · {first.label} · {first.seed_label} · {first.id}"
    keys: tuple[Callable[[Cell], Hashable], ...] = (lambda cell: names[cell.model], lambda cell: cell.task, _line)
    parts = [_listed(list(dict.fromkeys(str(key(cell)) for cell in cells))) for key in keys]
    return f"{' · '.join(parts)} · {_number(len(cells), 'cell')}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(names[:MOST_NAMES])}{more}"


def _them(cells: Sequence[Cell]) -> str:
    return "them" if len(cells) > 1 else "it"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("s" if count != 1 else "")
