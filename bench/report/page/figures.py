"""A report's figures for its page: each plot as SVG by itself, so that they stand beside or below one another."""

from __future__ import annotations

from dataclasses import replace

from bench.report.figures.captioned import CaptionedFigure
from bench.report.figures.layout import Plot, compose, render
from bench.report.page.drawing import PageFigure, PagePlot

NARROW, WIDE = 3.6, 7.2  # inches; at 96 dots an inch the first is a phone's width
LOW, HIGH = 2.9, 3.9  # of a plot among others and alone on a phone, and of one over the page's width


def for_page(figure: CaptionedFigure) -> PageFigure:
    """The figure as SVG: plots among others in one form, for a column; one with a row to itself in a wide one too."""
    plots = tuple(_plot(plot, alone=len(figure.plots) == 1) for plot in figure.plots)
    return PageFigure(figure.name, figure.heading, figure.notes, figure.keys, plots)


def _plot(plot: Plot, alone: bool) -> PagePlot:
    narrow = _svg(plot, (NARROW, plot.size[1] if plot.broad else LOW))
    wide = _svg(plot, (WIDE, plot.size[1] if plot.broad else HIGH)) if alone or plot.broad else ""
    return PagePlot(narrow, wide, plot.title, plot.remark, plot.beneath)


def _svg(plot: Plot, size: tuple[float, float]) -> str:
    """The axes alone: what stands above and beneath them is the page's own text."""
    drawing = compose([replace(plot, size=size, title="", remark="", beneath=())])
    return render(drawing, ["svg"])["svg"].decode()
