"""What lines, models, budgets and seeds are called, so that two different measurements never share a line.

A cell's label is its method with the settings that somebody gave. That can be too little: results of two budgets, two
protocols or two data versions may lie in one folder, and their seeds must not be averaged together. What tells such
cells apart then joins the label: "ptv2 [10 epochs × batch 32]".
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence

from bench.cell import Budget, Cell

SETTING = "setting "


def line_names(cells: Sequence[Cell], with_budget: bool = True) -> list[str]:
    """One label per cell, in their order; equal (suite, task, model, label) means: differs by the seed alone.

    Without `with_budget` it means: by the seed and the budget alone.
    """
    names = _most_explicit(cells)
    values_at: dict[Hashable, set[str]] = defaultdict(set)
    facets = [_facets(cell, name, with_budget) for cell, name in zip(cells, names, strict=True)]
    for cell_facets in facets:
        for _, place, value in cell_facets:
            values_at[place].add(value)
    telling: set[Hashable] = set()
    for cell, name, cell_facets in zip(cells, names, facets, strict=True):
        telling |= {_marked(cell, name, facet) for facet, place, _ in cell_facets if len(values_at[place]) > 1}
    result = []
    for cell, name, cell_facets in zip(cells, names, facets, strict=True):
        marks = [value for facet, _, value in cell_facets if _marked(cell, name, facet) in telling]
        result.append(f"{name} [{'; '.join(marks)}]" if marks else name)
    return result


def _marked(cell: Cell, name: str, facet: str) -> Hashable:
    """Which cells are marked together by a facet: the line's, but of chosen settings, which tasks do not share, the
    entry's alone (two folders may have come to two choices).
    """
    line = (cell.suite, name, facet)
    return (*line, cell.model, cell.task) if cell.trials and facet.startswith(SETTING) else line


def _most_explicit(cells: Sequence[Cell]) -> list[str]:
    """The same settings get one label, whether a setting was given at its default or left there.

    How many trials chose them is in it where a suite's lines differ in that; else the notes say it of all.
    """
    trials: dict[str, set[int]] = defaultdict(set)
    for cell in cells:
        trials[cell.suite].add(cell.trials)
    keys = [(cell.suite, cell.method, cell.trials, _settings_key(cell)) for cell in cells]
    best: dict[Hashable, tuple[int, str]] = {}
    for cell, key in zip(cells, keys, strict=True):
        best[key] = max(best.get(key, (-1, "")), (len(cell.given), cell.named(len(trials[cell.suite]) > 1)))
    return [best[key][1] for key in keys]


def _settings_key(cell: Cell) -> str:
    """Chosen settings differ from task to task, and a line is named by what they were chosen from."""
    return json.dumps(cell.given if cell.trials else cell.settings, sort_keys=True, default=str)


def _facets(cell: Cell, name: str, with_budget: bool) -> list[tuple[str, Hashable, str]]:
    """(facet, the place within which it must be the same, its value) for all that is in a cell's id but its seed."""
    line = (cell.suite, name)  # one protocol along a whole line of the figure
    row = (*line, cell.model)  # one budget along a row of the table
    entry = (*row, cell.task)  # one everything in an entry
    budget = budget_text(cell.budget)  # but for the length of texts, which is the task's
    facets: list[tuple[str, Hashable, str]] = [("protocol", ("protocol", *line), f"protocol {cell.protocol}")]
    facets += [("budget", ("budget", *row), budget)] if with_budget else []
    within_entry = {
        "text": f"{cell.budget.max_length} tokens",
        "precision": cell.precision,
        "task version": f"task version {cell.task_version}",
        "data": f"data {cell.data_fingerprint[-12:]}",
        "results version": f"results version {cell.results_version}",
    }
    facets += [(facet, (facet, *entry), value) for facet, value in within_entry.items()]
    chosen_for = (*entry, budget) if cell.trials else entry  # another budget's trials may have come to another choice
    settings = {f"{SETTING}{key}": f"{key}={value}" for key, value in cell.settings.items()}
    return facets + [(facet, (facet, *chosen_for), value) for facet, value in settings.items()]


def panel_title(task: str, metric: str, model: str = "") -> str:
    """What a panel of a figure is called; `model` where there are several."""
    return f"{task} {metric}".strip() + (f" · {model}" if model else "")


def model_names(models: Iterable[str]) -> dict[str, str]:
    """Per model its name without the hub's owner or a path's folders; in full where two would be alike."""
    short = {model: model.rstrip("/").rsplit("/", 1)[-1] or model for model in models}
    times = Counter(short.values())
    return {model: name if times[name] == 1 else model for model, name in short.items()}


def budget_text(budget: Budget) -> str:
    """A budget in a few words, e.g. "10 epochs × batch 32"; budgets that differ in more than max_length read so."""
    length = f"{budget.steps} steps" if budget.steps is not None else f"{budget.epochs} epochs"
    if budget.steps is not None and budget.epochs != Budget().epochs:
        length += f" (epochs {budget.epochs})"  # no effect on the number, but part of the cell's id
    parts = [f"{length} × batch {budget.batch_size}"]
    if budget.evaluations is not None:
        parts.append(f"{budget.evaluations} evaluations")
    if budget.train_rows is not None:
        parts.append(f"{budget.train_rows} train rows")
    if budget.scored_rows is not None:
        parts.append(f"{budget.scored_rows} scored rows")
    if budget.backbone_dropout:
        parts.append("backbone dropout")
    return ", ".join(parts)


def seeds_text(seeds: Iterable[int]) -> str:
    """Seeds with runs shortened: [0, 1, 2, 5] is "0–2, 5"."""
    runs: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)


def natural(text: str) -> str:
    """A key that sorts texts with numbers in them as a reader would: "length=8" before "length=16"."""
    return re.sub(r"\d+(\.\d+)?(e[+-]?\d+)?", lambda number: f"{float(number.group()):030.15f}", text)
