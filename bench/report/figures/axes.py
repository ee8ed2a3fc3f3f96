"""Axes of scores, of model sizes and of a setting's values: their limits, their ticks, the trivial score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from bench.escaping.unseen import visible
from bench.report.figures.curves import Panel
from bench.report.figures.legend import text_inches
from bench.report.figures.style import GREY
from bench.report.tables.numbers import count_text

MOST = 1e100  # along an axis: the quotient of two places is a number too
TICK = 8.5  # points
NAMED = 9.0
BETWEEN = 0.09  # inches between the labels of ticks


def scale_scores(ax: Axes, shown: Sequence[float], label: str = "score") -> None:
    """A y axis of scores, from 0 (from -100 where some are below 0) to 100, that holds all of `shown`."""
    known = [value for value in shown if math.isfinite(value)]
    low, high = min(known, default=0.0), min(max(known, default=100.0), 100.0)
    pad = max(0.06 * (high - low), 1.0)
    ax.set_ylim(max(low - pad, -1.0 if low >= 0 else -101.5), min(high + pad, 101.5))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    ax.tick_params(axis="y", labelsize=TICK)
    ax.grid(axis="y", color="#e6e6e6", lw=0.7)
    ax.set_axisbelow(True)
    letters = int(axes_inches(ax)[1] / 0.075)
    ax.set_ylabel("\n".join(wrap(label, max(12, letters))), fontsize=NAMED)


def draw_trivial(ax: Axes, trivial: float) -> None:
    """A dotted line at what the best constant answer scores, named at the right edge."""
    if not math.isfinite(trivial):
        return
    ax.axhline(trivial, color=GREY, lw=1.0, ls=(0, (1, 2)), zorder=1)
    for place, words in ((1, "trivial"), (-1, f"{trivial:.1f}")):
        ax.annotate(
            words, (1.0, trivial), (4, 5 * place), xycoords=ax.get_yaxis_transform(), textcoords="offset points",
            fontsize=TICK, color=GREY, va="center", annotation_clip=False,
        )  # fmt: skip


def scale_across(ax: Axes, places: Sequence[float], log: bool, from_zero: bool = False) -> None:
    """An x axis that holds the places, with room at both sides: those that are no more than a drawing can hold."""
    low, high = (min(max(place, -MOST), MOST) for place in (min(places), max(places)))
    if log:
        low, high = max(low, 1 / MOST), max(high, 1 / MOST)
        ax.set_xscale("log")
        room = max((high / low) ** 0.08, 1.02) if high > low else 1.25
        ax.set_xlim(low / room, high * room)
    else:
        low = min(low, 0.0) if from_zero else low
        room = 0.07 * (high - low) or 1.0
        ax.set_xlim(low if from_zero else low - room, high + room)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def mark_models(ax: Axes, panel: Panel) -> None:
    """A tick at each model's size, under it name and size where all of them have room, else sizes where they fit."""
    sizes = sorted({(point.x, point.name) for curve in panel.curves for point in curve.points})
    named = [(size, f"{name}\n{count_text(size)}") for size, name in sizes]
    bare = {size: count_text(size) for size, _ in sizes}
    widest = {size: max(text.split("\n"), key=len) for size, text in named}
    if len(widest) == len(named) == len(fitting(ax, widest)):
        label_ticks(ax, dict(named))
    else:
        label_ticks(ax, bare)
    ax.set_xlabel("backbone parameters (log scale)", fontsize=NAMED)


def label_ticks(ax: Axes, names: Mapping[float, str]) -> None:
    """A tick at each place with its name under it; names that would touch the one before are left out."""
    shown = {place: visible(name) for place, name in names.items()}  # an axis says its words again when it is drawn
    kept = fitting(ax, {place: max(name.split("\n"), key=len) for place, name in shown.items()})
    places = sorted(shown)
    ax.set_xticks(places, [shown[place] if place in kept else "" for place in places], fontsize=TICK)


def fitting(ax: Axes, names: Mapping[float, str]) -> set[float]:
    """The places whose names fit: the ends first, then from the left what has room between its neighbours."""
    spans, root = {}, ax.figure.figure  # matplotlib 3.9 has no get_figure(root=True)
    for place, name in names.items():
        middle = float(ax.transData.transform((place, 0))[0]) / ax.figure.dpi
        half = (text_inches(root, name, TICK) + BETWEEN) / 2
        spans[place] = (middle - half, middle + half)
    places = sorted(spans)
    kept: list[float] = []
    for place in [*places[:1], *places[:0:-1][:1], *places[1:-1]]:
        left, right = spans[place]
        if all(right <= spans[other][0] or left >= spans[other][1] for other in kept):
            kept.append(place)
    return set(kept)


def axes_inches(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = ax.get_window_extent()
    return float(box.width) / ax.figure.dpi, float(box.height) / ax.figure.dpi
