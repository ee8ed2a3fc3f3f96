"""What every figure has: plots in a grid, a legend above them, sizes in inches, and the bytes of its files.

A plot is drawn where there is room for it: with others in a file, alone on a page. Words stand in a file's drawing only
where they belong to a plot; heading and caption go with it as its title and description. Drawn without pyplot, so
nothing is global and no display is needed. The same plots give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

import matplotlib as mpl
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.escaping.unseen import in_a_line, visible
from bench.report.figures.legend import ROW, Key, draw_keys, fitted, key_rows, text_inches
from bench.report.figures.style import GREY

DOTS_PER_INCH = 200
SETTINGS: Any = {
    "svg.hashsalt": "tuning-bench",  # otherwise ids in the file are random
    "svg.fonttype": "none",  # text stays text: smaller, found by a search, read out, and in the page's own type
    "text.parse_math": False,  # a dollar in a name is a dollar
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
}
MOST_COLUMNS = 3
PAD = 0.05  # inches at the edges, and between plots three times as much
LINE = 0.165  # of type
START = (0.6, 0.55, 0.55, 0.1)  # inches left, below, right and above axes before their labels are measured


@dataclass(frozen=True)
class Plot:
    """One set of axes: what stands over it, how it is drawn into axes of any size, what stands beneath it.

    `size` in inches holds the axes with their labels in a file. A `broad` plot has a row of a figure to itself.
    """

    paint: Callable[[Axes], None]
    size: tuple[float, float]
    title: str = ""
    remark: str = ""
    beneath: tuple[str, ...] = ()
    broad: bool = False


@contextmanager
def new_figure(wide: float, high: float) -> Iterator[Figure]:
    """An empty figure of that size in inches, with the settings of all while it is drawn."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(wide, high))
        FigureCanvasAgg(figure)
        yield figure


def compose(plots: Sequence[Plot], keys: Sequence[Key] = (), columns: int = 0) -> Figure:
    """The plots in rows of `columns`, or of at most three, under one legend."""
    if not columns:
        columns = 1 if any(plot.broad for plot in plots) else 2 if len(plots) == 4 else min(len(plots), MOST_COLUMNS)
    rows = [plots[at : at + columns] for at in range(0, len(plots), columns)]
    wide = columns * plots[0].size[0]
    with new_figure(wide, 1.0) as figure:
        heads = [max(len(_title(figure, plot)) + bool(plot.remark) for plot in row) for row in rows]
        feet = [max(len(plot.beneath) for plot in row) for row in rows]
        heights = [max(plot.size[1] for plot in row) + LINE * (heads[n] + feet[n]) for n, row in enumerate(rows)]
        legend = key_rows(figure, keys, wide)
        top = sum(heights)
        figure.set_size_inches(wide, top + (ROW * len(legend) + 2 * PAD if legend else 0))
        draw_keys(figure, legend)
        margins = _margins(figure, plots)
        for row, over, under, tall in zip(rows, heads, feet, heights, strict=True):
            for column, plot in enumerate(row):
                left = column * plot.size[0]
                box = (left, top - tall + LINE * under, plot.size[0], tall - LINE * (over + under))
                _place(figure, plot, box, margins)
            top -= tall
        for text in figure.findobj(Text):
            text.set_text(visible(text.get_text()))
        return figure


def _margins(figure: Figure, plots: Sequence[Plot]) -> tuple[float, float, float, float]:
    """What labels need left, below, right of and above axes, in inches: the most of all plots, so that axes align."""
    needed = [PAD, PAD, 3 * PAD, PAD]
    wide, high = figure.get_size_inches()
    for plot in plots:
        left, below, right, above = START
        inner = (plot.size[0] - left - right, plot.size[1] - below - above)
        ax = figure.add_axes((left / wide, below / high, inner[0] / wide, inner[1] / high))
        plot.paint(ax)
        box = ax.get_tightbbox()
        assert box is not None
        x0, y0, x1, y1 = (value / figure.dpi for value in (box.x0, box.y0, box.x1, box.y1))
        over = (left - x0, below - y0, x1 - left - inner[0], y1 - below - inner[1])
        needed = [max(known, value + pad) for known, value, pad in zip(needed, over, (PAD, PAD, PAD, PAD), strict=True)]
        ax.remove()
    return needed[0], needed[1], needed[2], needed[3]


def _place(figure: Figure, plot: Plot, box: Sequence[float], margins: Sequence[float]) -> None:
    """The plot within a box of left, bottom, width and height in inches, its words above and beneath."""
    wide, high = figure.get_size_inches()
    x, y, across, up = box
    left, below, right, above = margins
    axes = (x + left, y + below, across - left - right, up - below - above)
    plot.paint(figure.add_axes((axes[0] / wide, axes[1] / high, axes[2] / wide, axes[3] / high)))
    bold: dict[str, Any] = {"fontsize": 9.5, "fontweight": "bold"}
    lines = [(text, bold) for text in _title(figure, plot)]
    lines += [(plot.remark, {"fontsize": 8.5, "color": GREY})] if plot.remark else []
    for number, (text, look) in enumerate(reversed(lines)):
        figure.text((x + left) / wide, (y + up + LINE * number) / high, text, va="baseline", **look)
    for number, text in enumerate(plot.beneath):
        cut = fitted(figure, text, 8.5, across - left - PAD)
        figure.text((x + left) / wide, (y - LINE * (number + 0.75)) / high, cut, va="baseline", fontsize=8.5)


def _title(figure: Figure, plot: Plot) -> list[str]:
    """The title's lines: as many as its plot is wide enough for."""
    if not plot.title:
        return []
    letters = text_inches(figure, plot.title, 9.5, "bold") / len(plot.title)
    return wrap(plot.title, max(12, int((plot.size[0] - START[0] - 2 * PAD) / letters)), break_on_hyphens=False)


def render(figure: Figure, formats: Iterable[str], title: str = "", description: str = "") -> dict[str, bytes]:
    """The figure as bytes per format, "png" or "svg", with these words in it but not drawn, and without a date."""
    contents, title, description = {}, in_a_line(title), in_a_line(description)
    with mpl.rc_context(SETTINGS):
        for name in formats:
            buffer = BytesIO()
            words = {key: text for key, text in (("Title", title), ("Description", description)) if text}
            metadata: Any = {"Date": None} if name == "svg" else words
            figure.savefig(buffer, format=name, dpi=DOTS_PER_INCH, metadata=metadata)
            content = buffer.getvalue()
            contents[name] = (
                compacted(_described(content.decode(), title, description)).encode() if name == "svg" else content
            )
    return contents


def _described(svg: str, title: str, description: str) -> str:
    """The drawing as one picture with a name, for who cannot see it."""
    words = "".join(
        f" <{tag}>{escape(text)}</{tag}>\n" for tag, text in (("title", title), ("desc", description)) if text
    )
    return re.sub(r"(<svg\b)([^>]*>\n?)", lambda found: f'{found[1]} role="img"{found[2]}{words}', svg, count=1)


def compacted(svg: str) -> str:
    """A drawing of matplotlib's with hundredths of a point in the place of millionths, without rotations by nothing,
    groups that say nothing, spaces and indents, and with what markers of a line share said once: half to two thirds of
    its size.
    """

    def tag(found: re.Match[str]) -> str:  # words of a drawing stay as they are
        text = re.sub(r' transform="rotate\(-0 [^"]*"', "", found[0])
        text = re.sub(r'(?<= )(?:d|x|y|transform)="[^"]*"', lambda places: _NUMBER.sub(_rounded, places[0]), text)
        return re.sub(r'(?<= d=")[^"]*', lambda path: re.sub(r"\s*([A-Za-z])\s*", r"\1", path[0].strip()), text)

    return _MARKERS.sub(_alike, re.sub(r">\n\s*<", ">\n<", _ungrouped(re.sub(r"<[^>]*>", tag, svg))))


def _ungrouped(svg: str) -> str:
    """Without groups that have nothing but a name: matplotlib refers to none."""
    parts: list[str] = []
    kept: list[bool] = []
    for part in re.split(r"(<[^>]*>)", svg):
        if part == "</g>":
            if not kept.pop():
                continue
        elif re.match(r"<g\b", part):
            says = re.fullmatch(r'<g(?: id="[^"]*")?/?>', part) is None
            if not part.endswith("/>"):
                kept.append(says)
            if not says:
                continue
        parts.append(part)
    return "".join(parts)


def _alike(markers: re.Match[str]) -> str:
    return f"<g {markers[1]}>\n" + markers[0].replace(f" {markers[1]}/>", "/>") + "</g>\n"


_MARKERS = re.compile(r'<use [^>]*?(style="[^"]*")/>\n(?:<use [^>]*?\1/>\n)+')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
