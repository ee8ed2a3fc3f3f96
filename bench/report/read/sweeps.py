"""Which settings were swept: lines of one method that differ in one setting while everything else is equal.

Nothing here knows a setting's name: that it varies, and what its values look like, says what can be drawn of it.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from bench.report.read.names import natural

ValueType = Literal["number", "layers", "choice"]
CONDITIONS = ("protocol", "trials", "budget", "max_length", "precision")  # what else must be equal along a line
ALL_LAYERS = "all"
MOST_LINES = 8  # in one set of axes: so many colours and markers can still be told apart
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True)
class SweepPoint:
    """One line of a suite's table at one task and model, by its main metric; NaN score: nothing is finished."""

    task: str
    metric: str
    model: str
    method: str
    label: str
    settings: Mapping[str, Any]
    conditions: tuple[tuple[str, str], ...]
    score: float
    low: float
    high: float
    trivial: float
    backbone_parameters: float
    backbone_layers: float


@dataclass(frozen=True)
class Sweep:
    """Variants of one task, model and method that differ in `setting` alone, at least two values of it.

    `differing` are the settings and conditions in which it differs from other sweeps of the setting: they name its
    line.
    """

    setting: str
    points: tuple[SweepPoint, ...]
    differing: tuple[tuple[str, str], ...] = ()

    @property
    def first(self) -> SweepPoint:
        return self.points[0]

    @property
    def name(self) -> str:
        marks = ", ".join(value if name in CONDITIONS else f"{name}={value}" for name, value in self.differing)
        return f"{self.first.method} ({marks})" if marks else self.first.method


def sweep_points(frame: pd.DataFrame, summary: pd.DataFrame) -> list[SweepPoint]:
    """The main-metric rows of a summary with the settings of their cells; both hold one suite."""
    entry = ["task", "model", "label"]
    one_of_each = frame.drop_duplicates(entry, keep="last").to_dict("records")
    cells = {(row["task"], row["model"], row["label"]): row for row in one_of_each}
    conditions = [name for name in CONDITIONS if name in frame.columns]
    points = []
    for row in summary[summary["main"].astype(bool)].to_dict("records"):
        cell = cells[row["task"], row["model"], row["label"]]
        chosen = bool(
            cell.get("trials", 0)
        )  # then only what was given is the line's; the rest differs from task to task
        points.append(
            SweepPoint(
                row["task"], row["metric"], row["model"], row["method"], row["label"],
                cell["given"] if chosen else cell["settings"],
                tuple((name, str(cell[name])) for name in conditions),
                float(row["mean"]), float(row["low"]), float(row["high"]), float(row["trivial"]),
                float(row["backbone_parameters"]), float(cell["backbone_layers"]),
            )
        )  # fmt: skip
    return points


def find_sweeps(points: Sequence[SweepPoint]) -> dict[str, list[Sweep]]:
    """Per setting, by name, its sweeps in the order of the points."""
    places: dict[Hashable, list[SweepPoint]] = defaultdict(list)
    for point in points:
        places[point.task, point.model, point.method, point.conditions].append(point)
    sweeps: dict[str, list[Sweep]] = defaultdict(list)
    for place in places.values():
        for setting in _varying(point.settings for point in place):
            sweeps[setting] += _sweeps(place, setting)
    return {setting: _named(lines) for setting, lines in sorted(sweeps.items()) if lines}


def value_type(sweeps: Iterable[Sweep]) -> ValueType:
    """What the values of a swept setting are: numbers, ranges of layers ("1-4", "3", "all"), or a choice."""
    setting_values = [point.settings.get(sweep.setting) for sweep in sweeps for point in sweep.points]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in setting_values):
        return "number"
    texts = [value for value in setting_values if isinstance(value, str)]
    ranges = len(texts) == len(setting_values) and all(text == ALL_LAYERS or _RANGE.fullmatch(text) for text in texts)
    return "layers" if ranges and any("-" in text for text in texts) else "choice"


def layer_range(text: str, depth: float) -> tuple[int, int] | None:
    """First and last layer of "5-8", "3" or "all", from 1; None for "all" of a backbone whose depth is not known."""
    if text == ALL_LAYERS:
        return None if math.isnan(depth) else (1, int(depth))
    first, last = re.fullmatch(_RANGE, text).groups()  # type: ignore[union-attr]
    return int(first), int(last or first)


def shown_lines(frame: pd.DataFrame, references: Collection[str] = (), most: int = MOST_LINES) -> tuple[list[str], str]:
    """The lines of a suite that a figure of all methods shows, and a note on the others, or "".

    All of them up to `most`; otherwise each method keeps one: the line that others are compared with, if it is one of
    `references`, or that with the method's default settings, or that with the most cells, or the first by name; of
    several budgets the largest. Scores do not choose: the best of many lines is no fair picture of one.
    """
    cells = frame.drop_duplicates("id")
    labels = sorted(set(cells["label"]))
    if len(labels) <= most:
        return labels, ""
    kept, several = [], []
    for method, of_method in cells.groupby("method", sort=True):
        given = of_method.groupby("label")["given"].agg(lambda marks: min(map(len, marks)))
        count = of_method["label"].value_counts()
        by_budget = sorted(given.index, key=lambda label: natural(label.partition(" [")[2]), reverse=True)
        ranked = [
            (label not in references, given[label] > 0, -count[label], natural(label.partition(" [")[0]), place, label)
            for place, label in enumerate(by_budget)
        ]
        kept.append(str(min(ranked)[-1]))
        several += [f"{method} ({len(given)})"] if len(given) > 1 else []
    if not several:
        return kept, ""
    named = ", ".join(several)
    return kept, f"Of the lines of {named} one each is shown, the reference, default or fullest; the table has all."


def _varying(settings: Iterable[Mapping[str, Any]]) -> list[str]:
    values: dict[str, set[str]] = defaultdict(set)
    settings = list(settings)
    for of_point in settings:
        for name, value in of_point.items():
            values[name].add(_text(value))
    return sorted(name for name, known in values.items() if len(known) > 1)


def _sweeps(place: Sequence[SweepPoint], setting: str) -> list[Sweep]:
    """Variants equal but for the setting. Two that are equal in all of it (other data, say) start another line."""
    lines: dict[tuple[str, int], list[SweepPoint]] = defaultdict(list)
    for point in place:
        rest = _text({name: value for name, value in point.settings.items() if name != setting})
        number = 0
        while any(point.settings.get(setting) == variant.settings.get(setting) for variant in lines[rest, number]):
            number += 1
        lines[rest, number].append(point)
    return [
        Sweep(setting, tuple(sorted(line, key=lambda point: _order(point.settings.get(setting)))))
        for line in lines.values()
        if len(line) > 1
    ]


def _named(sweeps: list[Sweep]) -> list[Sweep]:
    """With what tells a method's lines apart within any one task and model, the same words in all of them."""
    places: dict[tuple[str, str, str], list[Sweep]] = defaultdict(list)
    for sweep in sweeps:
        places[sweep.first.task, sweep.first.model, sweep.first.method].append(sweep)
    telling: dict[str, set[str]] = defaultdict(set)
    for (_, _, method), lines in places.items():
        telling[method] |= set(_varying(_facets(sweep) for sweep in lines))
    named = []
    for sweep in sweeps:
        facets = _facets(sweep)
        differing = tuple((name, facets[name]) for name in sorted(telling[sweep.first.method]) if name in facets)
        named.append(Sweep(sweep.setting, sweep.points, differing))
    return named


def _facets(sweep: Sweep) -> dict[str, str]:
    settings = {name: value for name, value in sweep.first.settings.items() if name != sweep.setting}
    return {name: str(value) for name, value in settings.items()} | dict(sweep.first.conditions)


def _order(value: Any) -> tuple[float, str]:
    number = float(value) if isinstance(value, int | float) else math.inf
    return (number, str(value))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
