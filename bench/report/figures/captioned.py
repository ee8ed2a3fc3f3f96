"""Every figure of a report, drawn and captioned: model size, swept settings, costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import pandas as pd

from bench.report.figures import curves
from bench.report.figures import lines as figures
from bench.report.figures.ablations import Ablation, ablations
from bench.report.figures.budgets import against_budgets, orders
from bench.report.figures.dumbbells import draw_pairs
from bench.report.figures.fronts import draw_fronts
from bench.report.figures.pareto import cost_panels
from bench.report.page.html import PageFigure
from bench.report.read.published import CITED, sources
from bench.report.read.sweeps import shown_lines, variants
from bench.report.tables.numbers import natural, seeds_text
from bench.report.tables.scores import trials_text

if TYPE_CHECKING:
    from bench.report.files import Report

MOST_NAMED = 4  # gaps named in a figure's note; the table names all
NARROW = (3.7, 3.5)  # inches, of a figure for a phone
FEW_LINES = 12  # as many a phone's figure can hold
TRAINED_ANEW = "Each point is a training of its own, with a schedule that ends where its budget does."
INTERVALS = "Mean over seeds, bars and bands: 95 % interval over seeds and examples."


@dataclass(frozen=True)
class Picture:
    """A figure: the name of its file without an ending, and what is written over and under it.

    `panels` are those drawn as lines; a page draws them once more, with heading and notes as its own text.
    """

    name: str
    draw: Callable[[], figures.Drawing]
    heading: str
    notes: tuple[str, ...]
    panels: tuple[curves.Panel, ...] = ()

    @cached_property
    def drawing(self) -> figures.Drawing:
        return self.draw()

    @property
    def caption(self) -> str:
        return " ".join([f"{self.heading}.", *self.notes])


def pictures(report: Report, overlay: pd.DataFrame | None = None) -> list[Picture]:
    """Per suite: score against model size, the ablation of each swept setting, score against budget and cost.

    The published numbers in `overlay` are laid over the figures of model size, whole. Ablation figures always show
    those of the report that agree in task, metric, model and method.
    """
    drawn = []
    for suite, tasks in report.chosen.items():
        frame, summary, averages = (
            rows[rows["suite"] == suite] for rows in (report.frame, report.summary, report.averages)
        )
        drawn += _scale(suite, tasks, frame, summary, averages, overlay)
        for ablation in ablations(variants(frame, summary), tasks, report.published):
            drawn.append(_ablation(suite, ablation, frame, report.published))
        for figure in against_budgets(report.outcomes, frame, summary, averages, tasks):
            drawn.append(_budgets(suite, figure, frame))
        drawn += _costs(suite, tasks, frame, averages)
    if not report.chosen:
        empty = curves.Panel("score", (), {}, (), 0)
        drawn.append(_lines("scale", [empty], "Nothing was measured", report.tables[0].notes))
    return drawn


def for_page(picture: Picture) -> PageFigure:
    """The picture as SVG for a page, and one of few lines in a form for phones too."""
    panels, name = picture.panels, picture.name
    if not panels:
        return PageFigure(name, _svg(picture.drawing), many=True)
    few = len(panels) == 1 and len(panels[0].curves) <= FEW_LINES
    narrow = _svg(figures.draw(panels, "", (), NARROW)) if few else ""
    wide = _svg(figures.draw(panels, "", ()))
    return PageFigure(name, wide, picture.heading, picture.notes, narrow, many=len(panels) > 1)


def _svg(drawing: figures.Drawing) -> str:
    return figures.render(drawing, ["svg"])["svg"].decode()


def styles(report: Report, found: Sequence[Picture]) -> dict[str, Mapping[str, figures.Style]]:
    """Per suite how the lines of its scale figure look."""
    of_suite = {f"scale-{suite}": suite for suite in report.chosen}
    return {
        of_suite[picture.name]: figures.assign_styles(curve for panel in picture.panels for curve in panel.curves)
        for picture in found
        if picture.name in of_suite
    }


def _lines(name: str, panels: Sequence[curves.Panel], heading: str, notes: Sequence[str]) -> Picture:
    return Picture(name, partial(figures.draw, panels, heading, notes), heading, tuple(notes), tuple(panels))


def _scale(
    suite: str,
    tasks: Sequence[str],
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    averages: pd.DataFrame,
    overlay: pd.DataFrame | None,
) -> list[Picture]:
    lines, left_out = shown_lines(frame)
    frame, summary, averages = (rows[rows["label"].isin(lines)] for rows in (frame, summary, averages))
    notes = [*_conditions(frame, "backbone parameters (log)"), *([left_out] if left_out else [])]
    if overlay is not None:
        notes.append(f"Open markers: {CITED}, best dev epoch.")
    main = curves.average_panel(summary, averages, tasks, overlay)
    panels = curves.task_panels(summary, tasks, overlay)
    return [
        _lines(f"scale-{suite}", [main], f"{suite}: score against model size", [*_gaps([main]), *notes]),
        _lines(f"scale-{suite}-tasks", panels, f"{suite}: each task against model size", notes),
    ]


def _ablation(suite: str, ablation: Ablation, frame: pd.DataFrame, published: pd.DataFrame | None) -> Picture:
    drawn = {(variant.task, variant.model, variant.label) for variant in ablation.variants}
    keys = pd.Series(list(zip(frame["task"], frame["model"], frame["label"], strict=True)), index=frame.index)
    what = "Along a line" if ablation.panels else "Between joined points"
    notes = [*_gaps(ablation.panels), f"{what} nothing but {ablation.setting} differs."]
    notes += [*_conditions(frame[keys.isin(drawn)], ""), *ablation.notes]
    if published is not None and ablation.published:
        notes.append(f"Open markers: {CITED}, {sources(published, ablation.setting)}.")
    name, heading = f"ablation-{suite}-{ablation.setting}", f"{suite}: {ablation.heading}"
    if ablation.panels:
        return _lines(name, ablation.panels, heading, notes)
    return Picture(name, partial(draw_pairs, ablation.pairs, ablation.setting, heading, notes), heading, tuple(notes))


def _budgets(suite: str, figure: Ablation, frame: pd.DataFrame) -> Picture:
    labels = {variant.label for variant in figure.variants}
    notes = [*_gaps(figure.panels), f"Along a line nothing but the budget's {figure.setting} differ. {TRAINED_ANEW}"]
    notes += (
        ["With more epochs there are more evaluations to choose a step from."] if figure.setting == "epochs" else []
    )
    notes += [*orders(figure), *_conditions(frame[frame["label"].isin(labels)], ""), *figure.notes]
    return _lines(f"budget-{suite}-{figure.setting}", figure.panels, f"{suite}: {figure.heading}", notes)


def _costs(suite: str, tasks: Sequence[str], frame: pd.DataFrame, averages: pd.DataFrame) -> list[Picture]:
    panels = cost_panels(frame, averages, tasks)
    if not panels:
        return []
    y_label = f"mean of {', '.join(tasks)}" if len(tasks) <= curves.FEW_TASKS else f"mean of {len(tasks)} tasks"
    notes = [
        "Each point: a line of the table with one model, a larger marker for a larger model. On the front: nothing "
        "scores as high for as little.",
        "Costs: means over tasks and seeds, of memory the most; a loop's memory counts for every cell that shared it.",
        *_conditions(frame[frame["task"].isin(tasks)], ""),
    ]
    heading = f"{suite}: score against cost"
    return [Picture(f"cost-{suite}", partial(draw_fronts, panels, y_label, heading, notes), heading, tuple(notes))]


def _gaps(panels: Sequence[curves.Panel]) -> list[str]:
    """The note on points that are not there, empty when all are."""
    absent = [name for panel in panels for name in panel.absent]
    if not absent:
        return []
    named = ", ".join(absent[:MOST_NAMED])
    more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
    return [f"{len(absent)} of {sum(panel.num_asked for panel in panels)} points missing: {named}{more}"]


def _conditions(rows: pd.DataFrame, x: str) -> list[str]:
    protocols, budgets = ("; ".join(sorted(set(rows[name]), key=natural)) for name in ("protocol", "budget"))
    return [
        f"{f'x: {x}. ' if x else ''}{INTERVALS} Seeds {seeds_text(rows['seed'])}.",
        f"Protocol: {protocols}. {trials_text(rows)}Budget: {budgets}.",
    ]
