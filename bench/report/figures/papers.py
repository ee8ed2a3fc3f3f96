"""What papers found of a setting that was swept here: curves for the panels of their model, and panels of their own for
those that were not measured here, to stand beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from bench.report.figures.curves import Curve, Panel, Point
from bench.report.read.names import natural, panel_title
from bench.report.read.published import ablation, counterpart, found_elsewhere, published_label
from bench.report.read.sweeps import Sweep, layer_range

UP, DOWN = "from the first layer up", "from the last layer down"
Scores = dict[str, float]  # by value of the setting


def ways(bounds: tuple[int, int] | None, depth: float) -> list[str]:
    """From which end of a model of that many layers a range goes, if from any; all of them go from both."""
    if bounds is None:
        return []
    return [way for way, touches in ((UP, bounds[0] == 1), (DOWN, bounds[1] == depth)) if touches]


def num_layers(bounds: tuple[int, int]) -> int:
    return bounds[1] - bounds[0] + 1


def value_curves(line: Sweep, lines: Sequence[Sweep], published: pd.DataFrame | None) -> list[Curve]:
    """The papers' lines of the same task, metric, model and method along the values of a number."""
    return [
        _curve(line.first.method, name, paper, _looks_like(name, line, lines), _at_values(scores))
        for name, paper, scores in of_line(line, published)
    ]


def depth_curves(
    line: Sweep, lines: Sequence[Sweep], depth: float, way: str, published: pd.DataFrame | None
) -> list[Curve]:
    """The papers' lines of the same task, metric, model and method along ranges of layers that go this way."""
    return [
        _curve(
            line.first.method, f"{name}, {way}", paper, f"{_looks_like(name, line, lines)}, {way}",
            _at_depths(scores, depth, way),
        )
        for name, paper, scores in of_line(line, published)
    ]  # fmt: skip


def panels_beside(
    setting: str, lines: Sequence[Sweep], published: pd.DataFrame, of_layers: bool, x_label: str, log: bool
) -> list[Panel]:
    """A panel for each task and model on which a paper has what was swept here, and nobody here that model or task;
    tasks that were measured come first.
    """
    measured = {line.first.task for line in lines}
    panels = []
    found = found_elsewhere(published, setting, lines)
    several = len({place.paper for place in found}) > 1
    for place, by_line in sorted(found.items(), key=lambda each: (each[0].task not in measured, each[0])):
        curves = []
        for (method, name), scores in sorted(by_line.items(), key=lambda each: natural(each[0][1])):
            of_method = [line for line in lines if line.first.method == method]
            like, paper = _looks_like(name, of_method[0], of_method), place.paper if several else ""
            if not of_layers:
                curves.append(_curve(method, name, paper, like, _at_values(scores)))
                continue
            depth = max((bounds[1] for bounds in (layer_range(text, math.nan) for text in scores) if bounds), default=0)
            curves += [
                _curve(method, f"{name}, {way}", paper, f"{like}, {way}", _at_depths(scores, depth, way))
                for way in (UP, DOWN)
            ]
        curves = [curve for curve in curves if len(curve.points) > 1]
        title = panel_title(place.task, place.metric, place.model)
        can_be_log = all(point.x > 0 for curve in curves for point in curve.points)
        panels += [Panel(title, tuple(curves), math.nan, (), 0, x_label, log and can_be_log)] if curves else []
    return panels


def of_line(line: Sweep, published: pd.DataFrame | None) -> list[tuple[str, str, Scores]]:
    """Name, paper ("" where there is one alone) and scores by value of the published lines beside a measured one."""
    scores_of = ablation(published, line)
    several = len({paper for _, paper in scores_of}) > 1
    return [(name, paper if several else "", scores) for (name, paper), scores in scores_of.items()]


def _looks_like(name: str, line: Sweep, lines: Sequence[Sweep]) -> str:
    """The measured line that a published one of this name looks like, or its own name where there is none."""
    return counterpart(name, [sweep.name for sweep in lines if sweep.first.method == line.first.method]) or name


def _at_values(scores: Scores) -> list[Point]:
    return [_point(float(value), score) for value, score in scores.items()]


def _at_depths(scores: Scores, depth: float, way: str) -> list[Point]:
    ranges = {text: layer_range(text, depth) for text in scores}
    return [
        _point(num_layers(bounds), scores[text])
        for text, bounds in ranges.items()
        if bounds is not None and way in ways(bounds, depth)
    ]


def _point(x: float, score: float) -> Point:
    return Point(f"{x:g}", float(x), score)


def _curve(method: str, name: str, paper: str, looks_like: str, points: Iterable[Point]) -> Curve:
    by_x = tuple(sorted(points, key=lambda point: point.x))
    return Curve(published_label(name, paper), method, by_x, True, looks_like=looks_like)
