"""In what clusters the scored examples of a suite's tasks come, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from bench.registry import suites
from bench.report.statistics.draws import CellDraws


def clusters_text(frame: pd.DataFrame, draws: CellDraws, suite: str) -> tuple[str, ...]:
    """A sentence on how examples are drawn: in which tasks groups are drawn whole, and where none are known."""
    own = frame[(frame["suite"] == suite) & frame["id"].isin(draws.units)]
    grouped = {str(task) for task in own["task"][own["id"].isin(draws.grouped)]}
    alone = sorted({str(task) for task in own["task"]} - grouped)
    parts = []
    if grouped:
        parts.append(f"Examples are drawn in clusters: {', '.join(_named(suite, grouped))}.")
    if alone:
        parts.append(
            f"No clusters are known of {', '.join(alone)}: examples count as independent there, and should they come "
            "in documents or the like, intervals are too narrow."
        )
    return (" ".join(parts),) if parts else ()


def _named(suite: str, grouped: Collection[str]) -> list[str]:
    known = suites()
    words = {task.name: task.clusters for task in known[suite].tasks} if suite in known else {}
    return [f"{task} by {words.get(task) or 'group'}" for task in sorted(grouped)]
