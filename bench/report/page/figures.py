"""A report's figures for its page: as SVG, in a form for phones too, and how the lines look that its text names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.report.figures.captioned import CaptionedFigure
from bench.report.figures.layout import Drawing, render
from bench.report.figures.lines import draw_lines
from bench.report.figures.style import Style, assign_styles
from bench.report.page.drawing import PageFigure
from bench.report.tables.report import Report

NARROW = (3.7, 3.5)  # inches, of a figure for a phone
FEW_LINES = 12  # as many a phone's figure can hold


def for_page(figure: CaptionedFigure) -> PageFigure:
    """The figure as SVG for a page, and one of few lines in a form for phones too."""
    panels, name = figure.panels, figure.name
    if not panels:
        return PageFigure(name, _svg(figure.drawing), many=True)
    few = len(panels) == 1 and len(panels[0].curves) <= FEW_LINES
    narrow = _svg(draw_lines(panels, "", (), NARROW)) if few else ""
    wide = _svg(draw_lines(panels, "", ()))
    return PageFigure(name, wide, figure.heading, figure.notes, narrow, many=len(panels) > 1)


def _svg(drawing: Drawing) -> str:
    return render(drawing, ["svg"])["svg"].decode()


def line_styles(report: Report, figures: Sequence[CaptionedFigure]) -> dict[str, Mapping[str, Style]]:
    """Per suite how the lines of its scale figure look."""
    of_suite = {f"scale-{suite}": suite for suite in report.averaged}
    return {
        of_suite[figure.name]: assign_styles(curve for panel in figure.panels for curve in panel.curves)
        for figure in figures
        if figure.name in of_suite
    }
