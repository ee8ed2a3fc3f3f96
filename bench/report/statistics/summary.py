"""Means, spreads and intervals, per task and for the average of a suite's tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.kind import lowest_score
from bench.report.statistics.intervals import estimate, interval
from bench.report.statistics.samples import AVERAGE, MAIN, Samples

SUMMARY_KEYS = ["suite", "task", "model", "label", "metric"]
SUMMARY = [
    *SUMMARY_KEYS, "method", "head", "main", "mean", "sd", "iqm", "n", "expected", "low", "high", "trivial", "status",
    "protocol", "budget", "backbone_parameters", "trained_parameters", "stored_parameters",
]  # fmt: skip
HIGHEST = 100.0
Columns = dict[str, tuple[str, Any]]


def interquartile_mean(scores: Iterable[float]) -> float:
    """The mean of the middle half: without the lowest and the highest quarter, each rounded down to whole scores.

    Agarwal et al. 2021 (arXiv:2108.13264), section 4.3; equals scipy.stats.trim_mean(scores, 0.25). NaN of nothing.
    """
    ranked = np.sort(np.fromiter((score for score in scores if score == score), dtype=float))
    cut = len(ranked) // 4
    return float(ranked[cut : len(ranked) - cut].mean()) if len(ranked) else float("nan")


def summarise(frame: pd.DataFrame, samples: Samples) -> pd.DataFrame:
    """Per (suite, task, model, label, metric) the statistics over seeds, in the columns SUMMARY.

    `mean`, `sd` (sample standard deviation, divisor n − 1) and `iqm` (interquartile mean) are over the n finished
    seeds, `low` and `high` the 95 % interval over seeds and examples (statistics.intervals), within 0 to 100 and NaN
    where there is none; `expected` is the number of seeds asked for. Without a finished seed the mean is NaN and
    `status` says why. `samples` are those of the frame (statistics.samples).
    """
    columns: Columns = {
        "method": ("method", "first"), "head": ("head", _joined), "main": ("main", "first"),
        "mean": ("score", "mean"), "sd": ("score", "std"), "iqm": ("score", interquartile_mean),
        "n": ("score", "count"), "expected": ("score", "size"),
        "trivial": ("trivial", "mean"), "status": ("status", _status),
        "protocol": ("protocol", _joined), "budget": ("budget", _joined),
        "backbone_parameters": ("backbone_parameters", "max"),
        "trained_parameters": ("trained_parameters", "max"),
        "stored_parameters": ("stored_parameters", "max"),
    }  # fmt: skip
    return _with_interval(frame, SUMMARY_KEYS, columns, samples)


def averages(frame: pd.DataFrame, averaged: Mapping[str, Sequence[str]], samples: Samples) -> pd.DataFrame:
    """Per (suite, model, label) the mean over the suite's averaged tasks of their main metric, in the columns SUMMARY.

    The mean over tasks is taken within a seed, for the seeds at which every averaged task is finished; `mean`, `sd`,
    `n` and the interval are over these seeds, `iqm` is over their scores on all the tasks. Where no seed has
    them all the average is NaN, never one of fewer tasks.
    `trivial` is the mean of the tasks' trivial baselines, NaN unless all are known. With RTE, BoolQ and CB this is the
    y of figure 1 in Liu et al. 2022 (arXiv:2110.07602).
    """
    parts = [_suite_average(frame[frame["suite"] == suite], tuple(tasks), samples) for suite, tasks in averaged.items()]
    return pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=SUMMARY)], ignore_index=True)


def _suite_average(rows: pd.DataFrame, tasks: tuple[str, ...], samples: Samples) -> pd.DataFrame:
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
    full = full.assign(task=AVERAGE, metric=MAIN, main=True, trivial=trivial, status="done")
    full["status"] = full["status"].where(full["score"].notna(), "missing")
    summary = summarise(full, samples)
    runs = by_seed.dropna().stack().groupby(level=["model", "label"]).agg(interquartile_mean)
    return summary.assign(iqm=runs.reindex(pd.MultiIndex.from_frame(summary[["model", "label"]])).to_numpy(dtype=float))


def _trivial(main: pd.DataFrame, tasks: tuple[str, ...]) -> float:
    per_task = main.groupby("task")["trivial"].mean().reindex(list(tasks))
    return float(per_task.mean(skipna=False))


def _with_interval(rows: pd.DataFrame, keys: list[str], columns: Columns, samples: Samples) -> pd.DataFrame:
    if rows.empty:
        return pd.DataFrame(columns=SUMMARY)
    summary = rows.groupby(keys, sort=True).agg(**columns).reset_index()
    row_samples = [samples.get(key) for key in summary[SUMMARY_KEYS].itertuples(index=False, name=None)]
    ends = np.array([interval(estimate(sample)) if sample else (np.nan, np.nan) for sample in row_samples])
    lowest = [[lowest_score(metric)] for metric in summary["metric"]]
    summary[["low", "high"]] = ends.clip(lowest, HIGHEST)
    return summary[SUMMARY]


def _status(values: pd.Series[str]) -> str:
    """ "done" when any seed is; otherwise the kinds of lack, e.g. "failed" or "diverged/missing"."""
    kinds = set(values)
    return "done" if "done" in kinds else "/".join(sorted(kinds))


def _joined(values: pd.Series[str]) -> str:
    return "; ".join(sorted({value for value in values if value}))
