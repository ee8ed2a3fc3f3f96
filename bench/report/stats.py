"""Means, spreads and intervals over seeds, per task and for the average of a suite's chosen tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit  # Student-t quantiles as in scipy.stats.t.ppf, at a third of the import time

LEVEL = 0.95
ENTRY = ["suite", "task", "model", "label", "metric"]
SUMMARY = [
    *ENTRY, "method", "head", "main", "mean", "sd", "n", "expected", "low", "high", "trivial", "status",
    "protocol", "budget", "backbone_parameters", "trained_parameters", "stored_parameters",
]  # fmt: skip
AVERAGE = "average"  # the task's name in the rows of averages()
Columns = dict[str, tuple[str, Any]]


def interval(
    mean: pd.Series[float], sd: pd.Series[float], n: pd.Series[int], level: float = LEVEL
) -> tuple[pd.Series[float], pd.Series[float]]:
    """Low and high end of mean ± t · sd / √n, t the (1 + level) / 2 quantile of Student's t, n − 1 freedoms.

    The classical interval for a normal mean with unknown variance (Student 1908, "The probable error of a mean").
    NaN where n < 2: one seed says nothing about the spread.
    """
    degrees = np.where(n > 1, n - 1, np.nan)
    half = stdtrit(degrees, (1 + level) / 2) * sd / np.sqrt(n.where(n > 0))
    return mean - half, mean + half


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """Per (suite, task, model, label, metric) the statistics over seeds, in the columns SUMMARY.

    `mean` and `sd` (sample standard deviation, divisor n − 1) are over the n finished seeds, `low` and `high` the 95 %
    interval, `expected` the number of seeds asked for. Without a finished seed the mean is NaN and `status` says why.
    """
    columns: Columns = {
        "method": ("method", "first"), "head": ("head", _joined), "main": ("main", "first"),
        "mean": ("score", "mean"), "sd": ("score", "std"), "n": ("score", "count"), "expected": ("score", "size"),
        "trivial": ("trivial", "mean"), "status": ("status", _status),
        "protocol": ("protocol", _joined), "budget": ("budget", _joined),
        "backbone_parameters": ("backbone_parameters", "max"),
        "trained_parameters": ("trained_parameters", "max"),
        "stored_parameters": ("stored_parameters", "max"),
    }  # fmt: skip
    return _with_interval(frame, ENTRY, columns)


def averages(frame: pd.DataFrame, chosen: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Per (suite, model, label) the mean over the suite's chosen tasks of their main metric, in the columns SUMMARY.

    The mean over tasks is taken within a seed, for the seeds at which every chosen task is finished; `mean`, `sd`, `n`
    and the interval are over these seeds. Where no seed has them all the average is NaN, never one of fewer tasks.
    `trivial` is the mean of the tasks' trivial baselines, NaN unless all are known. With RTE, BoolQ and CB this is the
    y of figure 1 in Liu et al. 2022 (arXiv:2110.07602).
    """
    parts = [_suite_average(frame[frame["suite"] == suite], tuple(tasks)) for suite, tasks in chosen.items()]
    return pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=SUMMARY)], ignore_index=True)


def _suite_average(rows: pd.DataFrame, tasks: tuple[str, ...]) -> pd.DataFrame:
    main = rows[rows["main"] & rows["task"].isin(tasks)]
    if main.empty:
        return pd.DataFrame(columns=SUMMARY)
    trivial = _trivial(main, tasks)
    by_seed = main.set_index(["model", "label", "seed", "task"])["score"].unstack("task").reindex(columns=list(tasks))
    scores = by_seed.mean(axis=1, skipna=False).rename("score").reset_index()
    of_line: Columns = {name: (name, "first") for name in ("suite", "method")}
    of_line |= {name: (name, _joined) for name in ("head", "protocol", "budget")}
    of_line |= {f"{name}_parameters": (f"{name}_parameters", "max") for name in ("backbone", "trained", "stored")}
    lines = main.groupby(["model", "label"], sort=True).agg(**of_line).reset_index()
    full = scores.merge(lines, on=["model", "label"])
    full = full.assign(task=AVERAGE, metric="main", main=True, trivial=trivial, status="done")
    full["status"] = full["status"].where(full["score"].notna(), "missing")
    return summarise(full)


def _trivial(main: pd.DataFrame, tasks: tuple[str, ...]) -> float:
    per_task = main.groupby("task")["trivial"].mean().reindex(list(tasks))
    return float(per_task.mean(skipna=False))


def _with_interval(rows: pd.DataFrame, keys: list[str], columns: Columns) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=SUMMARY)
    summary = rows.groupby(keys, sort=True).agg(**columns).reset_index()
    summary["low"], summary["high"] = interval(summary["mean"], summary["sd"], summary["n"])
    return summary[SUMMARY]


def _status(values: pd.Series[str]) -> str:
    """ "done" when any seed is; otherwise the kinds of lack, e.g. "failed" or "diverged/missing"."""
    kinds = set(values)
    return "done" if "done" in kinds else "/".join(sorted(kinds))


def _joined(values: pd.Series[str]) -> str:
    return "; ".join(sorted({value for value in values if value}))
