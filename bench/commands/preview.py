"""What a run will do, as it reads before and between its stages: counts, cells, what is left out, what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.cell import Cell, Plan, Skip, settings_text
from bench.commands.lines import print_line, print_listing
from bench.plan.selection import Choice, Outstanding
from bench.report.read.names import budget_text
from bench.report.statistics.power import seeds_can_show
from bench.report.tables.fit import Column

LEAST_SAID = {"head": 2, "state": 1}  # the columns of cells that go first where there is no room


def print_plan(console: Console, whole: Plan, left: Outstanding, path: Path) -> None:
    """The plan in a few lines, with what is left of it to be run."""
    choice = left.choice
    if whole.trials:
        line = f"{_counted(whole.trials, 'trials')}; {len(left.trials)} to run"
        print_line(console, line)
    if choice.cells:
        line = f"{_counted(choice.cells, 'cells')}; {len(left.cells)} to run → {path}"
        print_line(console, line)
    if choice.waiting:
        cells = _counted(choice.waiting, "cells")
        line = f"then, with the settings that trials choose, {cells} → {path}"
        print_line(console, line)
    for note in whole.notes:
        print_line(console, note, "yellow")
    print_skips(console, [*whole.skips, *choice.skips])
    if whole.cells:
        print_line(console, _reach(whole.cells))


def _reach(cells: Sequence[Cell]) -> str:
    """What so many seeds can show of the averages, whose family has a comparison for each line and model."""
    num_seeds = len({cell.seed for cell in cells} | {seed for cell in cells for seed in cell.streams.values()})
    lines: dict[str, set[tuple[str, str]]] = {}
    for cell in cells:
        lines.setdefault(cell.suite, set()).add((cell.model, cell.label))
    # one line of each model is the reference
    num_tests = max(len(of_suite) - len({model for model, _ in of_suite}) for of_suite in lines.values())
    return seeds_can_show(num_seeds, max(1, num_tests))


def print_skips(console: Console, skips: Sequence[Skip]) -> None:
    """A line for each of what is left out."""
    for skip in skips:
        line = f"skipped: {skip.method} on {skip.task} with {skip.model}: {skip.reason}"
        print_line(console, line, "yellow")


def _counted(cells: Sequence[Cell], noun: str) -> str:
    """ "6 cells: 2 methods × 1 tasks × 1 models × 3 seeds", and how many more have a single stream varied."""
    whole = [cell for cell in cells if not cell.streams]
    names = ("method", "task", "model", "seed") if noun == "cells" else ("method", "task", "model")
    parts = [f"{len({getattr(cell, name) for cell in whole})} {name}s" for name in names]
    lines = {cell.label for cell in whole}
    if noun == "trials":
        places: dict[tuple[str, str, str], set[tuple[str, str]]] = {}  # trials differ from task to task
        for cell in whole:
            place = places.setdefault((cell.task, cell.model, budget_text(cell.budget)), set())
            place.add((cell.method, settings_text(cell.settings)))
        parts[0] = f"{max(map(len, places.values()))} settings of {parts[0]}"
    elif len(lines) > len({cell.method for cell in whole}):
        parts[0] = f"{len(lines)} settings of {parts[0]}"
    lengths = {budget_text(cell.budget) for cell in whole}
    parts += [f"{len(lengths)} budgets"] if len(lengths) > 1 else []
    streams = sorted({stream for cell in cells for stream in cell.streams})
    varied = f"; {len(cells) - len(whole)} more vary {', '.join(streams)} alone" if streams else ""
    return f"{len(whole)} {noun}: {' × '.join(parts)}{varied}"


def print_cells(console: Console, cells: Sequence[Cell], missing: set[str]) -> None:
    """A table of these cells; `missing` are the ids of those still to be run."""
    with_budget = len({budget_text(cell.budget) for cell in cells}) > 1
    names = ("cell", "model", "task", "method", *(["budget"] if with_budget else []), "head", "seed", "state")
    rows = []
    for cell in cells:
        state = "to run" if cell.id in missing else "over" if cell.stage == "trial" else "done"
        seed = cell.seed_label.removeprefix("seed ")
        budget = [budget_text(cell.budget)] if with_budget else []
        rows.append([cell.id, cell.model, cell.task, cell.label, *budget, str(cell.settings["head"]), seed, state])
    print_listing(console, [Column(name, goes=LEAST_SAID.get(name, 0)) for name in names], rows)


def print_choice(console: Console, choice: Choice) -> None:
    """The settings that were chosen, each once, and what could not be chosen."""
    chosen = {
        (cell.task, cell.model, cell.label, budget_text(cell.budget)): cell for cell in choice.cells if cell.tried
    }
    with_budget = len({budget for *_, budget in chosen}) > 1
    for (task, model, label, budget), cell in chosen.items():
        where = f"{label} on {task} with {model}" + (f" for {budget}" if with_budget else "")
        line = f"chosen: {where}: {settings_text(cell.drawn)}"
        print_line(console, line)
    print_skips(console, choice.skips)
