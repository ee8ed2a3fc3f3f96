"""The papers' main results as rows of a summary, where model, task and metric agree with something measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.report.read.published import PAPER_COLUMNS, main_results, matches, published_label
from bench.report.statistics.samples import AVERAGE, MAIN
from bench.report.statistics.summary import SUMMARY

PUBLISHED_ROWS = [*SUMMARY, *PAPER_COLUMNS]


def beside(
    published: pd.DataFrame | None, summary: pd.DataFrame, averaged: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """The published main results where model, task and metric agree with those of a suite's summary.

    Rows with the columns PUBLISHED_ROWS, named as the summary names suite and model; `label` says that they are
    published and by whom, `status` is "published", seeds and intervals there are none. An average is there where a
    paper has the main metrics of all tasks that the suite averages.
    """
    rows: list[dict[str, Any]] = []
    if published is None:
        return pd.DataFrame(columns=PUBLISHED_ROWS)
    for suite, tasks in averaged.items():
        of_suite = summary[summary["suite"] == suite]
        main = of_suite[of_suite["main"].astype(bool)]
        mains = dict(zip(main["task"], main["metric"], strict=True))
        for model, of_model in of_suite.groupby("model", sort=True):
            measured = set(zip(of_model["task"], of_model["metric"], strict=True))
            size = float(of_model["backbone_parameters"].max())
            known = _of_model(published, str(model), size)
            agrees = [pair in measured for pair in zip(known["task"], known["metric"], strict=True)]
            known = known[np.array(agrees, dtype=bool)]  # an empty list would choose columns
            for _, numbers in known.groupby(["method", "paper"], sort=True):
                row = {"suite": suite, "model": model, "backbone_parameters": size}
                rows += [row | of_line for of_line in _line(numbers, mains, tasks)]
    return pd.DataFrame(rows, columns=PUBLISHED_ROWS)


def _line(numbers: pd.DataFrame, mains: Mapping[str, str], tasks: Sequence[str]) -> list[dict[str, Any]]:
    """A row per number of one paper's method, and the average where it has that of every one of the `tasks`."""
    first = numbers.iloc[0]
    line = {name: first[name] for name in ("method", *PAPER_COLUMNS)}
    line |= {"label": published_label(first["method"], first["paper"])}
    line |= {"n": 0, "expected": 0, "status": "published", "protocol": "paper"}
    by_metric = {(row["task"], row["metric"]): row for row in numbers.to_dict("records")}
    scores = {key: float(row["score"]) for key, row in by_metric.items()}
    rows = [
        line
        | {name: row[name] for name in PAPER_COLUMNS}  # a paper's files may differ in their splits
        | {"task": task, "metric": metric, "main": mains.get(task) == metric, "mean": scores[task, metric]}
        for (task, metric), row in by_metric.items()
    ]
    of_tasks = [scores.get((task, mains.get(task, "")), math.nan) for task in tasks]
    if math.isfinite(sum(of_tasks)):
        rows.append(line | {"task": AVERAGE, "metric": MAIN, "main": True, "mean": sum(of_tasks) / len(of_tasks)})
    return rows


def _of_model(published: pd.DataFrame, model: str, parameters: float) -> pd.DataFrame:
    """The main results of the model, by the rule of read.published.matches."""
    main = main_results(published)
    names = zip(main["model"], main["parameters"], strict=True)
    return main[np.array([matches(model, parameters, name, float(size)) for name, size in names], dtype=bool)]
