"""Rank groups of the lines on a task, and the scale at which a line reaches the reference."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.report.read.names import model_names
from bench.report.statistics.differences import Sides
from bench.report.statistics.intervals import CONFIDENCE
from bench.report.statistics.judging import Block, chances_of
from bench.report.statistics.multiplicity import holm
from bench.report.statistics.pairs import Lines, average_of, lines_of, paired
from bench.report.statistics.samples import AVERAGE

CROSSINGS = ["suite", "task", "label", "method", "reference", "model", "parameters", "text"]
RANKS = ["suite", "task", "model", "label", "group"]
Array = NDArray[np.float64]


def ranks(suite: str, known: Sides, averaged: Sequence[str]) -> pd.DataFrame:
    """Per task (main metric) and model of a suite the lines in groups, with the columns RANKS; 1 is the best.

    From the highest mean down: a line opens a new group when it is significantly below the best of the current one, by
    the tests of all pairs of lines there, at 5 % after Holm. They are those of the verdicts (statistics.differences):
    over runs that trained, where some did. Lines without a spread over seeds are not ranked.
    """
    ranked: list[dict[str, Any]] = []
    ways = [way for way in (known, known.without) if way is not None]
    by_place: dict[tuple[str, str], list[str]] = {}
    for task, model, label in known.of:
        if all(way.of[task, model, label].known for way in ways):
            by_place.setdefault((task, model), []).append(label)
    for (task, model), labels in by_place.items():
        lines = [lines_of([way.of[task, model, label] for label in labels]) for way in ways]
        ranked += _ranked(suite, task, model, labels, lines, known, averaged)
    for model in sorted({model for _, model in by_place}):
        common = set.intersection(*(set(by_place.get((task, model), [])) for task in averaged)) if averaged else set()
        labels = sorted(common)
        if labels:
            tasks = [[lines_of([way.of[task, model, label] for label in labels]) for task in averaged] for way in ways]
            lines = [average_of(of_tasks, way.together) for of_tasks, way in zip(tasks, ways, strict=True)]
            ranked += _ranked(suite, AVERAGE, model, labels, lines, known, averaged)
    return pd.DataFrame(ranked, columns=RANKS)


def _ranked(
    suite: str, task: str, model: str, labels: Sequence[str], ways: Sequence[Lines], known: Sides,
    averaged: Sequence[str],
) -> list[dict[str, Any]]:  # fmt: skip
    """`ways`: with the runs in doubt, and without them."""
    means = ways[0].means
    order = sorted(range(len(labels)), key=lambda at: (-means[at], labels[at]))
    pairs = [(upper, lower) for place, upper in enumerate(order) for lower in order[place + 1 :]]
    better = np.max([_orders(pairs, lines) for lines in ways], axis=0)
    flat = {label for of_task, of_model, label in known.of if of_model == model and task in (AVERAGE, of_task)
            if known.of[of_task, model, label].parted.flat}  # fmt: skip
    guarded = [at for at, pair in enumerate(pairs) if flat & {labels[line] for line in pair}]
    blocks = [Block(known, model, *(labels[line] for line in pairs[at])) for at in guarded]
    for at, chances in zip(guarded, chances_of(blocks, task, averaged, known.together), strict=True):
        better[at, 0] = max(better[at, 0], chances[1])
    adjusted = holm(better, 1 - CONFIDENCE).p
    above = {pair for pair, row in zip(pairs, adjusted, strict=True) if row[0] <= 1 - CONFIDENCE}
    groups: list[dict[str, Any]] = []
    best, group = -1, 0
    for at in order:
        if best < 0 or (best, at) in above:
            best, group = at, group + 1
        groups.append({"suite": suite, "task": task, "model": model, "label": labels[at], "group": group})
    return groups


def leaders(ranked: pd.DataFrame, budgets: Mapping[tuple[str, str], str]) -> set[tuple[str, str, str]]:
    """(task, model, label) of a suite's lines of the first group, where a line of the same budget is in a later one.

    Where none is, nothing is told apart from the best. `budgets` are by (model, label).
    """
    groups: dict[tuple[str, str, str], dict[str, int]] = {}
    for task, model, label, group in ranked[["task", "model", "label", "group"]].itertuples(index=False):
        groups.setdefault((task, model, budgets.get((model, label), "")), {})[label] = group
    return {
        (task, model, label)
        for (task, model, _), of_lines in groups.items()
        for label, group in of_lines.items()
        if group == min(of_lines.values()) < max(of_lines.values())
    }


def line_budgets(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    """By (model, label) the budget of a suite's lines."""
    lines = frame[["model", "label", "budget"]].drop_duplicates(["model", "label"])
    return {(model, label): budget for model, label, budget in lines.itertuples(index=False)}


def _orders(pairs: Sequence[tuple[int, int]], lines: Lines) -> Array:
    """(N, 2) one-sided p-values against the first not being above the second, and not below; NaN without a spread."""
    above = paired(pairs, lines).p_above()
    return np.stack([above, 1 - above], axis=1)


def crossings(compared: pd.DataFrame, sizes: Mapping[str, float]) -> pd.DataFrame:
    """Per suite, task and line the smallest model at which it reaches the reference, with the columns CROSSINGS.

    Reached: the interval of the verdict's own test includes 0 or lies above it, so that the line is not shown to be
    worse; `text` says what it is there, whether that is within the margin, and at which larger models it is not so.
    `sizes` are the models' parameters; models of unknown size are left out. Never reached: "" and NaN.
    """
    line = ["suite", "task", "label", "method", "reference"]
    names = model_names(compared["model"])
    sized = compared.assign(parameters=[sizes.get(model, math.nan) for model in compared["model"]])
    rows: dict[tuple[Any, ...], list[dict[Any, Any]]] = defaultdict(list)
    for row in sized[sized["parameters"].notna()].sort_values(["parameters", "model"]).to_dict("records"):
        rows[tuple(row[name] for name in line)].append(row)
    smallest = [
        dict(zip(CROSSINGS[:5], key, strict=True)) | _crossing(rows[key], names)
        for key in compared.groupby(line, sort=True).size().index
    ]
    return pd.DataFrame(smallest, columns=CROSSINGS)


def _crossing(rows: list[dict[Any, Any]], names: Mapping[str, str]) -> dict[str, Any]:
    with_interval = [row for row in rows if not math.isnan(row["tested_high"])]
    if not with_interval:
        return {"model": "", "parameters": math.nan, "text": "no interval at any model"}
    reached = [row for row in with_interval if row["tested_high"] >= 0]
    if not reached:
        return {
            "model": "",
            "parameters": math.nan,
            "text": f"below it at every model up to {names[with_interval[-1]['model']]}",
        }
    first = reached[0]
    ends = f"[{first['tested_low']:+.1f}, {first['tested_high']:+.1f}]"
    text = f"{first['difference']:+.1f} {ends} at {names[first['model']]}"
    text += "" if first["tested_low"] > -first["margin"] else ", which may be more than the margin below it"
    below = [names[row["model"]] for row in with_interval[with_interval.index(first) :] if row["tested_high"] < 0]
    text += f"; below it again at {', '.join(below)}" if below else ""
    return {"model": first["model"], "parameters": first["parameters"], "text": text}
