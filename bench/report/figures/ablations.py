"""The ablation figures of a suite, as numbers: what each swept setting does, per task and model.

A number is drawn as a line of scores against its values, a range of layers as two lines against the number of layers
(Liu et al. 2022, figure 3: from the first one up and from the last one down), a choice as points beside one another.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from bench.report.figures.curves import Curve, Panel, Point
from bench.report.figures.papers import DOWN, UP, depth_curves, num_layers, of_line, panels_beside, value_curves, ways
from bench.report.read.names import model_names, natural, panel_title
from bench.report.read.published import FoundElsewhere, found_elsewhere
from bench.report.read.sweeps import MOST_LINES, Sweep, SweepPoint, find_sweeps, layer_range, value_type

MOST_PANELS = 12
MOST_ROWS = 30  # of points beside one another
LOG_FROM = 3.0  # largest by smallest value from which on a logarithmic axis is clearer
HEAD = "head"  # the one choice that every method has; drawn even where it names lines of another figure


@dataclass(frozen=True)
class PairRow:
    """What a choice's values score, all else equal; `published` are the papers' scores of the same, by value."""

    name: str
    scores: Mapping[str, Point]
    trivial: float
    published: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class PairPanel:
    """One model's rows, in the order they are drawn from the top."""

    title: str
    rows: tuple[PairRow, ...]


@dataclass(frozen=True)
class Ablation:
    """What the figure of one setting shows: `panels` of lines or `pairs` of points, and notes on what it leaves out."""

    setting: str
    heading: str
    panels: tuple[Panel, ...]
    pairs: tuple[PairPanel, ...]
    notes: tuple[str, ...]
    points: tuple[SweepPoint, ...]  # all that is drawn
    published: bool  # whether some of the papers' numbers are


def ablations(
    points: Sequence[SweepPoint],
    tasks: Sequence[str],
    overlay: pd.DataFrame | None,
    beside: pd.DataFrame | None = None,
) -> list[Ablation]:
    """One per swept setting, by name; `tasks` come first, `overlay` are published numbers or None. Of those `beside`
    what was found with other models or on other tasks has panels of its own.

    A choice that tells apart the lines of another setting's figure gets none of its own, unless it is the head.
    """
    sweeps = find_sweeps(points)
    drawn_as_lines: set[str] = set()
    figures, choices = [], []
    for setting, lines in sweeps.items():
        if value_type(lines) == "choice":
            choices.append(setting)
            continue
        drawn_as_lines |= {name for line in lines for name, _ in line.differing}
        figures.append(along_lines(setting, ordered(lines, tasks), overlay, beside))
    for setting in choices:
        if setting == HEAD or setting not in drawn_as_lines:
            figures.append(_pairs(setting, ordered(sweeps[setting], tasks), overlay, beside))
    drawn = [figure for figure in figures if figure.panels or figure.pairs]
    return sorted(drawn, key=lambda figure: figure.setting)


def ordered(lines: Iterable[Sweep], tasks: Sequence[str]) -> list[Sweep]:
    """By task, the named ones first, then by the model's size, method and name of the line."""
    place = {task: number for number, task in enumerate(tasks)}

    def key(line: Sweep) -> tuple[int, str, bool, float, str, str]:
        first, size = line.first, line.first.backbone_parameters
        unknown = math.isnan(size)
        return (
            place.get(first.task, len(place)),
            first.task,
            unknown,
            0 if unknown else size,
            first.model,
            natural(line.name),
        )

    return sorted(lines, key=key)


def along_lines(
    setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None, beside: pd.DataFrame | None = None
) -> Ablation:
    """The figure of a setting whose values are numbers or ranges of layers: a panel per task and model."""
    by_place: dict[tuple[str, str], list[Sweep]] = defaultdict(list)
    for line in lines:
        by_place[line.first.task, line.first.model].append(line)
    notes = []
    if len(by_place) > MOST_PANELS:
        hidden = f"{len(by_place) - MOST_PANELS} of {len(by_place)}"
        notes.append(f"{hidden} pairs of task and model are in the table alone.")
    models = model_names(model for _, model in by_place)
    panels, drawn = [], []
    for (task, model), of_place in list(by_place.items())[:MOST_PANELS]:
        fullest = sorted(of_place, key=lambda line: -len(line.points))[:MOST_LINES]
        kept = sorted(fullest, key=lambda line: natural(line.name))
        if len(of_place) > len(kept):
            notes.append(f"{task}: {len(of_place) - len(kept)} of {len(of_place)} lines are in the table alone.")
        title = panel_title(task, kept[0].first.metric, models[model] if len(models) > 1 else "")
        draw = _depth_panel if value_type(lines) == "layers" else _value_panel
        panel, remarks = draw(title, setting, kept, overlay)
        panels += [panel] if panel.curves else []  # ranges of which no two touch the same end make no line
        notes += [note for note in remarks if note not in notes]
        drawn += [point for line in kept for point in line.points]
    if beside is not None and panels:
        of_layers, (first, *_) = value_type(lines) == "layers", panels
        panels += panels_beside(setting, lines, beside, of_layers, first.x_label, first.log)
        panels = panels[:MOST_PANELS]
    return Ablation(
        setting, _heading(setting, models.values()), tuple(panels), (), tuple(notes), tuple(drawn),
        any(curve.published for panel in panels for curve in panel.curves),
    )  # fmt: skip


def _heading(setting: str, models: Iterable[str]) -> str:
    names = list(models)
    return f"score against {setting.replace('_', ' ')}" + (f", {names[0]}" if len(names) == 1 else "")


def _value_panel(
    title: str, setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None
) -> tuple[Panel, list[str]]:
    """Score against a number, one curve per sweep."""
    curves: list[Curve] = []
    for line in lines:
        values = [point.settings[setting] for point in line.points]
        points = [_at(point, float(value), f"{value:g}") for point, value in zip(line.points, values, strict=True)]
        curves.append(Curve(line.name, line.first.method, tuple(points)))
        curves += value_curves(line, lines, overlay)
    places = [point.x for curve in curves for point in curve.points]
    log = min(places) > 0 and max(places) / min(places) >= LOG_FROM
    label = setting.replace("_", " ") + (" (log scale)" if log else "")
    return _panel(title, lines, curves, label, log), []


def _depth_panel(
    title: str, setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None
) -> tuple[Panel, list[str]]:
    """Score against the number of layers, two curves per sweep; ranges that touch neither end are named in a note."""
    curves: list[Curve] = []
    aside: set[str] = set()
    for line in lines:
        depth = _depth(line)
        ranges: dict[tuple[int, int], SweepPoint] = {}
        for point in line.points:
            bounds = layer_range(str(point.settings[setting]), point.backbone_layers)
            if bounds is not None:
                ranges.setdefault(bounds, point)  # "all" beside "1-24": the same twice
        shown: list[SweepPoint] = []
        for way in (UP, DOWN):
            touching = {bounds: point for bounds, point in sorted(ranges.items()) if way in ways(bounds, depth)}
            if len(touching) > 1:
                counts = [(num_layers(bounds), point) for bounds, point in touching.items()]
                points = [_at(point, float(count), str(count)) for count, point in counts]
                label = f"{line.name}, {way}"
                by_x = tuple(sorted(points, key=lambda point: point.x))
                curves.append(Curve(label, line.first.method, by_x))
                curves += depth_curves(line, lines, depth, way, overlay)
                shown += touching.values()
        aside |= {str(point.settings[setting]) for point in line.points if point not in shown}
    notes = [f"Not on a line, in the table alone: {', '.join(sorted(aside, key=natural))}."] if aside else []
    return _panel(title, lines, curves, "number of layers", False), notes


def _depth(line: Sweep) -> float:
    """Layers of the backbone; where no record says it, the last layer that the sweep names."""
    if not math.isnan(line.first.backbone_layers):
        return line.first.backbone_layers
    ranges = [layer_range(str(point.settings[line.setting]), math.nan) for point in line.points]
    return float(max((bounds[1] for bounds in ranges if bounds), default=math.nan))


def _at(point: SweepPoint, x: float, name: str) -> Point:
    return Point(name, x, point.score, point.low, point.high)


def _panel(title: str, lines: Sequence[Sweep], curves: Sequence[Curve], x_label: str, log: bool) -> Panel:
    measured = [(curve.label, point) for curve in curves if not curve.published for point in curve.points]
    absent = tuple(f"{label} at {point.name}" for label, point in measured if math.isnan(point.score))
    once = {curve.label: curve for curve in curves if curve.points}  # several lines may have the same published one
    return Panel(title, tuple(once.values()), _trivial(lines), absent, len(measured), x_label, log)


def _trivial(lines: Sequence[Sweep]) -> float:
    known = [point.trivial for line in lines for point in line.points if not math.isnan(point.trivial)]
    return fmean(known) if known else math.nan


def _pairs(setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None, beside: pd.DataFrame | None) -> Ablation:
    """Points of each value beside one another: a row per task and line, a panel per model."""
    models = model_names(line.first.model for line in lines)
    by_model: dict[str, list[Sweep]] = defaultdict(list)
    for line in lines:
        by_model[line.first.model].append(line)
    panels, notes, drawn, with_papers = [], [], [], False
    for model, of_model in list(by_model.items())[:MOST_PANELS]:
        if len(of_model) > MOST_ROWS:
            notes.append(
                f"{models[model]}: {len(of_model) - MOST_ROWS} of {len(of_model)} rows are in the table alone."
            )
        rows = []
        for line in of_model[:MOST_ROWS]:
            scores = {
                str(point.settings.get(setting)): _at(point, math.nan, str(point.settings.get(setting)))
                for point in line.points
            }
            published = tuple(
                (value, score)
                for _, _, of_paper in of_line(line, overlay)
                for value, score in of_paper.items()
                if value in scores
            )
            name = f"{line.first.task} {line.first.metric}".strip() + f" · {line.name}"
            rows.append(PairRow(name, scores, _trivial([line]), published))
            drawn += list(line.points)
            with_papers |= bool(published)
        panels.append(PairPanel(models[model] if len(by_model) > 1 else "", tuple(rows)))
    if len(by_model) > MOST_PANELS:
        notes.append(f"{len(by_model) - MOST_PANELS} of {len(by_model)} models are in the table alone.")
    if beside is not None:
        values = {value for panel in panels for row in panel.rows for value in row.scores}
        further = _pairs_beside(found_elsewhere(beside, setting, lines), values)
        panels, with_papers = [*panels, *further][:MOST_PANELS], with_papers or bool(further)
    heading = _heading(setting, models.values()).replace("score against", "score by")
    return Ablation(setting, heading, (), tuple(panels), tuple(notes), tuple(drawn), with_papers)


def _pairs_beside(found: FoundElsewhere, values: Collection[str]) -> list[PairPanel]:
    """A panel for each model of a paper, with a row for each task and line that has several of these values."""
    rows: dict[str, list[PairRow]] = defaultdict(list)
    for place, by_line in sorted(found.items()):
        for (_, name), scores in sorted(by_line.items()):
            known = tuple((value, scores[value]) for value in sorted(scores) if value in values)
            if len(known) > 1:
                task = f"{place.task} {place.metric}".strip()
                rows[place.model].append(PairRow(f"{task} · {name}", {}, math.nan, known))
    return [PairPanel(f"{model} (published)", tuple(of_model)) for model, of_model in sorted(rows.items())]
