"""Draws panels of lines: score against model size or a setting's value, with intervals, baselines and named gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from bench.report.figures.curves import Curve, Panel
from bench.report.figures.layout import (
    GREY,
    Drawing,
    axes_inches,
    draw_baselines,
    draw_leader,
    foot,
    head,
    new_figure,
    scale_scores,
    spread,
)
from bench.report.figures.style import Style, assign_styles
from bench.report.read.names import natural
from bench.report.tables.numbers import count_text

MOST_COLUMNS = 3


def draw_lines(
    panels: Sequence[Panel], heading: str, notes: Sequence[str], size: tuple[float, float] | None = None
) -> Drawing:
    """A figure of the panels side by side, at most three in a row, under one legend; `notes` stand below.

    `size` in inches, without heading and notes; by default what the panels need.
    """
    columns = 2 if len(panels) == 4 else min(len(panels), MOST_COLUMNS)
    rows = -(-len(panels) // columns)
    wide, high = size or ((7.4, 4.4) if len(panels) == 1 else (4.3 * columns, 3.3 * rows))
    with new_figure(wide, high) as figure:
        grid = figure.subplots(rows, columns, squeeze=False)
        figure.subplots_adjust(0.08, 0.1, 0.9, 0.9, wspace=0.5, hspace=0.5)
        styles = assign_styles(curve for panel in panels for curve in panel.curves)
        axes = [grid[number // columns][number % columns] for number in range(rows * columns)]
        for panel, ax in zip(panels, axes, strict=False):
            _draw_panel(ax, panel, styles, titled=len(panels) > 1)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        if len(panels) == 1:
            axes[0].set_ylabel(panels[0].title)
        head(figure, _handles(panels, styles), heading, titled=len(panels) > 1)
        return Drawing(figure, foot(figure, notes))


def _draw_panel(ax: Axes, panel: Panel, styles: dict[str, Style], titled: bool) -> None:
    if titled:
        ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
    for curve in sorted(panel.curves, key=lambda curve: not curve.published):  # one's own on top
        _draw_curve(ax, curve, styles[curve.label])
    _scale(ax, panel)
    draw_baselines(ax, panel.baselines)
    if panel.x_label:
        name_values(ax, panel)
    else:
        _name_models(ax, panel, with_names=not titled)
    if not any(math.isfinite(point.score) for curve in panel.curves for point in curve.points):
        ax.text(0.5, 0.5, "no point has a score", transform=ax.transAxes, ha="center", va="center", color=GREY)
    elif panel.absent and titled:
        ax.set_title(f"{len(panel.absent)} of {panel.num_asked} points missing", loc="right", fontsize=7.5, color=GREY)


def _draw_curve(ax: Axes, curve: Curve, style: Style) -> None:
    """A line that breaks where a score is NaN, markers, and the interval as a band and as a bar at each point."""
    sizes = [point.x for point in curve.points]
    scores = [point.score for point in curve.points]
    if curve.published:
        ax.plot(sizes, scores, **style.line(curve.published))
        return
    low, high = [point.low for point in curve.points], [point.high for point in curve.points]
    known = [math.isfinite(value) for value in low]
    ax.fill_between(sizes, low, high, where=known, color=style.colour, alpha=0.14, lw=0)
    ax.vlines(sizes, low, high, color=style.colour, lw=1.0, alpha=0.7)
    ax.plot(sizes, scores, **style.line(curve.published))


def _scale(ax: Axes, panel: Panel) -> None:
    """An x with room at both sides, and a y that holds points, baselines and intervals, from 0 to 100."""
    points = [point for curve in panel.curves for point in curve.points]
    places = [point.x for point in points] or [1e6, 1e9]
    if panel.log:
        ax.set_xscale("log")
        room = max((max(places) / min(places)) ** 0.07, 1.25)
        ax.set_xlim(min(places) / room, max(places) * room)
    else:
        room = 0.07 * (max(places) - min(places)) or 1.0
        ax.set_xlim(min(places) - room, max(places) + room)
    shown = [value for point in points for value in (point.score, point.low, point.high) if math.isfinite(value)]
    scale_scores(ax, [*shown, *panel.baselines.values()])


def _name_models(ax: Axes, panel: Panel, with_names: bool) -> None:
    """Each model's name and size, or the size alone, under its tick; slanted and apart where they would overlap."""
    sizes = {(point.x, point.name) for curve in panel.curves for point in curve.points}
    if with_names:
        ticks = [(size, [name, count_text(size)]) for size, name in sorted(sizes)]
    else:
        ticks = [(size, [text]) for text, size in {count_text(size): size for size, _ in sorted(sizes)}.items()]
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks([size for size, _ in ticks], [""] * len(ticks))
    left, right = (math.log(value) for value in ax.get_xlim())
    wide, high = axes_inches(ax)
    places = [(math.log(size) - left) / (right - left) for size, _ in ticks]
    widths = [(max(map(len, words)) * 0.068 + 0.05) / wide for _, words in ticks]
    close = any(places[n + 1] - places[n] < (widths[n] + widths[n + 1]) / 2 for n in range(len(ticks) - 1))
    moved = spread(places, 0.19 / wide) if close else places
    for (_, words), place, at in zip(ticks, places, moved, strict=True):
        draw_leader(ax, (place, at), (-0.05 / high, -0.13 / high))
        if close:
            text, turn = (f"{words[0]} ({words[1]})" if with_names else words[0]), 35
        else:
            text, turn = "\n".join(words), 0
        ax.text(
            at, -0.15 / high, text, transform=ax.transAxes, fontsize=7.5, rotation=turn, rotation_mode="anchor",
            ha="right" if close else "center", va="center_baseline" if close else "top",
        )  # fmt: skip


def name_values(ax: Axes, panel: Panel) -> None:
    """A tick at each value with its name, those left out that would touch the one before; the label under them."""
    names = {point.x: point.name for curve in panel.curves for point in curve.points if not curve.published}
    left, right = (ax.transScale.transform((x, 0))[0] for x in ax.get_xlim())
    wide = axes_inches(ax)[0]
    ticks: list[float] = []
    free = -math.inf  # where the last name ends, in inches
    for x in sorted(names):
        place = (ax.transScale.transform((x, 0))[0] - left) / (right - left) * wide
        half = 0.034 * len(names[x]) + 0.03
        if place - half >= free:
            ticks.append(x)
            free = place + half
    ax.set_xticks(sorted(names), [names[x] if x in ticks else "" for x in sorted(names)], fontsize=7.5)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(panel.x_label, fontsize=8.5)


def _handles(panels: Sequence[Panel], styles: dict[str, Style]) -> list[Line2D]:
    curves = {curve.label: curve for panel in panels for curve in panel.curves}
    ordered = sorted(curves.values(), key=lambda curve: (curve.published, natural(curve.label)))
    return [
        Line2D([], [], **styles[curve.label].line(curve.published) | {"mew": 1.0}, label=curve.label)
        for curve in ordered
    ]
