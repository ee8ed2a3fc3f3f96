"""The table of seeds taken apart: the spread of each random stream alone, and of all together."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.escaping.file_names import file_part
from bench.report.read.names import model_names
from bench.report.statistics.variance import TOGETHER
from bench.report.tables.table import Table

NOTES = (
    "Standard deviation (divisor n - 1) of the score over n seeds of one random stream while all others stay at the "
    "first seed; in brackets the share of its square in the sum of squares over the streams varied. Together: init, "
    "order and dropout take the seed at once, as in the cells of the table above. Streams may interact, so the squares "
    "need not add up to that of together; a standard deviation of n seeds is itself uncertain by about "
    "1/sqrt(2(n - 1)) of it.",
    "init: initial values of what trains; order: of the train rows; dropout: its draws; split: which rows are held out "
    "of train to select on.",
)


def variance_table(shares: pd.DataFrame, suite: str) -> Table | None:
    """The spread of a suite's main metrics, a row per model, line and task; None when nothing was varied.

    `shares` are those of statistics.variance, which its CSV holds of all metrics.
    """
    of_suite = shares[shares["suite"] == suite]
    main = of_suite[of_suite["main"].astype(bool)]
    if main.empty:
        return None
    streams = [*sorted(set(main["stream"]) - {TOGETHER}), TOGETHER]
    models = model_names(main["model"])
    rows = []
    for (model, label, task, metric), entry in main.groupby(["model", "label", "task", "metric"], sort=True):
        by_stream = {row.stream: row for row in entry.itertuples()}
        texts = [_spread_text(by_stream.get(stream)) for stream in streams]
        counts = sorted(set(entry["n"].astype(int)))
        seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
        rows.append((models[str(model)], str(label), f"{task} {metric}".strip(), *texts, seeds))
    header = ("model", "method", "task", *(f"{stream} sd" for stream in streams), "seeds")
    return Table(
        f"variance-{file_part(suite)}",
        "Seeds taken apart",
        header,
        tuple(rows),
        NOTES,
        suite,
        heading_level=2,
        numbers=of_suite,
    )


def _spread_text(row: Any) -> str:
    if row is None:
        return "–"
    if math.isnan(row.sd):
        return "missing"
    return f"{row.sd:.2f}" if math.isnan(row.share) else f"{row.sd:.2f} ({100 * row.share:.0f} %)"
