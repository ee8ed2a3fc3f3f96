"""The claim in words: per method whether it matches the reference, at how many sizes, and the verdicts behind it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.page.cells import Embedded, short
from bench.report.page.drawing import forest
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names, natural
from bench.report.statistics.judging import TRAINED
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.numbers import count_text, rate_text
from bench.report.tables.report import Report

SIGNS = {"matches": "=", "better": "▲", "worse": "▼", "undecided": "?"}
WITHOUT = "no seed to compare"
MOST_LINES = 12  # methods that have a sentence of their own
MOST_ROWS = 24  # verdicts shown at once
MOST_BY_TASK = 400
FEW_NAMES = 3
Verdict = dict[Hashable, Any]  # a row of the comparisons


@dataclass(frozen=True)
class ClaimLine:
    """One method's answer: `text` goes on after its name."""

    label: str
    text: str


@dataclass(frozen=True)
class Claim:
    """What a suite says about its methods against the reference; rows are what the template shows of verdicts."""

    suite: str
    reference: str
    margin: str
    lead: str
    lines: tuple[ClaimLine, ...]
    more_lines: int
    rows: tuple[dict[str, Any], ...]
    more_rows: tuple[dict[str, Any], ...]
    by_task: tuple[dict[str, Any], ...]
    more_by_task: int
    drawn: str  # how to read the rows' drawings
    notes: tuple[str, ...]


def claims(report: Report, embedded: Embedded) -> list[Claim]:
    """One claim per suite, those without any comparison too: they say why there is none."""
    return [_claim(report, embedded, suite) for suite in report.averaged]


def _claim(report: Report, embedded: Embedded, suite: str) -> Claim:
    rows = report.comparisons[report.comparisons["suite"] == suite]
    if rows.empty:
        lead = "No verdict: there is nothing to compare, since the reference or every other method has no score here."
        return Claim(suite, "", "", lead, (), 0, (), (), (), 0, "", ())
    frame = report.frame[report.frame["suite"] == suite]
    sizes = model_sizes(frame).reset_index()
    ordered = sizes.sort_values(["backbone_parameters", "model"], na_position="last")["model"]
    place = {str(model): number for number, model in enumerate(ordered)}
    overall = rows[rows["task"] == AVERAGE]
    by_task = rows[rows["task"] != AVERAGE] if len(report.averaged[suite]) > 1 else rows.head(0)  # else the same again
    reference, margin = ", ".join(sorted(set(rows["reference"]))), f"{float(rows['margin'].iloc[0]):g}"
    undecided = set(overall["label"]) - set(overall["label"][overall["verdict"] != "undecided"])
    by_label = sorted(overall.groupby("label"), key=lambda group: natural(str(group[0])))
    lines = [_line(str(label), of_label, margin, place) for label, of_label in by_label]
    if len(lines) > MOST_LINES:  # what is decided must not be among those left out
        lines.sort(key=lambda line: line.label in undecided)
    shown = _rows(report, embedded, overall, place)
    tasks = _rows(report, embedded, by_task, place)
    return Claim(
        suite=suite,
        reference=reference,
        margin=margin,
        lead=_lead(report, suite, reference, margin),
        lines=tuple(lines[:MOST_LINES]),
        more_lines=max(0, len(lines) - MOST_LINES),
        rows=tuple(shown[:MOST_ROWS]),
        more_rows=tuple(shown[MOST_ROWS:]),
        by_task=tuple(tasks[:MOST_BY_TASK]),
        more_by_task=max(0, len(tasks) - MOST_BY_TASK),
        drawn=_drawn(margin),
        notes=tuple(note for table in report.verdict_tables if table.suite == suite for note in table.notes),
    )


def _lead(report: Report, suite: str, reference: str, margin: str) -> str:
    tasks = report.averaged[suite]
    what = f"On {tasks[0]}" if len(tasks) == 1 else f"On the mean of {len(tasks)} tasks ({', '.join(tasks)})"
    within = f"within a margin of ±{margin} point{'' if margin == '1' else 's'}"
    return f"{what}, against {reference}, {within}, by the runs that trained:"


def _line(label: str, rows: pd.DataFrame, margin: str, place: Mapping[str, int]) -> ClaimLine:
    by_verdict: dict[str, list[str]] = {verdict: [] for verdict in (*SIGNS, WITHOUT)}
    names = model_names(place)
    for row in sorted(rows.to_dict("records"), key=lambda row: place[row["model"]]):
        by_verdict[row["verdict"] if row["n_seeds"] else WITHOUT].append(names[row["model"]])
    return ClaimLine(label, verdict_text(by_verdict, str(rows["reference"].iloc[0]), margin) + ".")


def verdict_text(by_verdict: Mapping[str, Sequence[str]], reference: str, margin: str) -> str:
    """The models of each verdict as one phrase: "matches finetune within ±1 at 2 of 3 sizes; worse at 1 (tiny)"."""
    total = sum(map(len, by_verdict.values()))
    words = {
        "matches": f"matches {reference} within ±{margin}",
        "better": f"is better than {reference}",
        "worse": f"is worse than {reference}",
        "undecided": f"is undecided against {reference}",
        WITHOUT: f"has {WITHOUT} with {reference}",
    }
    parts: list[str] = []
    for verdict, models in by_verdict.items():
        if not models:
            continue
        phrase = verdict if parts else words[verdict]
        if total == 1:
            parts.append(f"{phrase} with {models[0]}")
            continue
        count = f"{len(models)}" if parts else _count(len(models), total)
        named = f" ({', '.join(models)})" if len(models) < total and len(models) <= FEW_NAMES else ""
        parts.append(f"{phrase} at {count}{named}")
    return "; ".join(parts)


def _count(number: int, total: int) -> str:
    """How many of the sizes: "both sizes", "all 3 sizes", "1 of 3 sizes"."""
    if number < total:
        return f"{number} of {total} sizes"
    return "both sizes" if total == 2 else f"all {total} sizes"


def _rows(report: Report, embedded: Embedded, rows: pd.DataFrame, place: Mapping[str, int]) -> list[dict[str, Any]]:
    """Verdicts by method and size, with the drawing of their difference."""
    ends = [
        abs(value)
        for name in ("difference", "tested_low", "tested_high")
        for value in rows[name]
        if math.isfinite(value)
    ]
    margin = max(rows["margin"], default=1.0)
    reach = min(max([*ends, 2 * margin]), max(20 * margin, 10.0)) * 1.05
    names = model_names(place)
    sizes = model_sizes(report.frame)
    ordered = sorted(rows.to_dict("records"), key=lambda row: (row["task"], natural(row["label"]), place[row["model"]]))
    return [_row(row, names, sizes, embedded, reach) for row in ordered]


def _row(
    row: Verdict, names: Mapping[str, str], sizes: pd.Series[float], embedded: Embedded, reach: float
) -> dict[str, Any]:
    model, difference, low, high = (
        row["model"],
        float(row["difference"]),
        float(row["tested_low"]),
        float(row["tested_high"]),
    )
    size = float(sizes.get(model, math.nan))
    return {
        "suite": row["suite"],
        "label": row["label"],
        "method": row["method"],
        "task": row["task"],
        "model": model,
        "model_text": names.get(model, model),
        "size": "" if math.isnan(size) else count_text(size),
        "parameters": "" if math.isnan(size) else short(size, 12),
        "verdict": row["verdict"],
        "sign": SIGNS[row["verdict"]],
        "difference": "" if math.isnan(difference) else short(difference),
        "difference_text": difference_text(difference, low, high),
        "seeds": row["n_seeds"],
        "collapsed": _collapsed(row),
        "note": "; ".join(row["note"] if row["about"] == TRAINED else (f"of {row['about']}", *row["note"])),
        "forest": forest(difference, low, high, float(row["margin"]), reach),
        "entry": embedded.entries.get((row["suite"], model, row["label"], row["task"])),
    }


def _collapsed(row: Verdict) -> str:
    """The rate of collapse of a line and, after it, of its reference."""
    return "; ".join(
        rate_text(*(float(row[f"{of}{name}"]) for name in ("runs", "collapsed", "collapse_bound")))
        for of in ("", "reference_")
    )


def difference_text(difference: float, low: float, high: float) -> str:
    """A difference in points with its interval where there is one: "+0.4 [−1.2, 2.0]"."""
    if math.isnan(difference):
        return "–"
    text = f"{difference:+.1f}"
    if not (math.isnan(low) or math.isnan(high)):
        text += f" [{low:+.1f}, {high:+.1f}]"
    return text.replace("-", "−")


def _drawn(margin: str) -> str:
    return (
        "Drawn: the difference with its interval at the level that the verdict was tested at, left of the dotted line "
        f"where it is below the reference; shaded: ±{margin}. An interval that reaches beyond the drawing ends at its "
        "edge. Collapsed: runs of the line that did not train, and the most that the rate may be; then the "
        "reference's. A long note is whole where the difference opens."
    )
