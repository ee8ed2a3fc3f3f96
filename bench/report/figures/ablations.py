"""The ablation figures of a suite, as numbers: what each swept setting does, per task and model.

A number is drawn as a line of scores against its values, a range of layers as two lines against the number of layers
(Liu et al. 2022, figure 3: from the first one up and from the last one down), a choice as points beside one another.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import pandas as pd

from bench.report.figures.curves import Curve, Panel, Point
from bench.report.read import published as papers
from bench.report.read.sweeps import MOST_LINES, Sweep, Variant, find, kind, layer_range
from bench.report.tables.numbers import model_texts, natural

MOST_PANELS = 12
MOST_ROWS = 30  # of points beside one another
LOG_FROM = 3.0  # largest by smallest value from which on a logarithmic axis is clearer
UP, DOWN = "from the first layer up", "from the last layer down"
HEAD = "head"  # the one choice that every method has; drawn even where it names lines of another figure


@dataclass(frozen=True)
class PairRow:
    """What a choice's values score, all else equal; `published` are the paper's scores of the same."""

    name: str
    scores: Mapping[str, Point]
    trivial: float
    published: Mapping[str, float]


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
    variants: tuple[Variant, ...]  # all that is drawn
    published: bool  # whether some of the paper's numbers are


def ablations(variants: Sequence[Variant], tasks: Sequence[str], overlay: pd.DataFrame | None) -> list[Ablation]:
    """One per swept setting, by name; `tasks` come first, `overlay` are published numbers or None.

    A choice that tells apart the lines of another setting's figure gets none of its own, unless it is the head.
    """
    sweeps = find(variants)
    drawn_as_lines: set[str] = set()
    found, choices = [], []
    for setting, lines in sweeps.items():
        if kind(lines) == "choice":
            choices.append(setting)
            continue
        drawn_as_lines |= {name for line in lines for name, _ in line.others}
        found.append(along_lines(setting, ordered(lines, tasks), overlay))
    for setting in choices:
        if setting == HEAD or setting not in drawn_as_lines:
            found.append(_pairs(setting, ordered(sweeps[setting], tasks), overlay))
    return sorted((one for one in found if one.panels or one.pairs), key=lambda ablation: ablation.setting)


def ordered(lines: Iterable[Sweep], tasks: Sequence[str]) -> list[Sweep]:
    """By task, the named ones first, then by the model's size, method and name of the line."""
    place = {task: number for number, task in enumerate(tasks)}

    def key(line: Sweep) -> tuple[int, str, bool, float, str, str]:
        one, size = line.first, line.first.backbone_parameters
        unknown = math.isnan(size)
        return (
            place.get(one.task, len(place)),
            one.task,
            unknown,
            0 if unknown else size,
            one.model,
            natural(line.name),
        )

    return sorted(lines, key=key)


def along_lines(setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None) -> Ablation:
    """The figure of a setting whose values are numbers or ranges of layers: a panel per task and model."""
    by_place: dict[tuple[str, str], list[Sweep]] = defaultdict(list)
    for line in lines:
        by_place[line.first.task, line.first.model].append(line)
    notes = []
    if len(by_place) > MOST_PANELS:
        hidden = f"{len(by_place) - MOST_PANELS} of {len(by_place)}"
        notes.append(f"{hidden} pairs of task and model are in the table alone.")
    models = model_texts(model for _, model in by_place)
    panels, drawn = [], []
    for (task, model), own in list(by_place.items())[:MOST_PANELS]:
        kept = sorted(
            sorted(own, key=lambda line: -len(line.variants))[:MOST_LINES], key=lambda line: natural(line.name)
        )
        if len(own) > len(kept):
            notes.append(f"{task}: {len(own) - len(kept)} of {len(own)} lines are in the table alone.")
        title = f"{task} {kept[0].first.metric}".strip() + (f" · {models[model]}" if len(models) > 1 else "")
        panel, more = (_depth_panel if kind(lines) == "layers" else _value_panel)(title, setting, kept, overlay)
        panels += [panel] if panel.curves else []  # ranges of which no two touch the same end make no line
        notes += [note for note in more if note not in notes]
        drawn += [variant for line in kept for variant in line.variants]
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
        values = [variant.settings[setting] for variant in line.variants]
        points = [
            _point(variant, float(value), f"{value:g}") for variant, value in zip(line.variants, values, strict=True)
        ]
        curves.append(Curve(line.name, line.name, tuple(points)))
        for name, said in papers.ablation(overlay, line).items():
            points = [_published_point(float(value), score) for value, score in said.items()]
            curves.append(_published(name, _nearest(name, line, lines), points))
    places = [point.x for curve in curves for point in curve.points]
    log = min(places) > 0 and max(places) / min(places) >= LOG_FROM
    label = setting.replace("_", " ") + (" (log)" if log else "")
    return _panel(title, lines, curves, label, log), []


def _depth_panel(
    title: str, setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None
) -> tuple[Panel, list[str]]:
    """Score against the number of layers, two curves per sweep; ranges that touch neither end are named in a note."""
    curves: list[Curve] = []
    aside: set[str] = set()
    for line in lines:
        depth = _depth(line)
        ranges: dict[tuple[int, int], Variant] = {}
        for variant in line.variants:
            bounds = layer_range(str(variant.settings[setting]), variant.backbone_layers)
            if bounds is not None:
                ranges.setdefault(bounds, variant)  # "all" beside "1-24": the same twice
        shown: list[Variant] = []
        for way in (UP, DOWN):
            touching = {bounds: variant for bounds, variant in sorted(ranges.items()) if way in _ways(bounds, depth)}
            if len(touching) > 1:
                points = [_point(variant, *_count(bounds)) for bounds, variant in touching.items()]
                label = f"{line.name}, {way}"
                curves.append(Curve(label, label, tuple(sorted(points, key=lambda point: point.x))))
                curves += _published_depth(line, lines, way, overlay)
                shown += touching.values()
        aside |= {str(variant.settings[setting]) for variant in line.variants if variant not in shown}
    notes = [f"Not on a line, in the table alone: {', '.join(sorted(aside, key=natural))}."] if aside else []
    return _panel(title, lines, curves, "number of layers", False), notes


def _published_depth(line: Sweep, lines: Sequence[Sweep], way: str, overlay: pd.DataFrame | None) -> list[Curve]:
    curves, depth = [], _depth(line)
    for name, said in papers.ablation(overlay, line).items():
        ranges = {text: layer_range(text, depth) for text in said}
        touching = {text: bounds for text, bounds in ranges.items() if way in _ways(bounds, depth)}
        points = [_published_point(_count(bounds)[0], said[text]) for text, bounds in touching.items() if bounds]
        curves.append(_published(f"{name}, {way}", f"{_nearest(name, line, lines)}, {way}", points))
    return curves


def _depth(line: Sweep) -> float:
    """Layers of the backbone; where no record says it, the last layer that the sweep names."""
    if not math.isnan(line.first.backbone_layers):
        return line.first.backbone_layers
    ranges = [layer_range(str(variant.settings[line.setting]), math.nan) for variant in line.variants]
    return float(max((bounds[1] for bounds in ranges if bounds), default=math.nan))


def _ways(bounds: tuple[int, int] | None, depth: float) -> list[str]:
    if bounds is None:
        return []
    return [way for way, touches in ((UP, bounds[0] == 1), (DOWN, bounds[1] == depth)) if touches]


def _count(bounds: tuple[int, int]) -> tuple[float, str]:
    count = bounds[1] - bounds[0] + 1
    return float(count), str(count)


def _point(variant: Variant, x: float, name: str) -> Point:
    return Point(name, x, variant.score, variant.low, variant.high)


def _published_point(x: float, score: float) -> Point:
    return Point(f"{x:g}", x, score)


def _nearest(name: str, line: Sweep, lines: Sequence[Sweep]) -> str:
    """The measured line that a published one of this name looks like: its namesake, or its method's only one."""
    own = [other.name for other in lines if other.first.method == line.first.method]
    return line.name if len(own) == 1 else name


def _published(label: str, looks_like: str, points: Iterable[Point]) -> Curve:
    return Curve(f"{label} (published)", looks_like, tuple(sorted(points, key=lambda point: point.x)), published=True)


def _panel(title: str, lines: Sequence[Sweep], curves: Sequence[Curve], x_label: str, log: bool) -> Panel:
    measured = [(curve.label, point) for curve in curves if not curve.published for point in curve.points]
    absent = tuple(f"{label} at {point.name}" for label, point in measured if math.isnan(point.score))
    once = {curve.label: curve for curve in curves if curve.points}  # several lines may have the same published one
    return Panel(title, tuple(once.values()), _baselines(lines), absent, len(measured), x_label, log)


def _baselines(lines: Sequence[Sweep]) -> dict[str, float]:
    known = [variant.trivial for line in lines for variant in line.variants if not math.isnan(variant.trivial)]
    return {"": fmean(known)} if known else {}


def _pairs(setting: str, lines: Sequence[Sweep], overlay: pd.DataFrame | None) -> Ablation:
    """Points of each value beside one another: a row per task and line, a panel per model."""
    models = model_texts(line.first.model for line in lines)
    by_model: dict[str, list[Sweep]] = defaultdict(list)
    for line in lines:
        by_model[line.first.model].append(line)
    panels, notes, drawn, with_papers = [], [], [], False
    for model, own in list(by_model.items())[:MOST_PANELS]:
        if len(own) > MOST_ROWS:
            notes.append(f"{models[model]}: {len(own) - MOST_ROWS} of {len(own)} rows are in the table alone.")
        rows = []
        for line in own[:MOST_ROWS]:
            scores = {
                str(variant.settings.get(setting)): _point(variant, math.nan, str(variant.settings.get(setting)))
                for variant in line.variants
            }
            said = {
                value: score
                for found in papers.ablation(overlay, line).values()
                for value, score in found.items()
                if value in scores
            }
            name = f"{line.first.task} {line.first.metric}".strip() + f" · {line.name}"
            rows.append(PairRow(name, scores, _baselines([line]).get("", math.nan), said))
            drawn += list(line.variants)
            with_papers |= bool(said)
        panels.append(PairPanel(models[model] if len(by_model) > 1 else "", tuple(rows)))
    if len(by_model) > MOST_PANELS:
        notes.append(f"{len(by_model) - MOST_PANELS} of {len(by_model)} models are in the table alone.")
    heading = _heading(setting, models.values()).replace("score against", "score by")
    return Ablation(setting, heading, (), tuple(panels), tuple(notes), tuple(drawn), with_papers)
