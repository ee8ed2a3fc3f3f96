"""Paired points: what each value of a choice scores, a row per task and method, joined where all else is equal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from bench.report.figures.ablations import PairPanel, PairRow
from bench.report.figures.axes import NAMED, TICK
from bench.report.figures.layout import Plot
from bench.report.figures.legend import TRIVIAL, Key
from bench.report.figures.style import FILLED, GREY, INK, OPEN, Style, choice_styles

WIDE = 4.8  # inches
ROW = 0.44
AROUND = 0.55  # of axis and edges
APART = 0.17  # of a row, between the values of one row
MARK = 7.5  # points
NAME = 0.36  # of a row, from its middle up to its name


def pair_plots(panels: Sequence[PairPanel]) -> list[Plot]:
    """A plot per panel, each in a row of its own, on one axis of scores."""
    looks = choice_styles(_values(panels))
    rows = [row for panel in panels for row in panel.rows]
    shown = [value for row in rows for point in row.scores.values() for value in (point.score, point.low, point.high)]
    shown += [row.trivial for row in rows] + [score for row in rows for _, score in row.published]
    known = [value for value in shown if math.isfinite(value)] or [0.0, 100.0]
    room = 0.05 * (max(known) - min(known)) or 1.0
    limits = (min(known) - room, max(known) + room)
    return [
        Plot(partial(_paint, panel, looks, limits), (WIDE, ROW * len(panel.rows) + AROUND), panel.title, broad=True)
        for panel in panels
    ]


def pair_keys(panels: Sequence[PairPanel], setting: str) -> list[Key]:
    """A marker for each value of the setting, the papers' and the trivial score."""
    keys = [Key(f"{setting}={value}", look, "point") for value, look in choice_styles(_values(panels)).items()]
    if any(row.published for panel in panels for row in panel.rows):
        keys.append(Key("published", Style(INK, "d"), "point", published=True))
    return [*keys, TRIVIAL]


def _values(panels: Sequence[PairPanel]) -> list[str]:
    return sorted({value for panel in panels for row in panel.rows for value in row.scores})


def _paint(panel: PairPanel, looks: Mapping[str, Style], limits: tuple[float, float], ax: Axes) -> None:
    for number, row in enumerate(panel.rows):
        _draw_row(ax, number, row, looks)
    ax.set_xlim(*limits)
    ax.set_ylim(len(panel.rows) - 0.4, -0.75)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    ax.tick_params(axis="x", labelsize=TICK)
    ax.grid(axis="x", color="#e6e6e6", lw=0.7)
    ax.set_axisbelow(True)
    ax.set_xlabel("score", fontsize=NAMED)


def _draw_row(ax: Axes, number: int, row: PairRow, looks: Mapping[str, Style]) -> None:
    """The row's name above its points, these a little apart in height, with intervals, and the trivial score's tick."""
    known = {value: point for value, point in row.scores.items() if math.isfinite(point.score)}
    values = sorted({*row.scores, *(value for value, _ in row.published)})
    middle = (len(values) - 1) / 2
    places = {value: number + APART * (place - middle) for place, value in enumerate(values)}
    lacking = sorted(set(row.scores) - set(known))
    name = row.name + (f" ({', '.join(lacking)} missing)" if lacking else "")
    ax.text(
        0.0, number - NAME, name, transform=ax.get_yaxis_transform(), fontsize=TICK, va="center",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
    )  # fmt: skip
    if len(known) > 1:
        ordered = sorted(known)
        ax.plot([known[v].score for v in ordered], [places[v] for v in ordered], color="#b8b8b8", lw=2.2, zorder=1)
    for value, point in known.items():
        style = looks[value]
        ax.hlines(places[value], point.low, point.high, color=style.colour, lw=1.0, alpha=0.75)
        ax.plot(point.score, places[value], **style.point() | FILLED | {"ms": MARK})
    if not row.scores:  # a paper's own row
        joined = [(score, places[value]) for value, score in row.published]
        ax.plot(*zip(*joined, strict=True), color="#b8b8b8", lw=1.0, zorder=1)
    for value, score in row.published:
        ax.plot(score, places[value], **looks[value].point(published=True) | OPEN | {"ms": MARK})
    if math.isfinite(row.trivial):
        ax.vlines(row.trivial, number - 0.15, number + 0.34, color=GREY, lw=1.2, ls=(0, (1, 1.2)))
