"""The papers' numbers, to be laid over one's own (results/published/*.csv; sources in results/README.md)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bench.errors import UsageError
from bench.report.statistics.samples import AVERAGE
from bench.report.statistics.summary import SUMMARY

if TYPE_CHECKING:
    from bench.report.read.sweeps import Sweep

COLUMNS = (
    "task", "metric", "model", "parameters", "method", "published_as", "setting", "score", "source", "digitised"
)  # fmt: skip
PLACES = (
    Path(__file__).parents[3] / "results" / "published",  # a checkout
    Path(__file__).parent / "published",  # an installed package
)
SHORT = "Liu et al. 2022"
CITED = f"{SHORT} (arXiv:2110.07602)"
SIZE_TOLERANCE = 0.15
_CASED = re.compile(r"-(un)?cased$")
_MARK = re.compile(r"(\w+)=(\S+)")


def find(places: tuple[Path, ...] = PLACES) -> Path:
    """The folder of the published numbers; UsageError when there is none."""
    for place in places:
        if any(place.glob("*.csv")):
            return place
    raise UsageError(
        f"no published numbers found in {' or '.join(map(str, places))}; report without them, or restore the folder"
    )


def read(folder: Path | None = None) -> pd.DataFrame:
    """Every published number, a row each, with the columns COLUMNS; UsageError names a file that lacks one of them.

    `setting` is empty for a paper's main results and names what an ablation changed; `digitised` numbers were read off
    a figure by eye. `parameters` is the backbone's size as the paper gives it; scores run from 0 to 100.
    """
    tables = []
    for path in sorted((folder or find()).glob("*.csv")):
        table = pd.read_csv(path, keep_default_na=False)
        lacking = [name for name in COLUMNS if name not in table.columns]
        if lacking:
            raise UsageError(f"{path} lacks the column {lacking[0]!r}; it needs {', '.join(COLUMNS)}")
        tables.append(table[list(COLUMNS)])
    return pd.concat(tables, ignore_index=True)


def known() -> pd.DataFrame | None:
    """The published numbers where the installation has them, else None: a report can do without them."""
    return read() if any(any(place.glob("*.csv")) for place in PLACES) else None


def main_results(published: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """The numbers of the tasks and metrics in `metrics` (task -> metric) that are no ablation's and not read by eye."""
    wanted = pd.Series(list(zip(published["task"], published["metric"], strict=True)), index=published.index)
    return published[wanted.isin(list(metrics.items())) & _is_main(published)]


def _is_main(published: pd.DataFrame) -> pd.Series[bool]:
    return (published["setting"] == "") & ~published["digitised"].astype(bool)


def main_metrics_of(published: pd.DataFrame | None) -> set[tuple[str, str]]:
    """(task, metric) of the papers' main results."""
    if published is None:
        return set()
    main = published[_is_main(published)]
    return set(zip(main["task"], main["metric"], strict=True))


def means(published: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """Per model and method the mean over the tasks in `metrics`, for those that have all of them.

    Columns method, model, parameters, score, by method and size. With RTE, BoolQ and CB (accuracy) these are the points
    of figure 1 in Liu et al. 2022 (arXiv:2110.07602), and BERT-large beside them.
    """
    rows = main_results(published, metrics)
    groups = rows.groupby(["method", "model", "parameters"], sort=True)
    table = groups.agg(score=("score", "mean"), num_tasks=("task", "nunique")).reset_index()
    full = table[table["num_tasks"] == len(metrics)]
    return full[["method", "model", "parameters", "score"]].sort_values(["method", "parameters"], ignore_index=True)


def matches(model: str, parameters: float, published_model: str, published_parameters: float) -> bool:
    """Whether a model is the one a paper names.

    The name without its owner or folders, in any case, must be the paper's, but for an ending -cased or -uncased
    ("google-bert/bert-large-uncased" is "BERT-large"); where its size is known it must be the paper's within 15 %, so
    that a small model in a folder of that name is not taken for it.
    """
    size_fits = math.isnan(parameters) or abs(parameters / published_parameters - 1) <= SIZE_TOLERANCE
    return size_fits and _key(model) == _key(published_model)


def beside(published: pd.DataFrame | None, summary: pd.DataFrame, chosen: Sequence[str]) -> pd.DataFrame:
    """The published main results where model, task and metric agree with those of one suite's summary.

    Rows with the columns SUMMARY, named as the summary names suite and model; `label` says that they are published,
    `status` is "published", seeds and intervals there are none. An average is there where a paper has all of the
    chosen tasks' main metrics.
    """
    if published is None or summary.empty:
        return pd.DataFrame(columns=SUMMARY)
    main = summary[summary["main"].astype(bool)]
    mains = dict(zip(main["task"], main["metric"], strict=True))
    rows = []
    for model, own in summary.groupby("model", sort=True):
        metrics = set(zip(own["task"], own["metric"], strict=True))
        size = float(own["backbone_parameters"].max())
        found = _matching(published, str(model), size)
        agrees = [pair in metrics for pair in zip(found["task"], found["metric"], strict=True)]
        found = found[np.array(agrees, dtype=bool)]  # an empty list would choose columns
        for method, of_method in found.groupby("method", sort=True):
            line = {"suite": own["suite"].iloc[0], "model": model, "method": method, "label": _label(str(method))}
            line |= {"backbone_parameters": size, "n": 0, "expected": 0, "status": "published", "protocol": "paper"}
            scores = {(row["task"], row["metric"]): row["score"] for row in of_method.to_dict("records")}
            rows += [
                line | {"task": task, "metric": metric, "main": mains.get(task) == metric, "mean": float(score)}
                for (task, metric), score in scores.items()
            ]
            parts = [float(scores.get((task, mains.get(task, "")), math.nan)) for task in chosen]
            if math.isfinite(sum(parts)):
                rows.append(line | {"task": AVERAGE, "metric": "main", "main": True, "mean": sum(parts) / len(parts)})
    return pd.DataFrame(rows, columns=SUMMARY)


def sources(published: pd.DataFrame, setting: str) -> str:
    """Where a paper's ablation of a setting is from: "figure 4 (read by eye)"."""
    rows = published[[setting in dict(_MARK.findall(text)) for text in published["setting"]]]
    pairs = sorted(set(zip(rows["source"], rows["digitised"].astype(bool), strict=True)))
    return ", ".join(f"{source} (read by eye)" if digitised else str(source) for source, digitised in pairs)


def _matching(published: pd.DataFrame, model: str, parameters: float) -> pd.DataFrame:
    """The main results of the model, by the rule of `matches`."""
    main = published[_is_main(published)]
    names = zip(main["model"], main["parameters"], strict=True)
    return main[np.array([matches(model, parameters, name, float(size)) for name, size in names], dtype=bool)]


def _label(method: str) -> str:
    return f"{method} (published: {SHORT})"


def _key(model: str) -> str:
    return _CASED.sub("", model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].casefold())


def ablation(published: pd.DataFrame | None, line: Sweep) -> dict[str, dict[str, float]]:
    """What a paper's ablations score at values of the setting that `line` sweeps: line name -> value -> score.

    Task, metric, model and method must agree, and so must every other setting that the paper names. The line is named
    by these: "ptv2 (reparam=mlp)", or "ptv2" where the paper names none.
    """
    if published is None:
        return {}
    one = line.first
    rows = published[
        (published["task"] == one.task) & (published["metric"] == one.metric) & (published["method"] == one.method)
        & (published["setting"] != "")
    ]  # fmt: skip
    scores: dict[str, dict[str, float]] = {}
    for row in rows.to_dict("records"):
        marks = dict(_MARK.findall(row["setting"]))
        value = marks.pop(line.setting, None)
        fits = matches(one.model, one.backbone_parameters, row["model"], float(row["parameters"]))
        if value is not None and fits and all(str(one.settings.get(name)) == said for name, said in marks.items()):
            words = ", ".join(f"{name}={said}" for name, said in sorted(marks.items()))
            scores.setdefault(f"{one.method} ({words})" if words else one.method, {})[value] = float(row["score"])
    return scores
