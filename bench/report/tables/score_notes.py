"""What stands under a table of scores: how to read it, and what limits it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report.read.names import model_names
from bench.report.read.published import Paper, papers_of
from bench.report.statistics.findings import Findings
from bench.report.statistics.rising import rising_text
from bench.report.tables.conditions import conditions

NOT_ASKED = "–"
MOST_NAMED = 4  # entries at the trivial baseline named for a task
ENTRIES_TEXT = (
    "Entries: mean ± sample standard deviation over seeds, scores from 0 to 100; (k/N): k of N seeds are finished; "
    f"{NOT_ASKED}: not asked for."
)
TRIVIAL_TEXT = (
    'The row "trivial" scores, on the same rows, the constant answer that does best on train by the metric: '
    "a class, a candidate's number, no entity, no answer."
)


def score_notes(findings: Findings, suite: str) -> tuple[str, ...]:
    """Conditions, costs, what an entry and the average are, what is near the trivial scores, papers, rising curves."""
    frame, summary, beside = (
        part[part["suite"] == suite] for part in (findings.frame, findings.summary, findings.beside)
    )
    return (
        conditions(frame), *_passes(frame), *_joint(frame), *_cut(frame), ENTRIES_TEXT,
        _average(findings.averaged[suite], findings.left_out[suite]), " ".join((TRIVIAL_TEXT, *_near_trivial(summary))),
        *map(_published, papers_of(beside)), *rising_text(findings.rises, suite),
    )  # fmt: skip


def _average(tasks: Sequence[str], left_out: Sequence[str]) -> str:
    what = "the main metric" if len(tasks) == 1 else "the mean of the main metrics"
    text = (
        f"Average: {what} of {', '.join(tasks)}, taken per seed over the seeds at which all of them are finished; "
        '"missing" where there is no such seed, never a mean of fewer tasks.'
    )
    if left_out:
        text += f" The suite's usual average has {', '.join(left_out)} too, which nobody asked for here."
    return text


def _published(paper: Paper) -> str:
    return (
        f"Rows marked published: {paper.cited}, where model, task and metric agree: {paper.selection} on the "
        f"{paper.splits}, one number without spread."
    )


def _near_trivial(summary: pd.DataFrame) -> tuple[str, ...]:
    """The entries that are not shown to be above the trivial baseline: a line that only reaches it has learned nothing.

    Their interval reaches down to it or, where there is none, their mean does.
    """
    rows = summary[summary["main"].astype(bool) & (summary["n"] > 0) & summary["trivial"].notna()]
    at = rows["low"].fillna(rows["mean"]) <= rows["trivial"]
    names, parts = model_names(rows["model"]), []
    for task, of_task in rows[at].groupby("task", sort=True):
        num_all = int((rows["task"] == task).sum())
        lines = [f"{row.label} with {names[str(row.model)]}" for row in of_task.itertuples()]
        if len(of_task) == num_all:
            parts.append(f"{task}: all {num_all}")
        else:
            parts.append(f"{task}: {', '.join(lines) if len(lines) <= MOST_NAMED else f'{len(lines)} of {num_all}'}")
    return (
        (f"Not shown to be above it (by the interval, or without one the mean): {'; '.join(parts)}.",) if parts else ()
    )


def _passes(frame: pd.DataFrame) -> tuple[str, ...]:
    """A line on the lines that put more sequences through the backbone than others with the same budget."""
    rows = frame[frame["forward_passes"] > 0]
    least = rows.groupby(["task", "model", "budget"])["forward_passes"].transform("min")
    times = (rows["forward_passes"] / least).groupby(rows["label"]).max()
    parts = [f"{label} {many:.3g} times" for label, many in times.items() if many > 1]
    text = "Sequences through the backbone while training, against the line with the fewest in the same steps"
    return (f"{text}: {', '.join(parts)}.",) if parts else ()


def _joint(frame: pd.DataFrame) -> tuple[str, ...]:
    """A line on the lines that a first stage over several data sets came before."""
    by_label = frame[frame["joint_steps"] > 0].groupby("label")["joint_steps"]
    parts = [f"{label} {_span(int(steps.min()), int(steps.max()))}" for label, steps in by_label]
    return (
        (f"Steps on several data sets together, before and on top of the budget: {', '.join(parts)}.",) if parts else ()
    )


def _span(least: int, most: int) -> str:
    return str(most) if least == most else f"{least}–{most}"


def _cut(frame: pd.DataFrame) -> tuple[str, ...]:
    """Of which tasks some scored text was left out for its length: the most over the cells of each."""
    cut = frame[frame["scored_cut"] > 0].groupby("task")[["scored_cut", "scored_rows"]].max()
    parts = [f"{task} {row.scored_cut:.0f} of {row.scored_rows:.0f}" for task, row in cut.iterrows()]
    return (f"Scored rows that were longer and lost some of their text: {', '.join(parts)}.",) if parts else ()
