"""Verdicts and ranks only between lines of one budget: a line trained longer may win by that alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from bench.report.read.names import natural
from bench.report.statistics.differences import Sides

PLACE = ["suite", "task", "model"]


def comparable(summary: pd.DataFrame, references: Mapping[tuple[str, str], str]) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a summary that may be compared with their reference, and a line on those that may not.

    A row is left out where its budget is not that of its reference on the same task and model. Rows without a reference
    there stay: nothing is said of them anyway.
    """
    budgets = {
        (*key, label): budget for *key, label, budget in summary[[*PLACE, "label", "budget"]].itertuples(index=False)
    }
    kept, unlike = [], {}
    for suite, task, model, label, budget in summary[[*PLACE, "label", "budget"]].itertuples(index=False):
        reference = references.get((suite, label), label)
        reference_budget = budgets.get((suite, task, model, reference), budget)
        kept.append(reference_budget == budget)
        if reference_budget != budget:
            unlike[suite, label] = f"{label} ({budget}) and {reference} ({reference_budget})"
    problems = [
        f"{suite}: no verdict between {pair}: their budgets differ; run both with the same one"
        for (suite, _), pair in sorted(unlike.items(), key=lambda item: natural(item[1]))
    ]
    return summary[np.array(kept, dtype=bool)], problems  # an empty list would choose columns


def within_budgets(known: Sides, frame: pd.DataFrame) -> list[Sides]:
    """A suite's lines in parts that may be ranked among one another: those of each budget, by the suite's `frame`."""
    budgets = {
        (task, model, label): budget
        for task, model, label, budget in frame[["task", "model", "label", "budget"]].itertuples(index=False)
    }
    return [
        replace(known, of={place: side for place, side in known.of.items() if budgets[place] == budget})
        for budget in sorted(set(budgets.values()), key=natural)
    ]
