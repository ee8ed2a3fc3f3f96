"""Every figure of a report with its legend and caption: model size, swept settings, budgets, costs, training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd
from matplotlib.figure import Figure

from bench.escaping.file_names import file_part
from bench.escaping.markdown import markdown_line, markdown_picture
from bench.report.figures.ablations import Ablation, ablations
from bench.report.figures.budgets import against_budgets, order_notes
from bench.report.figures.curves import FEW_TASKS, Panel, average_panel, task_panels
from bench.report.figures.dumbbells import pair_keys, pair_plots
from bench.report.figures.fronts import MOST_BARS, front_keys, front_plots
from bench.report.figures.layout import Plot, compose
from bench.report.figures.learning import learning_panels
from bench.report.figures.legend import Key
from bench.report.figures.lines import FEW_LINES, line_keys, line_plots
from bench.report.figures.pareto import cost_panels
from bench.report.figures.style import Styles, styles_of
from bench.report.read.alone import PREDICTED
from bench.report.read.names import natural, seeds_text
from bench.report.read.published import main_results, papers_of, sources
from bench.report.read.sweeps import shown_lines, sweep_points
from bench.report.tables.conditions import trials_text
from bench.report.tables.report import Report

MOST_NAMED = 4  # gaps named in a figure's note; the table names all
TRAINED_ANEW = "Each point is a training of its own, with a schedule that ends where its budget does."
OTHERS = "other models"
MOST_ACROSS = 5  # plots of a row
MEANS = "Means over seeds, scores from 0 to 100"
INTERVAL = "95\u00a0% interval over seeds and examples, each by itself"
TRIVIAL = "Dotted: the trivial score, which the best constant answer gets."


@dataclass(frozen=True)
class CaptionedFigure:
    """A figure: the name of its file without an ending, its heading and caption, its plots and their legend.

    `columns`: how many plots a row of its file has, where that means something.
    """

    name: str
    heading: str
    notes: tuple[str, ...]
    plots: tuple[Plot, ...]
    keys: tuple[Key, ...]
    columns: int = 0

    @cached_property
    def drawing(self) -> Figure:
        """All plots under the legend, as files show them."""
        return compose(self.plots, self.keys, self.columns)


def captioned_figures(
    report: Report, overlay: pd.DataFrame | None = None, family_named: Callable[[str], str] = lambda _: ""
) -> list[CaptionedFigure]:
    """Per suite: score against model size, the ablation of each swept setting, score against budget and cost, and
    selection scores against training steps.

    The published numbers in `overlay` are laid over the figures of model size, whole. Ablation figures always show
    those of the report that agree in task, metric, model and method, and with `overlay` what papers found of the
    setting elsewhere, in panels of its own. A method looks the same in all of them. Where `family_named` tells models
    of several families apart, the figures of model size have a line of each.
    """
    families = _families(set(report.frame["model"]), family_named)
    published = [] if overlay is None else sorted(set(overlay["method"]))
    styles = styles_of(report.frame, published, sorted(set(families.values())), report.references)
    figures = []
    for suite, tasks in report.averaged.items():
        frame, summary, averages = (
            part[part["suite"] == suite] for part in (report.frame, report.summary, report.averages)
        )
        rows = SuiteRows(suite, tasks, frame, summary, averages, report.references)
        figures += _scale(rows, styles, overlay, families)
        for ablation in ablations(sweep_points(rows.frame, rows.summary), tasks, report.published, overlay):
            figures.append(_ablation(rows, styles, ablation, report.published))
        for ablation in against_budgets(report.outcomes, rows.frame, rows.summary, rows.averages, tasks):
            figures.append(_budgets(rows, styles, ablation))
        figures += [*_costs(rows, styles), *_learning(rows, styles, report)]
    if not report.averaged:
        empty = Panel("score", (), math.nan, (), 0)
        figures.append(_lines("scale", [empty], styles, "Nothing was measured", report.tables[0].notes))
    return figures


def captions(figures: Sequence[CaptionedFigure], ending: str) -> str:
    """The figures' files with that ending, each with its heading and its caption, as Markdown."""
    parts = [
        [
            f"## {markdown_line(figure.heading)}",
            markdown_picture(figure.heading, f"{figure.name}.{ending}"),
            *map(markdown_line, figure.notes),
        ]
        for figure in figures
    ]
    return "\n\n".join(["# Figures", *(line for part in parts for line in part)]) + "\n"


@dataclass(frozen=True)
class SuiteRows:
    """The rows of one suite; `tasks` are those of its average."""

    suite: str
    tasks: tuple[str, ...]
    frame: pd.DataFrame
    summary: pd.DataFrame
    averages: pd.DataFrame
    references: frozenset[str]  # labels of lines that others are compared with


def _lines(name: str, panels: Sequence[Panel], styles: Styles, heading: str, notes: Sequence[str]) -> CaptionedFigure:
    looks = styles.of_curves(curve for panel in panels for curve in panel.curves)
    plots, keys = line_plots(panels, looks), line_keys(panels, looks)
    return CaptionedFigure(name, heading, tuple(notes), tuple(plots), tuple(keys))


def _families(models: Iterable[str], family_named: Callable[[str], str]) -> dict[str, str]:
    """Per model its family, where there are several; "other models" are those of none."""
    named = {model: family_named(model) or OTHERS for model in models}
    return named if len(set(named.values()) - {OTHERS}) > 1 else {}


def _scale(
    rows: SuiteRows, styles: Styles, overlay: pd.DataFrame | None, families: Mapping[str, str]
) -> list[CaptionedFigure]:
    lines, left_out = shown_lines(rows.frame, rows.references)
    frame, summary, averages = (part[part["label"].isin(lines)] for part in (rows.frame, rows.summary, rows.averages))
    notes = [*([left_out] if left_out else []), *_conditions(frame)]
    if overlay is not None:
        papers = "; ".join(f"{paper.cited}, {paper.selection}" for paper in papers_of(main_results(overlay)))
        notes.append(f"Open markers: {papers}.")
    line = "A line: a method with its settings" + (", on one family of models." if families else ".")
    main = average_panel(summary, averages, rows.tasks, overlay, families)
    panels, name = task_panels(summary, rows.tasks, overlay, families), f"scale-{file_part(rows.suite)}"
    return [
        _lines(
            name, [main], styles, f"{rows.suite}: score against model size",
            [*_gaps([main]), _read_lines([main], line), *notes],
        ),
        _lines(
            f"{name}-tasks", panels, styles, f"{rows.suite}: each task against model size",
            [_read_lines(panels, line), *notes],
        ),
    ]  # fmt: skip


def _ablation(rows: SuiteRows, styles: Styles, ablation: Ablation, published: pd.DataFrame | None) -> CaptionedFigure:
    drawn = {(point.task, point.model, point.label) for point in ablation.points}
    frame = rows.frame
    keys = pd.Series(list(zip(frame["task"], frame["model"], frame["label"], strict=True)), index=frame.index)
    conditions = _conditions(frame[keys.isin(drawn)])
    papers = (
        [f"Open markers: {sources(published, ablation.setting)}."]
        if published is not None and ablation.published
        else []
    )
    name = f"ablation-{file_part(rows.suite)}-{file_part(ablation.setting)}"
    heading = f"{rows.suite}: {ablation.heading}"
    if ablation.panels:
        read = _read_lines(ablation.panels, f"Along a line nothing but {ablation.setting} differs.")
        notes = [*_gaps(ablation.panels), read, *conditions, *ablation.notes, *papers]
        return _lines(name, ablation.panels, styles, heading, notes)
    read = f"Between joined points nothing but {ablation.setting} differs. {MEANS}; bars: {INTERVAL}. {TRIVIAL}"
    plots, legend = pair_plots(ablation.pairs), pair_keys(ablation.pairs, ablation.setting)
    return CaptionedFigure(
        name, heading, (read, *conditions, *ablation.notes, *papers), tuple(plots), tuple(legend)
    )  # fmt: skip


def _budgets(rows: SuiteRows, styles: Styles, figure: Ablation) -> CaptionedFigure:
    labels = {point.label for point in figure.points}
    read = _read_lines(figure.panels, f"Along a line nothing but the budget's {figure.setting} differ. {TRAINED_ANEW}")
    notes = [*_gaps(figure.panels), read]
    notes += (
        ["With more epochs there are more evaluations to choose a step from."] if figure.setting == "epochs" else []
    )
    notes += [*order_notes(figure), *_conditions(rows.frame[rows.frame["label"].isin(labels)]), *figure.notes]
    name = f"budget-{file_part(rows.suite)}-{figure.setting}"
    heading = f"{rows.suite}: {figure.heading}"
    return _lines(name, figure.panels, styles, heading, notes)


def _costs(rows: SuiteRows, styles: Styles) -> list[CaptionedFigure]:
    panels, tasks = cost_panels(rows.frame, rows.averages, rows.tasks), rows.tasks
    if not panels:
        return []
    y_label = f"mean of {', '.join(tasks)}" if len(tasks) <= FEW_TASKS else f"mean of {len(tasks)} tasks"
    spots = [(spot.method, spot.label) for panel in panels for spot in panel.spots]
    on_front = ", on the front alone" if max(len(panel.spots) for panel in panels) > MOST_BARS else ""
    several = len(set(spots)) > len({method for method, _ in spots})
    shades = " Shades of a colour, and halves of a marker: lines of one method." if several else ""
    notes = [
        "Each point: a line of the table with one model, a larger marker for a larger model. On the Pareto front, by "
        f"number: nothing scores as high for as little. {MEANS}; bars{on_front}: {INTERVAL}. {TRIVIAL}{shades}",
        f"Costs: means over tasks and seeds, of memory the most, of one training alone{_predicted(rows)}.",
        *_conditions(rows.frame[rows.frame["task"].isin(tasks)]),
    ]
    plots, keys = front_plots(panels, y_label, styles), front_keys(panels, styles)
    models = sorted({spot.model for panel in panels for spot in panel.spots})
    heading = f"{rows.suite}: score against cost" + (f", {models[0]}" if len(models) == 1 else "")
    return [CaptionedFigure(f"cost-{file_part(rows.suite)}", heading, tuple(notes), tuple(plots), tuple(keys))]


def _learning(rows: SuiteRows, styles: Styles, report: Report) -> list[CaptionedFigure]:
    lines, left_out = shown_lines(rows.frame, rows.references)
    frame = rows.frame[rows.frame["label"].isin(lines)]
    panels, fewer = learning_panels(report.curves, frame, rows.tasks)
    if not panels:
        return []
    read = (
        "A line: a method with its settings. Means over seeds, from 0 to 100, on the rows that steps are chosen on, "
        "which under the holdout protocol are not those that tables score. A line that still rises at its end might "
        "score higher with a longer budget."
    )
    notes = [note for note in (read, left_out, fewer) if note]
    heading = f"{rows.suite}: selection score against training steps"
    figure = _lines(f"curves-{file_part(rows.suite)}", panels, styles, heading, [*notes, *_conditions(frame)])
    tasks, models = (len({key[place] for key in report.curves if key[0] == rows.suite}) for place in (1, 2))
    is_whole = len(panels) == tasks * models and 1 < models <= MOST_ACROSS
    return [replace(figure, columns=models) if is_whole else figure]  # a row for each task


def _read_lines(panels: Sequence[Panel], line: str) -> str:
    """How a figure of lines is read."""
    most = max((sum(not curve.published for curve in panel.curves) for panel in panels), default=0)
    bars = "bars and bands" if most <= FEW_LINES else "bars, a little apart from line to line"
    return f"{line} {MEANS}; {bars}: {INTERVAL}. {TRIVIAL}"


def _predicted(rows: SuiteRows) -> str:
    """Of which lines memory and time are not those of a training alone."""
    shared = rows.frame[(rows.frame["alone"] == PREDICTED) & rows.frame["task"].isin(rows.tasks)]
    lines = sorted(set(shared["label"]), key=natural)
    what = "which shared loops or a GPU, a loop's whole memory and a part of its time"
    return f"; of {', '.join(lines)}, {what}" if lines else ""


def _gaps(panels: Sequence[Panel]) -> list[str]:
    """The note on points that are not there, empty when all are."""
    absent = [name for panel in panels for name in panel.absent]
    if not absent:
        return []
    named = ", ".join(absent[:MOST_NAMED])
    more = f" and {len(absent) - MOST_NAMED} more" if len(absent) > MOST_NAMED else ""
    return [f"{len(absent)} of {sum(panel.num_asked for panel in panels)} points missing: {named}{more}"]


def _conditions(rows: pd.DataFrame) -> list[str]:
    protocols, budgets = ("; ".join(sorted(set(rows[name]), key=natural)) for name in ("protocol", "budget"))
    return [f"Seeds {seeds_text(rows['seed'])}. Protocol: {protocols}. {trials_text(rows)}Budget: {budgets}."]
