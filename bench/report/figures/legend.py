"""A figure's legend: a sample and a name for each line, in rows that are read like text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from bench.report.figures.style import GREY, INK, Style

ROW = 0.2  # inches
SAMPLE, GAP, APART = 0.33, 0.07, 0.2  # inches: of a sample, between it and its name, between entries
EDGE = 0.08
SIZE = 9.0


@dataclass(frozen=True)
class Key:
    """An entry: the sample of a line with its markers, of points alone, or of a stroke without markers."""

    text: str
    style: Style
    kind: Literal["line", "point", "stroke"] = "line"
    published: bool = False


TRIVIAL = Key("trivial score", Style(GREY, "", dash=(0, (1, 2))), "stroke")
FRONT = Key("Pareto front", Style(INK, ""), "stroke")


def draw_keys(figure: Figure, rows: Sequence[Sequence[tuple[Key, float]]]) -> None:
    """Draw rows of `key_rows` from the figure's upper edge down."""
    across, up = figure.get_size_inches()
    for number, row in enumerate(rows):
        y = 1 - (0.5 + number) * ROW / up
        for key, left in row:
            places = [left / across, (left + SAMPLE / 2) / across, (left + SAMPLE) / across]
            figure.add_artist(_sample(key, places, y))
            text = fitted(figure, key.text, SIZE, across - left - SAMPLE - GAP)
            figure.text((left + SAMPLE + GAP) / across, y, text, fontsize=SIZE, va="center_baseline")


def _sample(key: Key, places: list[float], y: float) -> Line2D:
    look = key.style.point(key.published) if key.kind == "point" else key.style.line(key.published)
    if key.kind == "stroke":
        look = look | {"marker": "", "lw": 1.2}
    return Line2D(places, [y] * 3, markevery=[1], **look)


def key_rows(figure: Figure, keys: Sequence[Key], wide: float) -> list[list[tuple[Key, float]]]:
    """The keys in rows of so many inches, each with its left edge; in columns where names are about as long."""
    if not keys:
        return []
    widths = [SAMPLE + GAP + text_inches(figure, key.text, SIZE) + APART for key in keys]
    columns = int((wide - EDGE) / max(widths))
    if EDGE + sum(widths) - APART > wide and columns > 1 and max(widths) < 1.6 * min(widths):
        step = (wide - EDGE) / columns
        return [
            [(key, EDGE + step * place) for place, key in enumerate(keys[at : at + columns])]
            for at in range(0, len(keys), columns)
        ]
    rows: list[list[tuple[Key, float]]] = [[]]
    left = EDGE
    for key, width in zip(keys, widths, strict=True):
        if rows[-1] and left + width - APART > wide:
            rows.append([])
            left = EDGE
        rows[-1].append((key, left))
        left += width
    return rows


def fitted(figure: Figure, text: str, size: float, wide: float) -> str:
    """The text, cut to so many inches."""
    cut = text
    while cut and text_inches(figure, cut, size) > wide:
        cut = f"{cut[:-2]}…" if cut.endswith("…") else f"{cut[:-1]}…"
    return cut


def text_inches(figure: Figure, text: str, size: float, weight: str = "normal") -> float:
    """The width of a text in the figures' type."""
    return _dots(text, size, weight, figure.dpi) / figure.dpi


@lru_cache(4096)  # the same few names stand in every plot
def _dots(text: str, size: float, weight: str, dots_per_inch: float) -> float:
    font = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    renderer = RendererAgg(1, 1, dots_per_inch)  # type: ignore[no-untyped-call]
    wide, _, _ = renderer.get_text_width_height_descent(text, font, False)  # type: ignore[no-untyped-call]
    return float(wide)
