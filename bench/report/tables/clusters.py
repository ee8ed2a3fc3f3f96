"""In what clusters the scored examples of a suite's tasks come, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Collection

from bench.report.statistics.findings import Findings


def clusters_text(findings: Findings, suite: str) -> tuple[str, ...]:
    """A sentence on how examples are drawn: in which tasks groups are drawn whole, and where none are known."""
    frame, draws = findings.frame, findings.draws
    drawn = frame[(frame["suite"] == suite) & frame["id"].isin(draws.units)]
    grouped = {str(task) for task in drawn["task"][drawn["id"].isin(draws.grouped)]}
    alone = sorted({str(task) for task in drawn["task"]} - grouped)
    parts = []
    if grouped:
        parts.append(f"Examples are drawn in clusters: {', '.join(_named(findings, suite, grouped))}.")
    if alone:
        parts.append(
            f"No clusters are known of {', '.join(alone)}: examples count as independent there, and should they come "
            "in documents or the like, intervals are too narrow."
        )
    return (" ".join(parts),) if parts else ()


def _named(findings: Findings, suite: str, grouped: Collection[str]) -> list[str]:
    declared = findings.suites.get(suite)
    words = {task.name: task.clusters for task in declared.tasks} if declared else {}
    return [f"{task} by {words.get(task) or 'group'}" for task in sorted(grouped)]
