"""The table of verdicts: each method against the reference, with what is shown and what is not."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from bench.escaping.file_names import file_part
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names, natural
from bench.report.statistics import rising
from bench.report.statistics.bootstrap import NUM_DRAWS
from bench.report.statistics.differences import Sides
from bench.report.statistics.findings import Findings
from bench.report.statistics.judging import TRAINED
from bench.report.statistics.power import seeds_can_show
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.clusters import clusters_text
from bench.report.tables.conditions import conditions
from bench.report.tables.numbers import percent_text, rate_text
from bench.report.tables.table import Table

HEADER = (
    "model", "method", "task", "difference", "interval as tested", "verdict", "collapsed", "reference collapsed",
    "p matches", "p differs", "P(better run)", "seeds", "note",
)  # fmt: skip
SMALLEST_P = 0.001


def verdicts_table(findings: Findings, suite: str) -> Table:
    """The verdicts of one suite, the averages first, with notes that say how they came about."""
    frame, compared, crossings, ranks = (
        part[part["suite"] == suite]
        for part in (findings.frame, findings.comparisons, findings.crossings, findings.ranks)
    )
    averaged = findings.averaged[suite]
    models = model_names(frame["model"])
    sizes = model_sizes(frame)
    order = {task: place for place, task in enumerate((AVERAGE, *averaged))}
    rows = compared.assign(
        place=[order.get(task, len(order)) for task in compared["task"]],
        size=[sizes.get(model, math.nan) for model in compared["model"]],
    ).sort_values(["place", "task", "size", "model", "label"], kind="stable")
    references = sorted(set(compared["reference"]))
    notes = (
        *_tests(compared, references, averaged, findings.sides[suite]),
        *clusters_text(findings, suite),
        conditions(frame),
        *(_scales(crossings) if len(models) > 1 else ()),
        *_ranks(ranks, models, sizes, frame),
        *([rising.MEANING] if rising.is_noted(compared) else []),
    )
    return Table(
        f"verdicts-{file_part(suite)}", f"Suite {suite}: against {', '.join(references)}", HEADER,
        tuple(_row(row, models) for row in rows.to_dict("records")), notes, suite,
        numbers=compared.assign(note=["; ".join(note) for note in compared["note"]]),
    )  # fmt: skip


def _row(row: dict[Hashable, Any], models: dict[str, str]) -> tuple[str, ...]:
    task = str(row["task"]) if row["task"] == AVERAGE else f"{row['task']} {row['metric']}".strip()
    return (
        models[str(row["model"])],
        str(row["label"]),
        task,
        _signed(row["difference"]),
        interval_text(row),
        str(row["verdict"]) if row["about"] == TRAINED else f"{row['verdict']} ({row['about']})",
        rate_text(row["runs"], row["collapsed"], row["collapse_bound"]),
        rate_text(row["reference_runs"], row["reference_collapsed"], row["reference_collapse_bound"]),
        _p_text(row["p_equivalent"]),
        _p_text(row["p_different"]),
        "?" if math.isnan(row["improvement"]) else f"{row['improvement']:.2f}",
        str(row["n_seeds"]),
        "; ".join(row["note"]),
    )


def interval_text(row: Mapping[Hashable, Any]) -> str:
    """The interval that agrees with a verdict, and its level: "[+0.2, +3.1] at 99.6 %"; "none" where there is none."""
    if math.isnan(row["tested_low"]):
        return "none"
    return f"[{_signed(row['tested_low'])}, {_signed(row['tested_high'])}] at {percent_text(row['level'])}"


def _signed(value: float) -> str:
    """In points; to as many places as tell it from 0."""
    if math.isnan(value):
        return "?"
    return next((text for places in (1, 2, 3) if float(text := f"{value:+.{places}f}")), "+0.0")


def _p_text(p: float) -> str:
    if math.isnan(p):
        return "none"
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}"


def _tests(compared: pd.DataFrame, references: Sequence[str], averaged: Sequence[str], known: Sides) -> tuple[str, ...]:
    """What is estimated, how it is tested, and of what the error is at most 5 %."""
    margin = float(compared["margin"].iloc[0])
    tested = compared[compared["p_different"].notna()]
    of_averages = int((tested["task"] == AVERAGE).sum()) if len(averaged) > 1 else 0
    of_tasks = int((tested["task"] != AVERAGE).sum())
    estimated = (
        f"Differences from {', '.join(references)} in points, between the means of runs that trained, paired by "
        "example; runs are independent samples, whatever their seeds. Collapsed: runs whose own score is not shown to "
        "be above the trivial one (99.9 % interval) while others of the line clearly are, and runs that diverged: k of "
        "n, and the most that the rate may be, with 95 % confidence (Clopper–Pearson). Collapsed runs are not in the "
        'difference; a line with all its runs there is compared as it is, as one that does not learn: "all runs".'
    )
    how = (
        "Interval as tested: the values that the verdict's own test does not reject, for new seeds and new examples "
        f"(bootstrap of examples, {NUM_DRAWS} draws, groups whole; Student t), at the level that its place in the "
        f"family leaves it. {_borrowed(known)}"
        f"Verdicts: matches: within ±{margin:g} by two one-sided tests; better, worse: above, below 0; undecided: none "
        "of these is shown. "
    )
    return (estimated, how + _families(of_averages, of_tasks), *_reach(compared, of_averages or of_tasks))


def _borrowed(known: Sides) -> str:
    """How much the spread of a line's runs takes from the others."""
    gained = [side.degrees - max(len(side.runs.seeds) - 1, 0) for side in known.of.values()]
    gained = [degrees for degrees in gained if degrees > 0]
    if not gained:
        return "The spread of runs is each line's own on each task. "
    least, most = (f"{degrees:.0f}" for degrees in (min(gained), max(gained)))
    span = least if least == most else f"{least} to {most}"
    return (
        "The spread of runs is moderated: each line's on a task borrows from the others what is worth "
        f"{span} degrees of freedom (empirical Bayes, Smyth 2004). "
    )


def _families(of_averages: int, of_tasks: int) -> str:
    if not of_averages:
        return (
            f"p-values are Holm's over the {of_tasks} comparisons: the probability that one verdict or more of this "
            "table is wrong is at most 5 %. "
        )
    return (
        f"p-values are Holm's over the {of_averages} comparisons of averages: the probability that one of these "
        f"verdicts or more are wrong is at most 5 %. A task is tested among all {of_tasks} comparisons of tasks and, "
        "below an average that differs, among the tasks of that line and model: that one or more are wrong of the "
        "tasks of one line with one model has a probability of at most 5 %. P(better run): probability that a run "
        "beats one of the reference, lost runs counted in. "
    ).strip()


def _reach(compared: pd.DataFrame, num_tests: int) -> tuple[str, ...]:
    runs = compared["n_seeds"].max()
    return (f"{seeds_can_show(int(runs), num_tests)}.",) if num_tests and runs > 0 else ()


def _scales(crossings: pd.DataFrame) -> list[str]:
    """The smallest model at which each line's average reaches the reference."""
    rows = crossings[crossings["task"] == AVERAGE]
    if rows.empty:
        return []
    parts = [f"{label}: {text}" for label, text in zip(rows["label"], rows["text"], strict=True)]
    return [
        "Smallest model at which the average reaches the reference (the interval as tested includes 0 or lies above "
        f"it: not shown to be worse): {'. '.join(parts)}."
    ]


def _ranks(ranks: pd.DataFrame, models: dict[str, str], sizes: pd.Series, frame: pd.DataFrame) -> list[str]:
    """Rank groups of the averages, per model by size, each budget by itself."""
    budgets = frame[["model", "label", "budget"]].drop_duplicates(["model", "label"])
    rows = ranks[ranks["task"] == AVERAGE].merge(budgets, on=["model", "label"])
    parts = []
    for model in sorted(set(rows["model"]), key=lambda model: (sizes.get(model, math.inf), model)):
        of_model = rows[rows["model"] == model]
        for _, of_budget in sorted(of_model.groupby("budget"), key=lambda group: natural(group[0])):
            groups = of_budget.groupby("group", sort=True)["label"]
            parts.append(f"{models[model]}: " + "; ".join(f"{group}. {', '.join(labels)}" for group, labels in groups))
    return (
        [
            "Rank groups by the average (lines of one group are not significantly below its best; all pairs of a model "
            f"and budget tested, Holm): {' | '.join(parts)}."
        ]
        if parts
        else []
    )
