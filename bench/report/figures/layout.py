"""What every figure has: its size and settings, heading and legend above, notes below, axes of scores, and its bytes.

Drawn without pyplot, so nothing is global and no display is needed. The same panels give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

GREY = "#6b6b6b"
DOTS_PER_INCH = 200
SETTINGS: Any = {
    "svg.hashsalt": "tuning-bench",  # otherwise ids in the file are random
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
}


@dataclass(frozen=True)
class Drawing:
    """A figure and the box in inches that holds all of it; finding the box costs as much as drawing."""

    figure: Figure
    box: Bbox


@contextmanager
def new_figure(wide: float, high: float) -> Iterator[Figure]:
    """An empty figure of that size in inches, with the settings of all while it is drawn."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(wide, high))
        FigureCanvasAgg(figure)
        yield figure


def render(drawing: Drawing, formats: Iterable[str]) -> dict[str, bytes]:
    """The drawing as bytes per format, "png" or "svg", without a date in it."""
    contents = {}
    with mpl.rc_context(SETTINGS):
        for name in formats:
            buffer = BytesIO()
            metadata = {"Date": None} if name == "svg" else None
            drawing.figure.savefig(buffer, format=name, dpi=DOTS_PER_INCH, bbox_inches=drawing.box, metadata=metadata)
            contents[name] = buffer.getvalue()
    return contents


def head(figure: Figure, handles: Sequence[Line2D], heading: str, titled: bool) -> None:
    """Heading and legend above the axes, `titled` or not, placed in inches so that they never meet."""
    high = figure.get_figheight()
    widest = 0.065 * max((len(str(handle.get_label())) for handle in handles), default=1) + 0.62
    lines = -(-len(handles) // max(1, int(0.92 * figure.get_figwidth() / widest)))
    above = 0.9 + (0.3 if titled else 0.15) / high
    if handles:
        figure.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.08, above), ncols=-(-len(handles) // lines),
            frameon=False, fontsize=8.5, borderaxespad=0, borderpad=0, columnspacing=1.4, handlelength=2.4,
        )  # fmt: skip
    figure.text(0.08, above + (0.18 * lines + 0.12) / high, heading, fontsize=11.5, fontweight="bold", va="bottom")


def foot(figure: Figure, notes: Sequence[str]) -> Bbox:
    """The notes, wrapped, below everything drawn so far; returns the box of it all in inches."""
    box = figure.get_tightbbox()
    letters = int(0.92 * figure.get_figwidth() / 0.066)
    notes = [line for note in notes for line in wrap(note, letters)]
    place = (box.y0 - 0.14) / figure.get_figheight()
    text = figure.text(0.08, place, "\n".join(notes), fontsize=7.5, color=GREY, va="top", linespacing=1.5)
    below = text.get_window_extent()
    inches = Bbox(below.get_points() / figure.dpi)
    return Bbox.union([box, inches]).padded(0.12)


def scale_scores(ax: Axes, shown: Sequence[float]) -> None:
    """A y axis of scores, from 0 (from -100 where some are below 0) to 100, that holds all of `shown`."""
    low, high = min(shown, default=0.0), min(max(shown, default=100.0), 100.0)
    pad = max(0.06 * (high - low), 1.0)
    ax.set_ylim(max(low - pad, -1.0 if low >= 0 else -101.5), min(high + pad, 101.5))
    ax.grid(axis="y", color="#e6e6e6", lw=0.7)
    ax.set_axisbelow(True)


def draw_baselines(ax: Axes, baselines: dict[str, float]) -> None:
    """A dotted line per task at what a constant answer scores, named at the right edge."""
    bottom, top = ax.get_ylim()
    places = [(score - bottom) / (top - bottom) for score in baselines.values()]
    moved = spread(places, 0.15 / axes_inches(ax)[1])  # a line of small type
    for (task, score), place, at in zip(baselines.items(), places, moved, strict=True):
        ax.axhline(score, color=GREY, lw=1.0, ls=(0, (1, 2)), zorder=1)
        draw_leader(ax, (1.0, 1.02), (place, at))
        words = f"{task} trivial {score:.1f}".strip()
        ax.text(1.025, at, words, transform=ax.transAxes, fontsize=7.5, color=GREY, va="center")


def draw_leader(ax: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    """A hairline outside the axes, in axes fractions, from what is named to a name that had to move."""
    ax.add_line(Line2D(across, up, transform=ax.transAxes, color=GREY, lw=0.5, clip_on=False))


def axes_inches(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = ax.get_window_extent()
    return float(box.width) / ax.figure.dpi, float(box.height) / ax.figure.dpi


def spread(places: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """`places` moved as little as a sweep needs so that neighbours are `gap` apart, within low and high if they fit."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    groups: list[tuple[list[int], float]] = []  # members in order, and the middle they are laid around
    for number in order:
        members, middle = [number], places[number]
        while groups:
            before, middle_before = groups[-1]
            if middle_before + gap * (len(before) - 1) / 2 + gap <= middle - gap * (len(members) - 1) / 2:
                break
            groups.pop()
            members = before + members
            middle = sum(places[member] for member in members) / len(members)
        half = gap * (len(members) - 1) / 2
        groups.append((members, max(min(middle, high - half), low + half)))
    moved = list(places)
    for members, middle in groups:
        for step, member in enumerate(members):
            moved[member] = middle + gap * (step - (len(members) - 1) / 2)
    return moved
