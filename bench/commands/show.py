"""`bench show`: what one cell came to, in words for a reader at a terminal, as its record for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from rich.console import Console

from bench.cell import settings_text
from bench.commands.folders import store_of
from bench.commands.lines import print_line, print_listing
from bench.commands.span import span
from bench.escaping.terminal import Screen
from bench.report.read.names import budget_text
from bench.report.tables.fit import Column
from bench.store.record import Costs, Record
from bench.store.store import Store

MB = 1e6
NAMES = 12  # columns for what a line is about
MOST_POINTS = 12  # of a curve; the record has all


def show_cell(cell_id: str, folder: Path | None, as_json: bool = False) -> None:
    """Print a cell's record: to be read where the output is a terminal, else, and with `as_json`, as JSON.

    What JSON cannot hold as it is read goes to standard error: the traceback of a failed cell, and what its settings
    were chosen from.
    """
    store = store_of(cell_id, folder)
    record = store.record(cell_id)
    console = Screen()
    if as_json or not console.is_terminal:
        console.print_json(record.model_dump_json())
    else:
        _print_record(console, record, store)
    aside = Screen(stderr=True)
    if record.traceback:
        aside.print(record.traceback, markup=False, highlight=False, soft_wrap=True)
    if record.cell.tried:
        from bench.report.tables.trials import trials_table

        aside.print(trials_table(record, store))


def _print_record(console: Console, record: Record, store: Store) -> None:
    cell = record.cell
    print_line(console, f"{cell.model} · {cell.suite} {cell.task} · {cell.label} · {cell.seed_label}", "bold")
    failed = record.status != "done"
    print_line(
        console, f"{record.status}: {record.reason}" if failed else _scores(record), "red" if failed else "green"
    )
    console.print()
    for name, text in _facts(record, store.path):
        lines = wrap(text, max(console.width - NAMES, 20), break_on_hyphens=False) or [""]
        for start, line in zip([name, *[""] * len(lines)], lines, strict=False):
            console.print(f"{start:<{NAMES}}", end="", style="dim", highlight=False)
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    if record.curve:
        console.print()
        _print_curve(console, record)


def _scores(record: Record) -> str:
    """ "accuracy 85.0 (trivial 57.5)", the main metric first."""
    if record.cell.stage == "trial":
        return f"{record.main_metric} {record.selection_score:.1f} on the selection slice"
    names = sorted(record.scores, key=lambda name: name != record.main_metric)
    parts = []
    for name in names:
        trivial = record.trivial.get(name)
        parts.append(f"{name} {record.scores[name]:.1f}" + (f" (trivial {trivial:.1f})" if trivial is not None else ""))
    return ", ".join(parts)


def _facts(record: Record, folder: Path) -> Iterator[tuple[str, str]]:
    """What a reader wants to know, a line each."""
    cell, counts, parameters = record.cell, record.counts, record.parameters
    yield "cell", f"{record.id} in {folder}"
    yield "settings", settings_text(cell.settings)
    yield "budget", f"{budget_text(cell.budget)}; texts of at most {cell.budget.max_length} tokens"
    yield "protocol", f"{cell.protocol}, {cell.precision}"
    rows = f"{counts.train:,} trained on, {counts.selection:,} held out, {counts.scored:,} scored"
    cut = f"; {counts.train_cut + counts.scored_cut:,} texts cut" if counts.train_cut + counts.scored_cut else ""
    yield "rows", rows + cut
    share = f" ({parameters.stored / parameters.backbone:.2%} of the model)" if parameters.backbone else ""
    yield "parameters", f"{parameters.trained:,} trained, {parameters.stored:,} stored{share}"
    yield "time", _time(record.costs)
    if record.costs.peak_bytes:
        alone = "" if record.costs.lanes == 1 else f", of {record.costs.lanes} cells in one loop"
        yield "memory", f"{record.costs.peak_bytes / MB:,.0f} MB at most{alone}"
    for name, found in record.found.items():
        yield name[:11], str(found)
    yield "where", f"{record.provenance.get('device', '')}, finished {record.finished}".lstrip(", ")


def _time(costs: Costs) -> str:
    parts = [("loading", costs.load_seconds), ("encoding", costs.encode_seconds), ("training", costs.train_seconds),
             ("evaluating", costs.evaluate_seconds), ("compiling", costs.own_compile_seconds)]  # fmt: skip
    told = ", ".join(f"{name} {span(seconds)}" for name, seconds in parts if seconds and seconds >= 0.05)
    speed = f"; {costs.tokens_per_second:,.0f} tokens/s" if costs.tokens_per_second else ""
    return span(costs.seconds) + (f": {told}" if told else "") + speed


def _print_curve(console: Console, record: Record) -> None:
    """The evaluations along the way, evenly thinned where they are many; the one that was chosen always there."""
    curve = record.curve
    names = list(curve[-1].scores)
    every = -(-len(curve) // MOST_POINTS)
    shown = [
        point
        for number, point in enumerate(curve, 1)
        if number % every == 0 or number == len(curve) or point.step == record.selected_step
    ]
    columns = [Column(name, is_number=True) for name in ("step", "epoch", "train loss", *names)]
    rows = [
        [
            f"{point.step:,}",
            f"{point.epoch:.2f}",
            "–" if point.train_loss is None else f"{point.train_loss:.4f}",
            *(f"{point.scores[name]:.1f}" if name in point.scores else "–" for name in names),
            "chosen" if point.step == record.selected_step else "",
        ]
        for point in shown
    ]
    print_listing(console, [*columns, Column("")], rows)
    if len(shown) < len(curve):
        print_line(console, f"{len(shown)} of {len(curve)} evaluations; --json has all", "dim")
