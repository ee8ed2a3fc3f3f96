"""Does the order of the lines change with the budget? Scores against each field of it that was swept, as numbers.

Budgets are lines of the table; here they are places on an axis, and a line is a method with its settings. Each point
is a training of its own, because a schedule ends where its budget does: the epochs of one run are no budgets.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from bench.cell import Budget
from bench.plan.budgets import SWEPT
from bench.report.figures.ablations import Ablation, along_lines, ordered
from bench.report.read.names import line_names
from bench.report.read.outcomes import Outcome
from bench.report.read.sweeps import SweepPoint, find_sweeps
from bench.report.statistics.samples import AVERAGE

BETWEEN = " · "  # a panel's task and model


def against_budgets(
    outcomes: Sequence[Outcome],
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    averages: pd.DataFrame,
    tasks: Sequence[str],
) -> list[Ablation]:
    """One figure for each field of the budget in which lines differ that are else alike, the average first.

    `frame`, `summary` and `averages` hold one suite, `tasks` are those of its average.
    """
    if frame["budget"].nunique() < 2:
        return []
    points = _points(outcomes, frame, summary, averages if len(tasks) > 1 else averages.head(0))
    first = [AVERAGE, *tasks]
    return [along_lines(field, ordered(lines, first), None) for field, lines in find_sweeps(points).items()]


def order_notes(figure: Ablation) -> list[str]:
    """A note on each panel of the figure's first task, the average: which line is above which at each value."""
    first = figure.panels[0].title.partition(BETWEEN)[0]
    notes = []
    for panel in figure.panels:
        what, _, model = panel.title.partition(BETWEEN)
        scores: dict[float, dict[str, float]] = defaultdict(dict)
        for curve in panel.curves:
            for point in curve.points:
                if not math.isnan(point.score):
                    scores[point.x][curve.label] = point.score
        line_sets = {frozenset(of_value) for of_value in scores.values()}
        if what != first or len(line_sets) != 1 or len(next(iter(line_sets))) < 2:
            continue  # lines that are not there at every value have no order to compare
        ranked = {
            value: " > ".join(sorted(of_value, key=lambda label: (-of_value[label], label)))
            for value, of_value in sorted(scores.items())
        }
        by = f"By the mean on {'the average' if what == AVERAGE else what}" + (f" with {model}" if model else "")
        if len(set(ranked.values())) == 1:
            notes.append(f"{by} the order is the same at each: {next(iter(ranked.values()))}.")
        else:
            parts = "; ".join(f"{value:g}: {names}" for value, names in ranked.items())
            notes.append(f"{by} the order changes: {parts}. Which differences are shown is for the verdicts to say.")
    return notes


def _points(
    outcomes: Sequence[Outcome], frame: pd.DataFrame, summary: pd.DataFrame, averages: pd.DataFrame
) -> list[SweepPoint]:
    """The main-metric rows, each with its budget's fields as settings and the line's name but for the budget."""
    lines = _lines(outcomes, frame)
    rows = pd.concat([part for part in (averages, summary) if len(part)] or [summary], ignore_index=True)
    points = []
    for row in rows[rows["main"].astype(bool)].to_dict("records"):
        name, budget = lines[row["model"], row["label"]]
        metric = "" if row["task"] == AVERAGE else row["metric"]
        points.append(
            SweepPoint(
                row["task"], metric, row["model"], name, row["label"], _fields(budget), (_apart(budget),),
                float(row["mean"]), float(row["low"]), float(row["high"]), float(row["trivial"]),
                float(row["backbone_parameters"]), float("nan"),
            )
        )  # fmt: skip
    return points


def _lines(outcomes: Sequence[Outcome], frame: pd.DataFrame) -> Mapping[tuple[str, str], tuple[str, Budget]]:
    """By model and label the line's name but for the budget, and the budget."""
    label_of = dict(zip(frame["id"], frame["label"], strict=True))
    (suite,) = set(frame["suite"])
    cells = [outcome.cell for outcome in outcomes if outcome.cell.id in label_of and outcome.cell.suite == suite]
    names = line_names(cells, with_budget=False)
    return {(cell.model, str(label_of[cell.id])): (name, cell.budget) for cell, name in zip(cells, names, strict=True)}


def _fields(budget: Budget) -> dict[str, int]:
    """What is known of the fields that can be swept; epochs say nothing where steps are given."""
    fields = {name: getattr(budget, name) for name in SWEPT}
    if budget.steps is not None:
        del fields["epochs"]
    return {name: value for name, value in fields.items() if value is not None}


def _apart(budget: Budget) -> tuple[str, str]:
    """What else must be equal along a line: whether it is steps or epochs that are given, and the other fields."""
    rest = budget.model_dump(exclude={*SWEPT, "max_length"}, exclude_defaults=True)
    unit = "epochs" if budget.steps is None else "steps"
    return "budget", ", ".join([unit, *(f"{name}={value}" for name, value in sorted(rest.items()))])
