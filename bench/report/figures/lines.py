"""Draws panels of lines: score against model size or a setting's value, with intervals, the trivial score and gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation, Transform

from bench.report.figures.axes import NAMED, draw_trivial, label_ticks, mark_models, scale_across, scale_scores
from bench.report.figures.curves import Curve, Panel
from bench.report.figures.layout import Plot
from bench.report.figures.legend import Key
from bench.report.figures.style import GREY, Style
from bench.report.read.names import natural

ALONE, BESIDE = (4.8, 3.3), (3.3, 2.75)  # inches of a figure's only plot, and of one among others
FEW_LINES = 2  # up to so many have a band each
APART, MOST_APART = 3.0, 14.0  # points between lines, so that their bars stand beside one another, and of all together
Looks = Mapping[tuple[str, str], Style]  # by label and family


def line_plots(panels: Sequence[Panel], looks: Looks) -> list[Plot]:
    """A plot per panel; the only one of a figure says on its axis what its title would."""
    if len(panels) == 1:
        return [Plot(partial(_paint, panels[0], looks, panels[0].title), ALONE)]
    return [Plot(partial(_paint, panel, looks, "score"), BESIDE, panel.title, _missing(panel)) for panel in panels]


def line_keys(panels: Sequence[Panel], looks: Looks) -> list[Key]:
    """The legend: measured lines before published ones, those of a single panel as they lie at its right, else by name.

    Where there are several families, a line's colour and marker stand for its method, and the dashes have their own.
    """
    curves = {curve.label: curve for panel in reversed(panels) for curve in panel.curves}
    families = sorted({curve.family for panel in panels for curve in panel.curves if not curve.published})

    def place(curve: Curve) -> tuple[bool, float, str]:
        end = _end(curve) if len(panels) == 1 and len(families) < 2 else 0.0
        return curve.published, -end, natural(curve.label)

    ordered = sorted(curves.values(), key=place)
    keys = [Key(curve.label, looks[curve.label, curve.family], published=curve.published) for curve in ordered]
    if len(families) < 2:
        return keys
    dash_of = {family: looks[label, family].dash for label, family in looks}
    plain = [
        Key(key.text, Style(key.style.base, key.style.marker, key.style.shade), "point", key.published) for key in keys
    ]
    return plain + [Key(family, Style(GREY, "", dash=dash_of[family]), "stroke") for family in families]


def _end(curve: Curve) -> float:
    """The last score of a line, minus infinity where there is none."""
    known = [point for point in curve.points if math.isfinite(point.score)]
    last = max((point.x for point in known), default=0.0)
    return fmean(point.score for point in known if point.x == last) if known else -math.inf


def _missing(panel: Panel) -> str:
    return f"{len(panel.absent)} of {panel.num_asked} points missing" if panel.absent else ""


def _paint(panel: Panel, looks: Looks, y_label: str, ax: Axes) -> None:
    points = [point for curve in panel.curves for point in curve.points]
    scale_across(ax, [point.x for point in points] or [1e6, 1e9], panel.log)
    shown = [value for point in points for value in (point.score, point.low, point.high)]
    scale_scores(ax, [*shown, panel.trivial], y_label)
    measured = [curve for curve in panel.curves if not curve.published]
    for curve in panel.curves:
        if curve.published:
            ax.plot(*_places(curve), **looks[curve.label, curve.family].line(published=True))
    barred = any(math.isfinite(point.low) for curve in measured for point in curve.points)
    step = min(APART, MOST_APART / max(1, len(measured) - 1)) if barred and len(measured) > FEW_LINES else 0.0
    for number, curve in enumerate(measured):  # one's own on top
        aside = ScaledTranslation(step * (number - (len(measured) - 1) / 2) / 72, 0, ax.figure.dpi_scale_trans)
        _draw_curve(ax, curve, looks[curve.label, curve.family], len(measured) <= FEW_LINES, ax.transData + aside)
    draw_trivial(ax, panel.trivial)
    if panel.x_label:
        label_ticks(ax, {point.x: point.name for curve in measured or panel.curves for point in curve.points})
        ax.set_xlabel(panel.x_label, fontsize=NAMED)
    else:
        mark_models(ax, panel)
    if not any(math.isfinite(point.score) for point in points):
        ax.text(0.5, 0.5, "no point has a score", transform=ax.transAxes, ha="center", va="center", color=GREY)


def _draw_curve(ax: Axes, curve: Curve, style: Style, banded: bool, place: Transform) -> None:
    """A line that breaks where a score is NaN, with markers, intervals as bars and, of few lines, a band."""
    low, high = [point.low for point in curve.points], [point.high for point in curve.points]
    places, scores = _places(curve)
    if banded:
        known = [math.isfinite(value) for value in low]
        ax.fill_between(places, low, high, where=known, color=style.colour, alpha=0.14, lw=0)
    if any(math.isfinite(value) for value in low):
        ax.vlines(places, low, high, color=style.colour, lw=1.0, alpha=0.75, transform=place)
    ax.plot(places, scores, transform=place, **style.line())


def _places(curve: Curve) -> tuple[list[float], list[float]]:
    return [point.x for point in curve.points], [point.score for point in curve.points]
