"""The table of verdicts: each method against the reference, with what is shown and what is not."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.report.entries import AVERAGE
from bench.report.evidence import NUM_DRAWS
from bench.report.intervals import LEVEL, margins
from bench.report.tables import Table, conditions
from bench.report.wording import model_texts, natural

HEADER = (
    "model", "method", "task", "difference", "95 % interval", "verdict", "p matches", "p differs", "P(better run)",
    "seeds", "note",
)  # fmt: skip
SMALLEST_P = 0.001


def build(
    suite: str,
    frame: pd.DataFrame,
    compared: pd.DataFrame,
    crossings: pd.DataFrame,
    ranks: pd.DataFrame,
    chosen: Sequence[str],
) -> Table:
    """The verdicts of one suite, the averages first, with notes that say how they came about."""
    frame, compared, crossings, ranks = (part[part["suite"] == suite] for part in (frame, compared, crossings, ranks))
    models = model_texts(frame["model"])
    sizes = frame.groupby("model")["backbone_parameters"].max()
    order = {task: place for place, task in enumerate((AVERAGE, *chosen))}
    rows = compared.assign(
        place=[order.get(task, len(order)) for task in compared["task"]],
        size=[sizes.get(model, math.nan) for model in compared["model"]],
    ).sort_values(["place", "task", "size", "model", "label"], kind="stable")
    references = sorted(set(compared["reference"]))
    texts = tuple(_row(row, models) for row in rows.to_dict("records"))
    notes = (
        _tests(compared, references, chosen),
        conditions(frame),
        *(_scales(crossings) if len(models) > 1 else ()),
        *_ranks(ranks, models, sizes, frame),
    )
    return Table(suite, HEADER, texts, notes, (), heading=f"Suite {suite}: against {', '.join(references)}")


def _row(row: dict[Hashable, Any], models: dict[str, str]) -> tuple[str, ...]:
    task = str(row["task"]) if row["task"] == AVERAGE else f"{row['task']} {row['metric']}".strip()
    known = not math.isnan(row["low"])
    return (
        models[str(row["model"])],
        str(row["label"]),
        task,
        _signed(row["difference"]),
        f"[{_signed(row['low'])}, {_signed(row['high'])}]" if known else "none",
        str(row["verdict"]),
        _p_text(row["p_equivalent"]),
        _p_text(row["p_different"]),
        "?" if math.isnan(row["improvement"]) else f"{row['improvement']:.2f}",
        str(row["n_seeds"]),
        str(row["note"]),
    )


def _signed(value: float) -> str:
    return "?" if math.isnan(value) else f"{value:+.1f}"


def _p_text(p: float) -> str:
    if math.isnan(p):
        return "none"
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}"


def _tests(compared: pd.DataFrame, references: Sequence[str], chosen: Sequence[str]) -> str:
    margin = float(compared["margin"].iloc[0])
    tested = compared[compared["p_different"].notna()]
    averages = tested["task"] == AVERAGE
    of_tasks, of_averages = tested[~averages], tested[averages]
    if len(chosen) == 1:
        of_averages = of_averages.head(0)  # the same test as its task's
    families = [
        f"the {len(family)} comparisons of {what}"
        for what, family in (("averages", of_averages), ("tasks", of_tasks))
        if len(family)
    ]
    return (
        f"Differences from {', '.join(references)} in points, paired by seed and by example, each with a 95 % interval "
        f"over new seeds and new examples (two-level bootstrap: {NUM_DRAWS} draws of examples, groups whole; the level "
        "of seeds in closed form, corrected for their number; Student t). Verdicts: matches: within "
        f"±{margin:g} by two one-sided tests; better, worse: above, below 0; undecided: none of these is shown. "
        f"p-values are Holm's over {' and, apart, over '.join(families) or 'no comparison'}, so that the "
        f"probability of a wrong verdict is at most 5 % {'among each' if len(families) > 1 else 'in this table'}. "
        f"{_reach(of_averages if len(of_averages) else of_tasks)}"
        "P(better run): probability that a run beats one of the reference."
    )


def _reach(tested: pd.DataFrame) -> str:
    """What so few seeds can show: the standard errors that the first verdict takes where nothing but seeds varies."""
    if tested.empty:
        return ""
    seeds = int(tested["n_seeds"].max())
    errors = float(margins(np.ones((1, 1)), np.array([[seeds - 1.0]]), np.array([(1 - LEVEL) / (2 * len(tested))]))[0])
    return (
        f"With {seeds} seeds the first verdict takes a difference of {errors:.1f} of its standard errors where only "
        "seeds vary, less where examples do too. "
    )


def _scales(crossings: pd.DataFrame) -> list[str]:
    """The smallest model at which each line's average reaches the reference."""
    rows = crossings[crossings["task"] == AVERAGE]
    if rows.empty:
        return []
    parts = [f"{label}: {text}" for label, text in zip(rows["label"], rows["text"], strict=True)]
    return [
        "Smallest model at which the average reaches the reference (the interval of the difference includes 0 or lies "
        f"above it: not shown to be worse): {'. '.join(parts)}."
    ]


def _ranks(ranks: pd.DataFrame, models: dict[str, str], sizes: pd.Series, frame: pd.DataFrame) -> list[str]:
    """Rank groups of the averages, per model by size, each budget by itself."""
    budgets = frame[["model", "label", "budget"]].drop_duplicates(["model", "label"])
    rows = ranks[ranks["task"] == AVERAGE].merge(budgets, on=["model", "label"])
    parts = []
    for model in sorted(set(rows["model"]), key=lambda model: (sizes.get(model, math.inf), model)):
        of_model = rows[rows["model"] == model]
        for _, of_budget in sorted(of_model.groupby("budget"), key=lambda one: natural(one[0])):
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
