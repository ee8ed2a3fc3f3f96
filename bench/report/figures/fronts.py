"""Draws score against cost: points by method, the Pareto front as steps, its members numbered and named below."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bench.report.figures.layout import Drawing, draw_baselines, foot, head, new_figure, scale_scores, spread
from bench.report.figures.pareto import CostPanel, Spot
from bench.report.figures.style import Style, palette
from bench.report.tables.numbers import count_text

LOG_FROM = 3.0  # largest by smallest cost from which on a logarithmic axis is clearer
MOST_NAMED = 9
MOST_LETTERS = 50
SMALL, LARGE = 5.0, 9.0  # markers in points, of the smallest and the largest model


def draw_fronts(panels: Sequence[CostPanel], y_label: str, heading: str, notes: Sequence[str]) -> Drawing:
    """A figure of the panels side by side, under one legend of methods; `notes` stand below."""
    with new_figure(4.3 * len(panels), 3.6) as figure:
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        figure.subplots_adjust(0.08, 0.1, 0.9, 0.9, wspace=0.42)
        look = palette(sorted({spot.method for panel in panels for spot in panel.spots}))
        sizes = _marker_sizes(panels)
        for panel, ax in zip(panels, axes, strict=True):
            _draw_panel(ax, panel, look, sizes)
        axes[0].set_ylabel(y_label)
        handles = [
            Line2D([], [], color=style.colour, marker=style.marker, ms=6.5, mec="white", ls="", label=name)
            for name, style in look.items()
        ]
        handles.append(Line2D([], [], color="black", lw=1.0, label="Pareto front"))
        head(figure, handles, heading, titled=False)
        return Drawing(figure, foot(figure, notes))


def _draw_panel(ax: Axes, panel: CostPanel, look: dict[str, Style], sizes: dict[float, float]) -> None:
    costs = [spot.cost for spot in panel.spots]
    log = max(costs) / min(costs) >= LOG_FROM
    if log:
        ax.set_xscale("log")
        room = (max(costs) / min(costs)) ** 0.08
        ax.set_xlim(min(costs) / room, max(costs) * room)
    else:
        room = 0.12 * (max(costs) - min(costs)) or 0.1 * max(costs)
        ax.set_xlim(min(costs) - room, max(costs) + room)
    shown = [value for spot in panel.spots for value in (spot.score, spot.low, spot.high) if math.isfinite(value)]
    baselines = {"": panel.trivial} if math.isfinite(panel.trivial) else {}
    scale_scores(ax, [*shown, *baselines.values()])
    members = [spot for spot in panel.spots if spot.on_front]
    steps = [*((spot.cost, spot.score) for spot in members), (ax.get_xlim()[1], members[-1].score)]
    ax.plot(*zip(*steps, strict=True), drawstyle="steps-post", color="black", lw=1.0, zorder=1)
    for spot in sorted(panel.spots, key=lambda spot: (spot.on_front, -sizes.get(spot.size, SMALL))):
        style, size = look[spot.method], sizes.get(spot.size, SMALL)
        ax.vlines(spot.cost, spot.low, spot.high, color=style.colour, lw=1.0, alpha=0.5)
        ax.plot(
            spot.cost, spot.score, marker=style.marker, color=style.colour, ms=size, mew=1.0,
            mec="black" if spot.on_front else "white", alpha=1.0 if spot.on_front else 0.75,
        )  # fmt: skip
    draw_baselines(ax, baselines)
    _number(ax, members[:MOST_NAMED])
    _name_costs(ax, panel, members, log)


def _number(ax: Axes, members: Sequence[Spot]) -> None:
    """1, 2, … above the members of the front, moved apart where they would overlap."""
    inches = [float(ax.transData.transform((spot.cost, spot.score))[0]) / ax.figure.dpi for spot in members]
    for number, (spot, place, at) in enumerate(zip(members, inches, spread(inches, 0.13), strict=True), start=1):
        ax.annotate(
            str(number), (spot.cost, spot.score), (72 * (at - place) - 4, 5), textcoords="offset points",
            fontsize=8, fontweight="bold", ha="right", va="bottom",
        )  # fmt: skip


def _name_costs(ax: Axes, panel: CostPanel, members: Sequence[Spot], log: bool) -> None:
    """Ticks as short numbers, and under the axis what the numbers on the front stand for."""
    low, high = ax.get_xlim()
    if log:
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 1e3 else (1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count_text(value) if value >= 1000 else f"{value:g}"))
    ax.tick_params(axis="x", labelsize=7.5)
    lines = [
        f"{number}  {_short(spot.name)}  {spot.score:.1f}" for number, spot in enumerate(members[:MOST_NAMED], start=1)
    ]
    if len(members) > MOST_NAMED:
        lines.append(f"and {len(members) - MOST_NAMED} more")
    if panel.lacking:
        lines.append(f"without this cost: {len(panel.lacking)}")
    ax.set_xlabel(f"{panel.x_label}{' (log)' if log else ''}", fontsize=8.5)
    box = ax.get_window_extent()
    below = 0.55 * ax.figure.dpi / float(box.height)
    ax.text(0.0, -below, "\n".join(lines), transform=ax.transAxes, fontsize=7.5, va="top", linespacing=1.4)


def _short(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"


def _marker_sizes(panels: Sequence[CostPanel]) -> dict[float, float]:
    """By the backbone's size, in even steps from the smallest model to the largest."""
    backbones = sorted({spot.size for panel in panels for spot in panel.spots if math.isfinite(spot.size)})
    step = (LARGE - SMALL) / max(1, len(backbones) - 1)
    middle = (SMALL + LARGE) / 2
    return {size: SMALL + step * place if len(backbones) > 1 else middle for place, size in enumerate(backbones)}
