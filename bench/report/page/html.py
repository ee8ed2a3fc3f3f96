"""The report as one HTML page that needs nothing else: styles, script, figures and data are in it.

What comes from data sets, settings and errors reaches the page as text: Jinja escapes it, and the script that shows the
embedded data writes through textContent alone. A content security policy lets nothing but the page's own script run
and nothing be fetched.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, select_autoescape
from markupsafe import Markup

from bench.escaping.unseen import visible
from bench.report.figures.captioned import CaptionedFigure
from bench.report.figures.style import Style, styles_of
from bench.report.page.cells import embed
from bench.report.page.content import describe
from bench.report.page.drawing import glyph, glyph_clip, glyph_colour, inline, marker_path
from bench.report.page.figures import for_page
from bench.report.tables.report import Report
from bench.version import __version__

_UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}  # the unseen ones are written out already


def page(report: Report, figures: Sequence[CaptionedFigure], num_samples: int) -> str:
    """The page; `figures` stand below the claim in their order.

    Of a cell at most `num_samples` predictions are shown, none of any cell with 0.
    """
    embedded = embed(report, num_samples)
    looks = _looks(report)
    data = embedded.data | {
        "glyphs": {
            label: [marker_path(style.marker), glyph_colour(style), glyph_clip(style)] for label, style in looks.items()
        }
    }
    shown = [for_page(figure) for figure in figures] if report.averaged else []
    script = _text("script.js")
    context = describe(report, embedded) | {
        "figures": [inline(figure, number) for number, figure in enumerate(shown)],
        "glyphs": {label: glyph(style) for label, style in looks.items()},
        "style": Markup(_text("style.css")),
        "script": Markup(script),
        "script_hash": "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "data": Markup(_json(data)),
        "version": __version__,
    }
    environment = Environment(
        autoescape=select_autoescape(default=True, default_for_string=True), undefined=StrictUndefined,
        trim_blocks=True, finalize=_shown,
    )  # fmt: skip
    return environment.from_string(_text("page.html.jinja")).render(context)


def _looks(report: Report) -> dict[str, Style]:
    """How each line of the report looks, by its label: as in the figures."""
    styles = styles_of(report.frame, references=report.references)
    return {label: styles.style_of(method, setting=label) for method, label in sorted(styles.lines)}


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(data: Any) -> str:
    """JSON that can stand in a script element: no markup can begin or end in it."""
    return visible(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)).translate(_UNSAFE)


def _shown(value: Any) -> Any:
    """What an expression of the template gives, with what is unseen in it written out."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
