"""What a scale figure shows, as numbers: curves, bands, baselines and the count of points that are not there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.report.read.names import model_names
from bench.report.read.published import means, published_label

FEW_TASKS = 3  # so many can be named beside an axis


@dataclass(frozen=True)
class Point:
    """A score at a place on the x axis: a model at its size, a setting's value; `name` is what stands under it.

    NaN score: a gap; NaN low and high: no interval.
    """

    name: str
    x: float
    score: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Curve:
    """One line of a panel, its points by x. `label` names it in the legend, its `method` alone says how it looks.

    `family` is that of its models where a figure has several. Of a published line `looks_like` names the measured one
    that it belongs to, if it is not the method's own.
    """

    label: str
    method: str
    points: tuple[Point, ...]
    published: bool = False
    family: str = ""
    looks_like: str = ""


@dataclass(frozen=True)
class Panel:
    """One set of axes. `trivial` is the trivial score, NaN where it is not known, `absent` the points that have no
    score, in words. Without an `x_label` x is the size of models.
    """

    title: str
    curves: tuple[Curve, ...]
    trivial: float
    absent: tuple[str, ...]
    num_asked: int
    x_label: str = ""
    log: bool = True


def average_panel(
    summary: pd.DataFrame,
    averages: pd.DataFrame,
    averaged: Sequence[str],
    overlay: pd.DataFrame | None,
    families: Mapping[str, str] | None = None,
) -> Panel:
    """The suite's average against model size, with the mean of the trivial scores.

    `summary` and `averages` hold one suite, `averaged` are the tasks of its average; `overlay` are published numbers or
    None. Models of several `families` (by model) have a line each.
    """
    main = _main_metrics(summary)
    tasks = [task for task in averaged if task in main]
    few = len(averaged) <= FEW_TASKS
    trivial = float(averages["trivial"].mean()) if len(averages) else math.nan
    title = f"mean of {', '.join(averaged) if few else f'{len(averaged)} tasks'}"
    if len(averaged) == 1:
        title = _with_metric(averaged[0], main)
    wanted = {task: main[task] for task in tasks} if len(tasks) == len(averaged) else {}
    return _panel(title, averages, trivial, _published_means(overlay, wanted), families or {})


def task_panels(
    summary: pd.DataFrame,
    averaged: Sequence[str],
    overlay: pd.DataFrame | None,
    families: Mapping[str, str] | None = None,
) -> list[Panel]:
    """One panel per task with its main metric: the averaged tasks first, then the others by name."""
    main = _main_metrics(summary)
    panels = []
    for task in averaged_first(main, averaged):
        rows = summary[(summary["task"] == task) & summary["main"].astype(bool)]
        papers_say = _published_means(overlay, {task: main[task]})
        panels.append(_panel(_with_metric(task, main), rows, float(rows["trivial"].mean()), papers_say, families or {}))
    return panels


def averaged_first(tasks: Iterable[str], averaged: Sequence[str]) -> list[str]:
    """Those of the average in its order, then the others by name."""
    known = set(tasks)
    return [task for task in averaged if task in known] + sorted(known - set(averaged))


def _main_metrics(summary: pd.DataFrame) -> dict[str, str]:
    """Per task its main metric; "" for a task of which nothing is measured."""
    rows = summary[summary["main"].astype(bool)]
    return dict(zip(rows["task"], rows["metric"], strict=True))


def _with_metric(task: str, main: Mapping[str, str]) -> str:
    return f"{task} {main.get(task, '')}".strip()


def _panel(title: str, rows: pd.DataFrame, trivial: float, overlay: list[Curve], families: Mapping[str, str]) -> Panel:
    names = model_names(rows["model"])
    lines: dict[tuple[str, str], list[Point]] = {}
    methods: dict[str, str] = {}
    absent = []
    for row in rows.to_dict("records"):
        size, score = float(row["backbone_parameters"]), float(row["mean"])
        methods[row["label"]] = row["method"]
        points = lines.setdefault((row["label"], families.get(row["model"], "")), [])
        if math.isnan(score) or math.isnan(size):
            absent.append(f"{names[row['model']]} · {row['label']}")
        if not math.isnan(size):
            points.append(Point(names[row["model"]], size, score, float(row["low"]), float(row["high"])))
    curves = [
        Curve(label, methods[label], _by_size(points), family=family)
        for (label, family), points in sorted(lines.items())
    ]
    return Panel(title, (*curves, *overlay), trivial, tuple(absent), len(rows))


def _by_size(points: list[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda point: (point.x, point.name)))


def _published_means(overlay: pd.DataFrame | None, metrics: Mapping[str, str]) -> list[Curve]:
    if overlay is None or not metrics:
        return []
    curves = []
    several = overlay["paper"].nunique() > 1
    for (method, paper), rows in means(overlay, metrics).groupby(["method", "paper"], sort=True):
        points = [
            Point(str(row["model"]), float(row["parameters"]), float(row["score"])) for row in rows.to_dict("records")
        ]
        label = published_label(str(method), str(paper) if several else "")
        curves.append(Curve(label, str(method), _by_size(points), published=True))
    return curves
