"""Seeds taken apart: how much of the spread comes from which random stream (`bench run --vary`).

Each stream is varied alone while the others stay at the first seed, as in Dodge et al. 2020 (arXiv:2002.06305, weight
initialisation against data order) and Bouthillier et al. 2021 (arXiv:2103.03098, one source of variance at a time).
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.report.tables.numbers import model_texts
from bench.report.tables.table import Section

ENTRY = ["suite", "task", "model", "label", "metric"]
SHARES = [*ENTRY, "method", "main", "stream", "n", "sd", "share"]
TOGETHER = "together"  # the stream's name in the rows of the ordinary cells, whose streams take the seed at once
NOTES = (
    "Standard deviation (divisor n - 1) of the score over n seeds of one random stream while all others stay at the "
    "first seed; in brackets the share of its square in the sum of squares over the streams varied. Together: init, "
    "order and dropout take the seed at once, as in the cells of the table above. Streams may interact, so the squares "
    "need not add up to that of together; a standard deviation of n seeds is itself uncertain by about "
    "1/sqrt(2(n - 1)) of it.",
    "init: initial values of what trains; order: of the train rows; dropout: its draws; split: which rows are held out "
    "of train to select on.",
)


def shares(varied: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """Per entry and stream the spread when that stream varies alone, in the columns SHARES.

    `varied` and `scored` are frames of read.frame. With y_1 … y_n the scores at n seeds of stream k, the first
    of them the ordinary cell at the first seed: sd_k² = Σ (y_i − mean)² / (n − 1), share_k = sd_k² / Σ_j sd_j² over
    the streams varied. Without two finished seeds sd is NaN; the shares are NaN unless every stream has an sd and the
    sum is above 0. Rows of the stream "together" have the spread over the ordinary seeds, and no share.
    """
    if varied.empty:
        return pd.DataFrame(columns=SHARES)
    found = _spread(varied, [*ENTRY, "stream"])
    squares = found.assign(square=found["sd"] ** 2).groupby(ENTRY)["square"]
    total = squares.transform("sum", min_count=1).where(squares.transform("count") == squares.transform("size"))
    found["share"] = (found["sd"] ** 2 / total).where(total > 0)
    ordinary = _spread(scored, ENTRY).assign(stream=TOGETHER, share=math.nan)
    asked = found[ENTRY].drop_duplicates()
    return pd.concat([found, ordinary.merge(asked, on=ENTRY)], ignore_index=True)[SHARES]


def _spread(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    columns: dict[str, tuple[str, Any]] = {
        "method": ("method", "first"), "main": ("main", "first"), "n": ("score", "count"), "sd": ("score", "std"),
    }  # fmt: skip
    return rows.groupby(keys, sort=True).agg(**columns).reset_index()


def variance_section(table: pd.DataFrame, suite: str) -> Section | None:
    """The shares of a suite's main metrics, a row per model, line and task; None when nothing was varied."""
    own = table[(table["suite"] == suite) & table["main"]]
    if own.empty:
        return None
    streams = [*sorted(set(own["stream"]) - {TOGETHER}), TOGETHER]
    models = model_texts(own["model"])
    rows = []
    for (model, label, task, metric), entry in own.groupby(["model", "label", "task", "metric"], sort=True):
        by_stream = {row.stream: row for row in entry.itertuples()}
        texts = [_entry(by_stream.get(stream)) for stream in streams]
        counts = sorted(set(entry["n"].astype(int)))
        seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
        rows.append((models[str(model)], str(label), f"{task} {metric}".strip(), *texts, seeds))
    header = ("model", "method", "task", *(f"{stream} sd" for stream in streams), "seeds")
    return Section(f"variance-{suite}", "Seeds taken apart", header, tuple(rows), NOTES)


def _entry(row: Any) -> str:
    if row is None:
        return "–"
    if math.isnan(row.sd):
        return "missing"
    return f"{row.sd:.2f}" if math.isnan(row.share) else f"{row.sd:.2f} ({100 * row.share:.0f} %)"


def variance_csv(table: pd.DataFrame, suite: str) -> str:
    """The numbers behind the section, a line per entry, metric and stream."""
    own = table[table["suite"] == suite]
    return own.to_csv(index=False, float_format="%.6g", lineterminator="\n")
