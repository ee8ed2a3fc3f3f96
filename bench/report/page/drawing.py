"""Figures and markers as SVG inside the page: ids of their own, the page's colours, nothing that points elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from bench.report.figures.legend import Key
from bench.report.figures.style import COLOURS, SHADES, Style, inked

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
    "d": "M6 .2L9.6 6L6 11.8L2.4 6z",
    "*": "M6 .4L7.4 4.4L11.7 4.5L8.3 7.1L9.5 11.2L6 8.8L2.5 11.2L3.7 7.1L.3 4.5L4.6 4.4z",
    "h": "M6 .5L10.8 3.2V8.8L6 11.5L1.2 8.8V3.2z",
    "p": "M6 .5L11.4 4.4L9.4 10.8H2.6L.6 4.4z",
    "8": "M3.9 .9H8.1L11.1 3.9V8.1L8.1 11.1H3.9L.9 8.1V3.9z",
    "X": "M3.2.5L6 3.3L8.8.5L11.5 3.2L8.7 6l2.8 2.8L8.8 11.5L6 8.7l-2.8 2.8L.5 8.8L3.3 6L.5 3.2z",
}
CLIPS = {"left": "inset(0 50% 0 0)", "bottom": "inset(50% 0 0 0)", "right": "inset(0 0 0 50%)"}  # of style.FILLS
# Colours that figures are drawn with, as the page's variables: its dark mode and its print have others.
_BASES = {colour: f"--c{place}" for place, colour in enumerate(COLOURS)}
VARIABLES = {colour.lower(): f"var({name})" for colour, name in _BASES.items()} | {
    inked(colour, shade).lower(): f"color-mix(in srgb, var({name}) {100 * (1 - shade):.0f}%, var(--ink))"
    for colour, name in _BASES.items()
    for shade in SHADES
    if shade
} | {
    "#000000": "var(--ink)", "#262626": "var(--ink)", "#6b6b6b": "var(--muted)", "#e6e6e6": "var(--rule)",
    "#b8b8b8": "var(--rule)", "#8a8a8a": "var(--muted)", "#ffffff": "var(--paper)",
}  # fmt: skip


@dataclass(frozen=True)
class PagePlot:
    """A plot as matplotlib writes it: `narrow` for a column, `wide` for the page where it has a row to itself."""

    narrow: str
    wide: str
    title: str
    remark: str
    beneath: tuple[str, ...]


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page: its heading and legend stand above its plots, its notes below."""

    name: str
    heading: str
    notes: tuple[str, ...]
    keys: tuple[Key, ...]
    plots: tuple[PagePlot, ...]


def inline(figure: PageFigure, number: int) -> dict[str, object]:
    """What the template shows of a figure, the one of that number on its page."""
    lines = ", ".join(key.text for key in figure.keys)
    return {
        "name": figure.name,
        "heading": figure.heading,
        "notes": figure.notes,
        "keys": [{"text": key.text, "sample": sample(key)} for key in figure.keys],
        "plots": [
            {
                "title": plot.title,
                "remark": plot.remark,
                "beneath": plot.beneath,
                "said": ": ".join(filter(None, (figure.heading, plot.title))) + (f". Lines: {lines}" if lines else ""),
                "narrow": _svg_element(plot.narrow, f"p{number}-{place}n-", "narrow" if plot.wide else "only"),
                "wide": _svg_element(plot.wide, f"p{number}-{place}w-", "wide") if plot.wide else Markup(),
            }
            for place, plot in enumerate(figure.plots)
        ],
    }


def _svg_element(svg: str, prefix: str, css_class: str) -> Markup:
    """The svg element alone, without metadata, comments, namespaces, typeface and names of groups; ids begin with the
    prefix.
    """
    start = svg.index("<svg")
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg[start:], flags=re.S)
    text = re.sub(r'\s+xmlns(?::\w+)?="[^"]*"', "", text)
    text = text.replace("xlink:href", "href").replace(' role="img"', "", 1)
    text = re.sub(r";? ?font-family: [^;\"]*(?:'[^']*'[^;\"]*)*", "", text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\1{prefix}", text)
    text = re.sub(r'(<svg\b[^>]*?)\s+height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg\b[^>]*?)\s+width="([^"]*)"', r'\1 style="--drawn: \2"', text, count=1)
    text = re.sub(r"#[0-9a-fA-F]{6}\b", lambda match: _variable(match[0]), text)
    return Markup(re.sub(r"^<svg", f'<svg class="{css_class}" aria-hidden="true"', text))


def _variable(colour: str) -> str:
    return VARIABLES.get(colour.lower(), colour)


def marker_path(marker: str) -> str:
    """The outline of a marker, a circle for one without."""
    return MARKER_PATHS.get(marker, MARKER_PATHS["o"])


def glyph_colour(style: Style) -> str:
    """The style's colour as the page's variable."""
    return _variable(style.colour)


def glyph_clip(style: Style) -> str:
    """What of a marker is filled, as CSS has it; "" for all of it."""
    return CLIPS.get(style.fill, "")


def glyph(style: Style) -> Markup:
    """A line's marker in its colour, as large as the text it stands in."""
    return Markup(f'<svg class="glyph" viewBox="0 0 12 12" aria-hidden="true">{_filled_marker(style)}</svg>')


def _filled_marker(style: Style, transform: str = "") -> str:
    path, colour, clip = marker_path(style.marker), escape(glyph_colour(style)), glyph_clip(style)
    moved = f' transform="{transform}"' if transform else ""
    if not clip:
        return f'<path d="{path}"{moved} style="fill: {colour}"/>'
    outline = f'<path d="{path}"{moved} style="fill: var(--paper); stroke: {colour}"/>'
    return outline + f'<path d="{path}"{moved} style="fill: {colour}; clip-path: {clip}"/>'


def sample(key: Key) -> Markup:
    """A legend's sample: a stroke, a marker, or both."""
    colour = escape(glyph_colour(key.style))
    parts = []
    if key.kind != "point":
        dashes = "none" if key.style.dash == "-" else " ".join(f"{1.6 * length:g}" for length in key.style.dash[1])
        wide = 1.2 if key.published or key.kind == "stroke" else 2
        look = f"stroke: {colour}; stroke-width: {wide}; stroke-dasharray: {dashes}; fill: none"
        parts.append(f'<path d="M1 6H33" style="{look}"/>')
    if key.kind != "stroke":
        beside = "translate(11 0)"
        if key.published:
            look = f"fill: var(--paper); stroke: {colour}; stroke-width: 1.4"
            parts.append(f'<path d="{marker_path(key.style.marker)}" transform="{beside}" style="{look}"/>')
        else:  # of a line the dash tells
            parts.append(_filled_marker(key.style if key.kind == "point" else replace(key.style, dash="-"), beside))
    return Markup(f'<svg class="sample-line" viewBox="0 0 34 12" aria-hidden="true">{"".join(parts)}</svg>')


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
