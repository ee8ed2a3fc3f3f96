"""The scale figures: score against model size, one line per method, with intervals, baselines and named gaps.

Drawn without pyplot, so nothing is global and no display is needed. The same panels give the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator
from matplotlib.transforms import Bbox

from bench.report.figures.curves import Curve, Panel
from bench.report.tables.numbers import count_text, natural

# Okabe and Ito 2008, "Color universal design", without the yellow that is lost on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")  # a count that shares no factor with the colours': 56 distinct pairs
GREY = "#6b6b6b"
DOTS_PER_INCH = 200
MOST_COLUMNS = 3
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
class Style:
    """How a line looks in every panel of a figure."""

    colour: str
    marker: str


@dataclass(frozen=True)
class Drawing:
    """A figure and the box in inches that holds all of it; finding the box costs as much as drawing."""

    figure: Figure
    box: Bbox


def draw(
    panels: Sequence[Panel], heading: str, notes: Sequence[str], size: tuple[float, float] | None = None
) -> Drawing:
    """A figure of the panels side by side, at most three in a row, under one legend; `notes` stand below.

    `size` in inches, without heading and notes; by default what the panels need.
    """
    with mpl.rc_context(SETTINGS):
        columns = 2 if len(panels) == 4 else min(len(panels), MOST_COLUMNS)
        rows = -(-len(panels) // columns)
        wide, high = size or ((7.4, 4.4) if len(panels) == 1 else (4.3 * columns, 3.3 * rows))
        figure = Figure(figsize=(wide, high))
        FigureCanvasAgg(figure)
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


def render(drawing: Drawing, kinds: Iterable[str]) -> dict[str, bytes]:
    """The drawing as bytes per kind, "png" or "svg", without a date in it."""
    contents = {}
    with mpl.rc_context(SETTINGS):
        for kind in kinds:
            buffer = BytesIO()
            metadata = {"Date": None} if kind == "svg" else None
            drawing.figure.savefig(buffer, format=kind, dpi=DOTS_PER_INCH, bbox_inches=drawing.box, metadata=metadata)
            contents[kind] = buffer.getvalue()
    return contents


def assign_styles(curves: Iterable[Curve]) -> dict[str, Style]:
    """A colour and marker per line, by the sorted order of the lines that are there.

    A published line looks like the measured line of its method with nothing changed, or like the only one there is.
    """
    curves = list(curves)
    measured: dict[str, set[str]] = {}
    for curve in curves:
        if not curve.published:
            measured.setdefault(curve.method, set()).add(curve.label)
    stands_for = {}
    for curve in curves:
        own = measured.get(curve.method, set())
        plain = {curve.method} & own or (own if len(own) == 1 else set())
        stands_for[curve.label] = min(plain) if curve.published and plain else curve.label
    names = sorted(set(stands_for.values()), key=natural)
    look = {
        name: Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]) for number, name in enumerate(names)
    }
    return {label: look[name] for label, name in stands_for.items()}


def spread(places: Sequence[float], gap: float, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """`places` moved as little as a sweep needs so that neighbours are `gap` apart, within low and high if they fit."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    groups: list[tuple[list[int], float]] = []  # members in order, and the middle they are laid around
    for number in order:
        members, middle = [number], places[number]
        while groups:
            before, other = groups[-1]
            if other + gap * (len(before) - 1) / 2 + gap <= middle - gap * (len(members) - 1) / 2:
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
        ax.plot(sizes, scores, color=style.colour, lw=1.1, ls=(0, (4, 2.5)), marker=style.marker, ms=6, mfc="white")
        return
    low, high = [point.low for point in curve.points], [point.high for point in curve.points]
    known = [math.isfinite(value) for value in low]
    ax.fill_between(sizes, low, high, where=known, color=style.colour, alpha=0.14, lw=0)
    ax.vlines(sizes, low, high, color=style.colour, lw=1.0, alpha=0.7)
    ax.plot(sizes, scores, color=style.colour, lw=1.8, marker=style.marker, ms=6, mec="white", mew=0.7)


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


def scale_scores(ax: Axes, shown: Sequence[float]) -> None:
    """A y axis of scores, within 0 and 100, that holds all of `shown`."""
    low, high = max(min(shown, default=0.0), 0.0), min(max(shown, default=100.0), 100.0)
    pad = max(0.06 * (high - low), 1.0)
    ax.set_ylim(max(low - pad, -1.0), min(high + pad, 101.5))
    ax.grid(axis="y", color="#e6e6e6", lw=0.7)
    ax.set_axisbelow(True)


def draw_baselines(ax: Axes, baselines: dict[str, float]) -> None:
    """A dotted line per task at what a constant answer scores, named at the right edge."""
    bottom, top = ax.get_ylim()
    places = [(score - bottom) / (top - bottom) for score in baselines.values()]
    moved = spread(places, 0.15 / _inches(ax)[1])  # a line of small type
    for (task, score), place, at in zip(baselines.items(), places, moved, strict=True):
        ax.axhline(score, color=GREY, lw=1.0, ls=(0, (1, 2)), zorder=1)
        _leader(ax, (1.0, 1.02), (place, at))
        words = f"{task} trivial {score:.1f}".strip()
        ax.text(1.025, at, words, transform=ax.transAxes, fontsize=7.5, color=GREY, va="center")


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
    wide, high = _inches(ax)
    places = [(math.log(size) - left) / (right - left) for size, _ in ticks]
    widths = [(max(map(len, words)) * 0.068 + 0.05) / wide for _, words in ticks]
    close = any(places[n + 1] - places[n] < (widths[n] + widths[n + 1]) / 2 for n in range(len(ticks) - 1))
    moved = spread(places, 0.19 / wide) if close else places
    for (_, words), place, at in zip(ticks, places, moved, strict=True):
        _leader(ax, (place, at), (-0.05 / high, -0.13 / high))
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
    wide = _inches(ax)[0]
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


def _leader(ax: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    """A hairline outside the axes, in axes fractions, from what is named to a name that had to move."""
    ax.add_line(Line2D(across, up, transform=ax.transAxes, color=GREY, lw=0.5, clip_on=False))


def _inches(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = ax.get_window_extent()
    return float(box.width) / ax.figure.dpi, float(box.height) / ax.figure.dpi


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


def _handles(panels: Sequence[Panel], styles: dict[str, Style]) -> list[Line2D]:
    curves = {curve.label: curve for panel in panels for curve in panel.curves}
    ordered = sorted(curves.values(), key=lambda curve: (curve.published, natural(curve.label)))
    return [_handle(curve, styles[curve.label]) for curve in ordered]


def _handle(curve: Curve, style: Style) -> Line2D:
    dashes = (0, (4, 2.5)) if curve.published else "-"
    face, edge = ("white", style.colour) if curve.published else (style.colour, "white")
    return Line2D(
        [], [], color=style.colour, marker=style.marker, ms=6, mfc=face, mec=edge, mew=1.0, ls=dashes,
        lw=1.1 if curve.published else 1.8, label=curve.label,
    )  # fmt: skip


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
