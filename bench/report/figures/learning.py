"""What the figure of selection curves shows, as numbers: does the budget end while a line still rises?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from bench.report.figures.curves import Curve, Panel, Point, averaged_first
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names, panel_title
from bench.report.statistics.rising import LineKey, SelectionCurves

MOST_PANELS = 36
MOST_POINTS = 24  # of a line
X_LABEL = "training steps"


def learning_panels(
    curves: Mapping[LineKey, SelectionCurves], frame: pd.DataFrame, averaged: Sequence[str]
) -> tuple[list[Panel], str]:
    """Mean selection scores over a line's seeds against the step, task by task, in each the models by size; and a note
    on what is not shown, or "".

    `frame` holds the lines of one suite that are to be shown, `averaged` are the tasks of its average, which come
    first. Of more than 36 panels those of the largest models are shown, of each at least one.
    """
    known = {key: value for key, value in curves.items() if value.num_points > 1}
    lines = [
        (str(row["task"]), str(row["model"]), str(row["label"]), str(row["method"]), str(row["metric"]))
        for row in frame[frame["main"].astype(bool)].drop_duplicates(["task", "model", "label"]).to_dict("records")
    ]
    (suite,) = set(frame["suite"])
    shown = [line for line in lines if (suite, *line[:3]) in known]
    tasks = averaged_first((line[0] for line in shown), averaged)
    sizes = model_sizes(frame).fillna(0.0)
    models = sorted({line[1] for line in shown}, key=lambda model: (float(sizes[model]), model))
    kept = models[-max(1, MOST_PANELS // max(1, len(tasks))) :]
    names = model_names(models)
    panels = []
    for task in tasks:
        for model in kept:
            of_panel = sorted(line for line in shown if line[:2] == (task, model))
            if not of_panel:
                continue
            title = panel_title(task, of_panel[0][4], names[model] if len(models) > 1 else "")
            drawn = tuple(
                Curve(label, method, _points(known[suite, task, model, label])) for _, _, label, method, _ in of_panel
            )
            panels.append(Panel(title, drawn, math.nan, (), len(drawn), X_LABEL, log=False))
    return panels, "" if kept == models else f"Of {len(models)} models the {len(kept)} largest are shown."


def _points(curves: SelectionCurves) -> tuple[Point, ...]:
    """At most 24 of them, evenly, the last among them."""
    points = list(zip(curves.steps, curves.means, strict=True))
    apart = math.ceil(len(points) / MOST_POINTS)
    return tuple(Point(f"{step:,}", float(step), score) for step, score in points[::-1][::apart][::-1])
