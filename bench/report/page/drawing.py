"""Figures and markers as SVG inside the page: ids of their own, the page's colours, nothing that points elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from bench.report.figures.style import Style

# matplotlib's markers in a box of 12 × 12
MARKER_PATHS = {
    "o": "M6 1a5 5 0 1 1 0 10a5 5 0 1 1 0-10z",
    "s": "M1.5 1.5h9v9h-9z",
    "^": "M6 1l5.4 10H.6z",
    "v": "M6 11L.6 1h10.8z",
    "<": "M1 6L11 .6v10.8z",
    ">": "M11 6L1 .6v10.8z",
    "D": "M6 .2L11.8 6L6 11.8L.2 6z",
    "P": "M4 .5h4V4h3.5v4H8v3.5H4V8H.5V4H4z",
    "X": "M3.2.5L6 3.3L8.8.5L11.5 3.2L8.7 6l2.8 2.8L8.8 11.5L6 8.7l-2.8 2.8L.5 8.8L3.3 6L.5 3.2z",
}
# Colours that figures.py draws with, as the page's variables: its dark mode and its print have others.
VARIABLES = {
    "#0072b2": "--c0", "#d55e00": "--c1", "#009e73": "--c2", "#cc79a7": "--c3", "#e69f00": "--c4", "#56b4e9": "--c5",
    "#000000": "--ink", "#262626": "--ink", "#6b6b6b": "--muted", "#e6e6e6": "--rule", "#ffffff": "--paper",
}  # fmt: skip


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page: `svg` as matplotlib writes it, and the same for a narrow screen where there is one.

    `heading` stands above it, `notes` below; leave them empty where the drawing has its own. `many` says that it has
    panels side by side, and a narrow screen scrolls over it.
    """

    name: str
    svg: str
    heading: str = ""
    notes: tuple[str, ...] = ()
    narrow: str = ""
    many: bool = False


def inline(figure: PageFigure, number: int) -> dict[str, object]:
    """What the template shows of a figure, the one of that number on its page."""
    wide = _svg_element(figure.svg, f"p{number}w-", "wide many" if figure.many else "wide")
    narrow = _svg_element(figure.narrow, f"p{number}n-", "narrow") if figure.narrow else Markup()
    return {"name": figure.name, "wide": wide, "narrow": narrow, "heading": figure.heading, "notes": figure.notes}


def _svg_element(svg: str, prefix: str, css_class: str) -> Markup:
    """The svg element alone, without metadata, comments and namespaces; ids begin with the prefix."""
    start = svg.index("<svg")
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[start:], flags=re.S)
    text = re.sub(r'\s+xmlns(?::\w+)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href")
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}", text)
    text = re.sub(r'(<svg\b[^>]*?)\s+height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?)\s+width="([^"]*)"', r'\1 style="--drawn: \2"', text, count=1)
    text = re.sub(r"#[0-9a-fA-F]{6}\b", lambda match: _variable(match[0]), text)
    return Markup(re.sub(r"^<svg", f'<svg class="{css_class}" aria-hidden="true"', text))


def _variable(colour: str) -> str:
    name = VARIABLES.get(colour.lower())
    return f"var({name})" if name else colour


def marker_path(marker: str) -> str:
    """The outline of a marker, a circle for one without."""
    return MARKER_PATHS.get(marker, MARKER_PATHS["o"])


def glyph_colour(style: Style) -> str:
    """The style's colour as the page's variable."""
    return _variable(style.colour)


def glyph(style: Style) -> Markup:
    """A line's marker in its colour, as large as the text it stands in."""
    path, colour = marker_path(style.marker), escape(glyph_colour(style))
    outline = f'<path d="{path}" style="fill: {colour}"/>'
    return Markup(f'<svg class="glyph" viewBox="0 0 12 12" aria-hidden="true">{outline}</svg>')


def forest(difference: float, low: float, high: float, margin: float, reach: float) -> Markup:
    """A difference with its interval against zero and ±margin, over an axis from −reach to +reach; what lies beyond
    ends at the edge. Without a finite difference nothing but the axis.
    """

    def place(value: float) -> float:
        return round(80 + 76 * max(-1.0, min(1.0, value / reach)), 1)

    parts = [
        f'<rect class="band" x="{place(-margin)}" y="0" width="{place(margin) - place(-margin):.1f}" height="16"/>',
        '<line class="zero" x1="80" x2="80" y1="0" y2="16"/>',
    ]
    if low == low and high == high:
        parts.append(f'<line class="whisker" x1="{place(low)}" x2="{place(high)}" y1="8" y2="8"/>')
    if difference == difference:
        parts.append(f'<circle class="dot" cx="{place(difference)}" cy="8" r="3.4"/>')
    return Markup(f'<svg class="forest" viewBox="0 0 160 16" aria-hidden="true">{"".join(parts)}</svg>')
