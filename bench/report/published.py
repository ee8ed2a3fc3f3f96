"""The papers' numbers, to be laid over one's own (results/published/*.csv; sources in results/README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.errors import UsageError

COLUMNS = (
    "task", "metric", "model", "parameters", "method", "published_as", "setting", "score", "source", "digitised"
)  # fmt: skip
PLACES = (
    Path(__file__).parents[2] / "results" / "published",  # a checkout
    Path(__file__).parent / "published",  # an installed package
)


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


def main_results(published: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """The numbers of the tasks and metrics in `metrics` (task -> metric) that are no ablation's and not read by eye."""
    wanted = pd.Series(list(zip(published["task"], published["metric"], strict=True)), index=published.index)
    kept = wanted.isin(list(metrics.items())) & (published["setting"] == "") & ~published["digitised"].astype(bool)
    return published[kept]


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
