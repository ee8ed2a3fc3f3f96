"""Every figure of a report, drawn and captioned: model size, swept settings, costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd

from bench.report.figures.ablations import Ablation, ablations
from bench.report.figures.budgets import against_budgets, order_notes
from bench.report.figures.curves import FEW_TASKS, Panel, average_panel, task_panels
from bench.report.figures.dumbbells import draw_pairs
from bench.report.figures.fronts import draw_fronts
from bench.report.figures.layout import Drawing
from bench.report.figures.lines import draw_lines
from bench.report.figures.pareto import cost_panels
from bench.report.read.alone import PREDICTED
from bench.report.read.names import natural, seeds_text
from bench.report.read.published import main_results, papers_of, sources
from bench.report.read.sweeps import shown_lines, sweep_points
from bench.report.tables.conditions import trials_text
from bench.report.tables.report import Report

MOST_NAMED = 4  # gaps named in a figure's note; the table names all
TRAINED_ANEW = "Each point is a training of its own, with a schedule that ends where its budget does."
INTERVALS = "Mean over seeds, bars and bands: 95 % interval over seeds and examples, each by itself."


@dataclass(frozen=True)
class CaptionedFigure:
    """A figure: the name of its file without an ending, and what is written over and under it.

    `panels` are those drawn as lines; a page draws them once more, with heading and notes as its own text.
    """

    name: str
    draw: Callable[[], Drawing]
    heading: str
    notes: tuple[str, ...]
    panels: tuple[Panel, ...] = ()

    @cached_property
    def drawing(self) -> Drawing:
        return self.draw()


def captioned_figures(report: Report, overlay: pd.DataFrame | None = None) -> list[CaptionedFigure]:
    """Per suite: score against model size, the ablation of each swept setting, score against budget and cost.

    The published numbers in `overlay` are laid over the figures of model size, whole. Ablation figures always show
    those of the report that agree in task, metric, model and method.
    """
    figures = []
    for suite, tasks in report.averaged.items():
        rows = SuiteRows(
            suite, tasks, *(part[part["suite"] == suite] for part in (report.frame, report.summary, report.averages))
        )
        figures += _scale(rows, overlay)
        for ablation in ablations(sweep_points(rows.frame, rows.summary), tasks, report.published):
            figures.append(_ablation(rows, ablation, report.published))
        for ablation in against_budgets(report.outcomes, rows.frame, rows.summary, rows.averages, tasks):
            figures.append(_budgets(rows, ablation))
        figures += _costs(rows)
    if not report.averaged:
        empty = Panel("score", (), {}, (), 0)
        figures.append(_lines("scale", [empty], "Nothing was measured", report.tables[0].notes))
    return figures


@dataclass(frozen=True)
class SuiteRows:
    """The rows of one suite; `tasks` are those of its average."""

    suite: str
    tasks: tuple[str, ...]
    frame: pd.DataFrame
    summary: pd.DataFrame
    averages: pd.DataFrame


def _lines(name: str, panels: Sequence[Panel], heading: str, notes: Sequence[str]) -> CaptionedFigure:
    return CaptionedFigure(name, partial(draw_lines, panels, heading, notes), heading, tuple(notes), tuple(panels))


def _scale(rows: SuiteRows, overlay: pd.DataFrame | None) -> list[CaptionedFigure]:
    lines, left_out = shown_lines(rows.frame)
    frame, summary, averages = (part[part["label"].isin(lines)] for part in (rows.frame, rows.summary, rows.averages))
    notes = [*_conditions(frame, "backbone parameters (log)"), *([left_out] if left_out else [])]
    if overlay is not None:
        papers = "; ".join(f"{paper.cited}, {paper.selection}" for paper in papers_of(main_results(overlay)))
        notes.append(f"Open markers: {papers}.")
    main = average_panel(summary, averages, rows.tasks, overlay)
    panels, name = task_panels(summary, rows.tasks, overlay), f"scale-{rows.suite}"
    return [
        _lines(name, [main], f"{rows.suite}: score against model size", [*_gaps([main]), *notes]),
        _lines(f"{name}-tasks", panels, f"{rows.suite}: each task against model size", notes),
    ]


def _ablation(rows: SuiteRows, ablation: Ablation, published: pd.DataFrame | None) -> CaptionedFigure:
    drawn = {(point.task, point.model, point.label) for point in ablation.points}
    frame = rows.frame
    keys = pd.Series(list(zip(frame["task"], frame["model"], frame["label"], strict=True)), index=frame.index)
    what = "Along a line" if ablation.panels else "Between joined points"
    notes = [*_gaps(ablation.panels), f"{what} nothing but {ablation.setting} differs."]
    notes += [*_conditions(frame[keys.isin(drawn)], ""), *ablation.notes]
    if published is not None and ablation.published:
        notes.append(f"Open markers: {sources(published, ablation.setting)}.")
    name, heading = f"ablation-{rows.suite}-{ablation.setting}", f"{rows.suite}: {ablation.heading}"
    if ablation.panels:
        return _lines(name, ablation.panels, heading, notes)
    drawing = partial(draw_pairs, ablation.pairs, ablation.setting, heading, notes)
    return CaptionedFigure(name, drawing, heading, tuple(notes))


def _budgets(rows: SuiteRows, figure: Ablation) -> CaptionedFigure:
    labels = {point.label for point in figure.points}
    notes = [*_gaps(figure.panels), f"Along a line nothing but the budget's {figure.setting} differ. {TRAINED_ANEW}"]
    notes += (
        ["With more epochs there are more evaluations to choose a step from."] if figure.setting == "epochs" else []
    )
    notes += [*order_notes(figure), *_conditions(rows.frame[rows.frame["label"].isin(labels)], ""), *figure.notes]
    return _lines(f"budget-{rows.suite}-{figure.setting}", figure.panels, f"{rows.suite}: {figure.heading}", notes)


def _costs(rows: SuiteRows) -> list[CaptionedFigure]:
    panels, tasks = cost_panels(rows.frame, rows.averages, rows.tasks), rows.tasks
    if not panels:
        return []
    y_label = f"mean of {', '.join(tasks)}" if len(tasks) <= FEW_TASKS else f"mean of {len(tasks)} tasks"
    notes = [
        "Each point: a line of the table with one model, a larger marker for a larger model. On the front: nothing "
        "scores as high for as little.",
        f"Costs: means over tasks and seeds, of memory the most, of one training alone{_predicted(rows)}.",
        *_conditions(rows.frame[rows.frame["task"].isin(tasks)], ""),
    ]
    heading = f"{rows.suite}: score against cost"
    drawing = partial(draw_fronts, panels, y_label, heading, notes)
    return [CaptionedFigure(f"cost-{rows.suite}", drawing, heading, tuple(notes))]


def _predicted(rows: SuiteRows) -> str:
    """Of which lines memory and time are not those of a training alone."""
    shared = rows.frame[(rows.frame["alone"] == PREDICTED) & rows.frame["task"].isin(rows.tasks)]
    lines = sorted(set(shared["label"]), key=natural)
    what = "which shared loops, a loop's whole memory and a part of its time"
    return f"; of {', '.join(lines)}, {what}" if lines else ""


def _gaps(panels: Sequence[Panel]) -> list[str]:
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
