"""Does a method match the reference? Differences, verdicts, rank groups, and the scale at which it does.

A verdict is one of
- *matches*: the difference is less than the margin, in either direction;
- *better*, *worse*: it is above, below 0;
- *undecided*: none of these is shown. It does not say that two methods are alike.
A difference of which both is shown, small and not 0, matches. Of a suite, the tests of its averages are one family
(bench.report.comparing) and those of its tasks another, so that the probability of one wrong verdict or more is at most
5 % among the averages, which the claim is about, and at most 5 % among the tasks, which show where it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.report.comparing import Difference, all_pairs, difference, directions, holm, improvement, orders
from bench.report.entries import AVERAGE, Entry, Key
from bench.report.intervals import LEVEL, interval
from bench.report.wording import model_texts

COMPARISONS = [
    "suite", "task", "metric", "model", "label", "method", "reference", "difference", "low", "high",
    "p_equivalent", "p_different", "margin", "verdict", "n_seeds", "improvement", "note",
]  # fmt: skip
CROSSINGS = ["suite", "task", "label", "method", "reference", "model", "parameters", "text"]
RANKS = ["suite", "task", "model", "label", "group"]
Entries = Mapping[Key, Entry]
Chosen = Mapping[str, Sequence[str]]


def comparisons(
    summary: pd.DataFrame, entries: Entries, chosen: Chosen, references: Mapping[tuple[str, str], str], margin: float
) -> pd.DataFrame:
    """Every line against its reference, per suite, task (main metric) and model, with the columns COMPARISONS.

    `summary` has a row for each entry, the averages among them; `references` gives each (suite, label) the label it is
    compared with, and lines without one are left out. Differences are in points of the score, `margin` too. p-values
    are adjusted for all comparisons of the suite's averages, or of its tasks; at 0.05 they give the verdict.
    """
    rows = summary[summary["main"].astype(bool)]
    parts = [_of_suite(rows[rows["suite"] == suite], entries, chosen, references, margin) for suite in chosen]
    return pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=COMPARISONS)], ignore_index=True)


def _of_suite(
    rows: pd.DataFrame, entries: Entries, chosen: Chosen, references: Mapping[tuple[str, str], str], margin: float
) -> pd.DataFrame:
    found, differences = [], []
    for row in rows.to_dict("records"):
        suite, task, model, label, metric = (str(row[name]) for name in ("suite", "task", "model", "label", "metric"))
        reference = references.get((suite, label))
        if reference is None:
            continue
        one, other = (entries.get((suite, task, model, name, metric)) for name in (label, reference))
        differences.append(difference(one, other))
        found.append(
            {
                **{name: row[name] for name in ("suite", "task", "metric", "model", "label", "method")},
                "reference": reference,
                "margin": margin,
                "improvement": _improvement(entries, chosen, (suite, task, model, label, metric), reference),
            }
        )
    if not found:
        return pd.DataFrame(columns=COMPARISONS)
    return _judged(pd.DataFrame(found), differences, margin, chosen)


def _judged(found: pd.DataFrame, differences: list[Difference], margin: float, chosen: Chosen) -> pd.DataFrame:
    """With differences, intervals, adjusted p-values and verdicts. The average over one task is that task's test."""
    p = directions(differences, margin)
    (suite,) = set(found["suite"])
    averages = (found["task"] == AVERAGE).to_numpy()
    again = averages if len(chosen[suite]) == 1 else np.zeros(len(found), dtype=bool)
    adjusted = np.full(p.shape, np.nan)
    for family in (averages & ~again, ~averages):
        adjusted[family] = holm(p[family])
    place = {key: at for at, key in enumerate(zip(found["task"], found["model"], found["label"], strict=True))}
    for at in np.flatnonzero(again):
        adjusted[at] = adjusted[place[chosen[suite][0], found["model"][at], found["label"][at]]]
    ends = [interval(each.found) for each in differences]
    found["difference"] = [each.found.mean for each in differences]
    found["low"], found["high"] = [low for low, _ in ends], [high for _, high in ends]
    found["p_equivalent"] = adjusted[:, 2]
    found["p_different"] = adjusted[:, :2].min(axis=1)
    found["verdict"] = [verdict(*row) for row in adjusted]
    found["n_seeds"] = [each.num_seeds for each in differences]
    found["note"] = [each.note for each in differences]
    return found[COMPARISONS]


def verdict(not_above: float, not_below: float, not_near: float) -> str:
    """From the adjusted p-values against the difference being 0 or less, 0 or more, at least the margin from 0."""
    level = 1 - LEVEL
    if not_near <= level:
        return "matches"
    if not_above <= level:
        return "better"
    return "worse" if not_below <= level else "undecided"


def _improvement(entries: Entries, chosen: Chosen, key: Key, reference: str) -> float:
    suite, task, model, label, metric = key
    pairs = [(key, (suite, task, model, reference, metric))]
    if task == AVERAGE:
        mains = {(k[1], k[3]): k for k in entries if k[0] == suite and k[2] == model and k[1] in chosen[suite]}
        pairs = [(mains.get((one, label)), mains.get((one, reference))) for one in chosen[suite]]  # type: ignore[misc]
    known = [(entries.get(one), entries.get(other)) for one, other in pairs]
    if any(one is None or other is None for one, other in known):
        return math.nan
    return improvement([one for one, _ in known if one], [other for _, other in known if other])


def ranks(summary: pd.DataFrame, entries: Entries) -> pd.DataFrame:
    """Per suite, task (main metric) and model the lines in groups, with the columns RANKS; 1 is the best.

    From the highest mean down: a line opens a new group when it is significantly below the best of the current group,
    by the tests of all pairs of lines there, at 5 % after Holm. Lines without two finished seeds are not ranked.
    """
    rows = summary[summary["main"].astype(bool)]
    ranked: list[dict[str, Any]] = []
    for key, lines in rows.groupby(["suite", "task", "model"], sort=True):
        suite, task, model = map(str, key)
        metric = str(lines["metric"].iloc[0])
        found = {str(label): entries.get((suite, task, model, str(label), metric)) for label in lines["label"]}
        known = {label: entry for label, entry in found.items() if entry is not None and len(entry.seeds) > 1}
        groups = _groups(known)
        ranked += [
            {"suite": suite, "task": task, "model": model, "label": label, "group": group} for label, group in groups
        ]
    return pd.DataFrame(ranked, columns=RANKS)


def _groups(lines: Mapping[str, Entry]) -> list[tuple[str, int]]:
    names = sorted(lines, key=lambda label: (-lines[label].scores.mean(), label))
    pairs = all_pairs([lines[name] for name in names])
    p = holm(orders(list(pairs.values())))
    better = {(names[i], names[j]) for (i, j), row in zip(pairs, p, strict=True) if row[0] <= 1 - LEVEL}
    groups: list[tuple[str, int]] = []
    best = ""
    for name in names:
        opens = not best or (best, name) in better
        groups.append((name, (groups[-1][1] if groups else 0) + opens))
        best = name if opens else best
    return groups


def crossings(compared: pd.DataFrame, sizes: Mapping[str, float]) -> pd.DataFrame:
    """Per suite, task and line the smallest model at which it reaches the reference, with the columns CROSSINGS.

    Reached: the difference's interval includes 0 or lies above it, so that the line is not shown to be worse; `text`
    says what the interval is there, whether that is within the margin, and at which larger models it is not so.
    `sizes` are the models' parameters; models of unknown size are left out. Never reached: "" and NaN.
    """
    found = []
    names = model_texts(compared["model"])
    for key, rows in compared.groupby(["suite", "task", "label", "method", "reference"], sort=True):
        rows = rows.assign(parameters=[sizes.get(model, math.nan) for model in rows["model"]])
        rows = rows[rows["parameters"].notna()].sort_values(["parameters", "model"])
        found.append(dict(zip(CROSSINGS[:5], key, strict=True)) | _crossing(rows.to_dict("records"), names))
    return pd.DataFrame(found, columns=CROSSINGS)


def _crossing(rows: list[dict[Any, Any]], names: Mapping[str, str]) -> dict[str, Any]:
    known = [row for row in rows if not math.isnan(row["high"])]
    if not known:
        return {"model": "", "parameters": math.nan, "text": "no interval at any model"}
    reached = [row for row in known if row["high"] >= 0]
    if not reached:
        return {
            "model": "",
            "parameters": math.nan,
            "text": f"below it at every model up to {names[known[-1]['model']]}",
        }
    first = reached[0]
    text = f"{first['difference']:+.1f} [{first['low']:+.1f}, {first['high']:+.1f}] at {names[first['model']]}"
    text += "" if first["low"] > -first["margin"] else ", which may be more than the margin below it"
    below = [names[row["model"]] for row in known[known.index(first) :] if row["high"] < 0]
    text += f"; below it again at {', '.join(below)}" if below else ""
    return {"model": first["model"], "parameters": first["parameters"], "text": text}
