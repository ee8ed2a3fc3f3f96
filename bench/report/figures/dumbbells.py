"""Paired points: what each value of a choice scores, a row per task and method, joined where all else is equal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.report.figures.ablations import PairPanel, PairRow
from bench.report.figures.layout import GREY, Drawing, foot, head, new_figure
from bench.report.figures.style import FILLED, OPEN, Style, palette

ROW = 0.36  # inches
APART = 0.2  # of a row, between the values of one row


def draw_pairs(panels: Sequence[PairPanel], setting: str, heading: str, notes: Sequence[str]) -> Drawing:
    """A figure of the panels above one another, on one axis of scores; `notes` stand below."""
    counts = [len(panel.rows) for panel in panels]
    high = ROW * sum(counts) + 0.75 * len(panels) + 0.5
    with new_figure(7.4, high) as figure:
        axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=[n + 0.5 for n in counts])
        figure.subplots_adjust(0.08, 0.5 / high, 0.9, 0.9, hspace=0.45 / (high / len(panels)))
        look = palette(sorted({value for panel in panels for row in panel.rows for value in row.scores}))
        for panel, ax in zip(panels, axes[:, 0], strict=True):
            _draw_panel(ax, panel, look)
        axes[-1, 0].set_xlabel("score", fontsize=8.5)
        head(figure, _handles(panels, setting, look), heading, titled=any(panel.title for panel in panels))
        return Drawing(figure, foot(figure, notes))


def _draw_panel(ax: Axes, panel: PairPanel, look: dict[str, Style]) -> None:
    for number, row in enumerate(panel.rows):
        _draw_row(ax, number, row, look)
    ax.set_ylim(len(panel.rows) - 0.4, -0.6)
    ax.set_yticks(range(len(panel.rows)), [row.name for row in panel.rows], fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=7.5)
    ax.grid(axis="x", color="#e6e6e6", lw=0.7)
    ax.set_axisbelow(True)
    if panel.title:
        ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")


def _draw_row(ax: Axes, number: int, row: PairRow, look: dict[str, Style]) -> None:
    """The points of a row, a little apart in height so that intervals stay apart, and the trivial baseline's tick."""
    known = {value: point for value, point in row.scores.items() if math.isfinite(point.score)}
    middle = (len(row.scores) - 1) / 2
    places = {value: number + APART * (place - middle) for place, value in enumerate(sorted(row.scores))}
    if len(known) > 1:
        ordered = sorted(known)
        ax.plot([known[v].score for v in ordered], [places[v] for v in ordered], color="#b8b8b8", lw=2.2, zorder=1)
    for value, point in known.items():
        style = look[value]
        ax.hlines(places[value], point.low, point.high, color=style.colour, lw=1.0, alpha=0.7)
        ax.plot(point.score, places[value], marker=style.marker, color=style.colour, ms=6.5, **FILLED)
    for value, score in row.published:
        style = look[value]
        ax.plot(score, places[value], marker=style.marker, color=style.colour, ms=6, **OPEN)
    lacking = sorted(set(row.scores) - set(known))
    if lacking:
        words = f"{', '.join(lacking)} missing"
        ax.text(1.01, number, words, transform=ax.get_yaxis_transform(), fontsize=7.5, color=GREY, va="center")
    if math.isfinite(row.trivial):
        ax.vlines(row.trivial, number - 0.36, number + 0.36, color=GREY, lw=1.2, ls=(0, (1, 1.2)))


def _handles(panels: Sequence[PairPanel], setting: str, look: dict[str, Style]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=style.colour, marker=style.marker, ls="", ms=6.5, mec="white", label=f"{setting}={value}")
        for value, style in look.items()
    ]
    if any(row.published for panel in panels for row in panel.rows):
        handles.append(Line2D([], [], color=GREY, marker="o", ls="", label="published", **OPEN))
    handles.append(Line2D([], [], color=GREY, lw=1.2, ls=(0, (1, 1.2)), label="trivial"))
    return handles
