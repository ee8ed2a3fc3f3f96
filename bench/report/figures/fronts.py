"""Draws score against cost: points by line, the Pareto front as steps, its members numbered and named below."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from bench.report.figures.axes import NAMED, TICK, draw_trivial, fitting, label_ticks, scale_across, scale_scores
from bench.report.figures.layout import Plot
from bench.report.figures.legend import FRONT, Key
from bench.report.figures.pareto import CostPanel, Spot
from bench.report.figures.style import Styles
from bench.report.read.names import natural
from bench.report.tables.numbers import count_text

LOG_FROM = 3.0  # largest by smallest cost from which on a logarithmic axis is clearer
LOG_SERIES = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
MOST_NAMED = 9
MOST_KEYS = 12
MOST_BARS = 24  # points with an interval each; of more the front's alone
SMALL, LARGE = 4.5, 8.5  # markers in points, of the smallest and the largest model
SIZE = (3.3, 2.9)  # inches
NUMBER = (6.0, 8.0)  # points that a number takes
NEAR = ((-1.0, 1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, -1.0), (0.0, 1.4), (0.0, -1.4), (-1.4, 0.0), (1.4, 0.0))
AROUND = (*NEAR, *((1.8 * across, 1.8 * up) for across, up in NEAR))  # where it may stand, in distances from its point


def front_plots(panels: Sequence[CostPanel], y_label: str, styles: Styles) -> list[Plot]:
    """A plot per cost, what is on its front named beneath; where there is one model, by the line alone."""
    sizes, shown = _marker_sizes(panels), _shown(panels)
    several = len({spot.model for panel in panels for spot in panel.spots}) > 1
    return [
        Plot(partial(_paint, panel, shown, y_label, styles, sizes), SIZE, beneath=_beneath(panel, several))
        for panel in panels
    ]


def front_keys(panels: Sequence[CostPanel], styles: Styles) -> list[Key]:
    """An entry per line, of many lines one per method, and the front."""
    spots = [spot for panel in panels for spot in panel.spots]
    lines = sorted({(spot.method, spot.label) for spot in spots}, key=lambda line: natural(line[1]))
    if len(lines) > MOST_KEYS:
        keys = [Key(method, styles.style_of(method), "point") for method in sorted({method for method, _ in lines})]
    else:
        keys = [Key(label, styles.style_of(method, setting=label), "point") for method, label in lines]
    return [*keys, FRONT]


def _beneath(panel: CostPanel, with_models: bool) -> tuple[str, ...]:
    members = [spot for spot in panel.spots if spot.on_front]
    named = members[:MOST_NAMED]
    names = [spot.name if with_models else spot.label for spot in named]
    lines = [f"{at}  {spot.score:.1f}  {name}" for at, (spot, name) in enumerate(zip(named, names, strict=True), 1)]
    lines += [f"and {len(members) - MOST_NAMED} more"] if len(members) > MOST_NAMED else []
    lines += [f"without this cost: {len(panel.lacking)}"] if panel.lacking else []
    return tuple(lines)


def _barred(panel: CostPanel) -> list[Spot]:
    """The points whose interval is drawn."""
    return [spot for spot in panel.spots if spot.on_front or len(panel.spots) <= MOST_BARS]


def _shown(panels: Sequence[CostPanel]) -> list[float]:
    """All that the axes of scores hold, the same for each cost."""
    ends = [end for panel in panels for spot in _barred(panel) for end in (spot.low, spot.high)]
    return [*ends, *(spot.score for panel in panels for spot in panel.spots), *(panel.trivial for panel in panels)]


def _paint(
    panel: CostPanel, shown: Sequence[float], y_label: str, styles: Styles, sizes: Mapping[float, float], ax: Axes
) -> None:
    costs = [spot.cost for spot in panel.spots]
    log = not panel.from_zero and max(costs) / min(costs) >= LOG_FROM
    scale_across(ax, costs, log, from_zero=not log)
    scale_scores(ax, shown, y_label)
    members = [spot for spot in panel.spots if spot.on_front]
    steps = [*((spot.cost, spot.score) for spot in members), (ax.get_xlim()[1], members[-1].score)]
    ax.plot(*zip(*steps, strict=True), drawstyle="steps-post", color="black", lw=1.0, zorder=1)
    for spot in sorted(panel.spots, key=lambda spot: (spot.on_front, -sizes.get(spot.size, SMALL))):
        style = styles.style_of(spot.method, setting=spot.label)
        if spot in _barred(panel):
            ax.vlines(spot.cost, spot.low, spot.high, color=style.colour, lw=1.0, alpha=0.6)
        look = {"ms": sizes.get(spot.size, SMALL)} | ({"mec": "black"} if spot.on_front else {})
        ax.plot(spot.cost, spot.score, **style.point() | look)
    draw_trivial(ax, panel.trivial)
    _number(ax, members[:MOST_NAMED], panel.spots, sizes)
    _name_costs(ax, panel.x_label, log)


def _number(ax: Axes, members: Sequence[Spot], spots: Sequence[Spot], sizes: Mapping[float, float]) -> None:
    """1, 2, … beside the members of the front, each where it covers the least of points, bars and other numbers."""
    point = ax.figure.dpi / 72
    taken: list[Bbox] = []
    for spot in spots:
        x, y = ax.transData.transform((spot.cost, spot.score))
        half = (sizes.get(spot.size, SMALL) / 2 + 1) * point
        taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
        if math.isfinite(spot.low) and (spot.on_front or len(spots) <= MOST_BARS):
            ends = [ax.transData.transform((spot.cost, end))[1] for end in (spot.low, spot.high)]
            taken.append(Bbox.from_extents(x - point, min(ends), x + point, max(ends)))
    for number, spot in enumerate(members, start=1):
        away = sizes.get(spot.size, SMALL) / 2 + 5.5
        boxes = {at: _box(ax, spot, (at[0] * away, at[1] * away)) for at in AROUND}
        covered = {
            at: sum(box.overlaps(other) for other in taken) + 3 * _nearer(ax, members, spot, box)
            for at, box in boxes.items()
        }
        inside = [at for at in AROUND if ax.bbox.containsx(boxes[at].x0) and ax.bbox.containsy(boxes[at].y1)]
        best = min(inside or AROUND, key=covered.__getitem__)
        taken.append(boxes[best])
        ax.annotate(
            str(number), (spot.cost, spot.score), (best[0] * away, best[1] * away), textcoords="offset points",
            fontsize=TICK, fontweight="bold", ha="center", va="center",
        )  # fmt: skip


def _nearer(ax: Axes, members: Sequence[Spot], spot: Spot, box: Bbox) -> int:
    """How many other members of the front are nearer to a number's place than its own."""
    middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    away = {other.name: math.dist(middle, ax.transData.transform((other.cost, other.score))) for other in members}
    return sum(distance < away[spot.name] for distance in away.values())


def _box(ax: Axes, spot: Spot, offset: tuple[float, float]) -> Bbox:
    """Where a number would stand that is so many points away from a spot."""
    point = ax.figure.dpi / 72
    x, y = ax.transData.transform((spot.cost, spot.score))
    wide, high = NUMBER
    left, below = x + (offset[0] - wide / 2) * point, y + (offset[1] - high / 2) * point
    return Bbox.from_bounds(left, below, wide * point, high * point)


def _name_costs(ax: Axes, label: str, log: bool) -> None:
    """Ticks at round numbers, as few words as they need."""
    low, high = ax.get_xlim()
    ticks = _log_ticks(low, high) if log else [float(tick) for tick in MaxNLocator(4).tick_values(low, high)]
    names = {tick: _cost_text(tick) for tick in ticks if low <= tick <= high}
    while len(fitting(ax, names)) < len(names):
        names = dict(list(names.items())[::2])
    label_ticks(ax, names)
    ax.set_xlabel(f"{label}{' (log scale)' if log else ''}", fontsize=NAMED)


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, of the sparsest series that has three there."""
    ticks: list[float] = []
    for series in LOG_SERIES:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [step * 10.0**decade for decade in decades for step in series if low <= step * 10.0**decade <= high]
        if len(ticks) >= 3:
            break
    return ticks


def _cost_text(value: float) -> str:
    return count_text(value) if value >= 1000 else f"{value:g}"


def _marker_sizes(panels: Sequence[CostPanel]) -> dict[float, float]:
    """By the backbone's size, in even steps from the smallest model to the largest."""
    backbones = sorted({spot.size for panel in panels for spot in panel.spots if math.isfinite(spot.size)})
    step = (LARGE - SMALL) / max(1, len(backbones) - 1)
    middle = (SMALL + LARGE) / 2
    return {size: SMALL + step * place if len(backbones) > 1 else middle for place, size in enumerate(backbones)}
