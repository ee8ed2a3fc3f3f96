"""Does a method match the reference? The verdicts of a report's suites, with what stands beside them, as a table.

How they come about stands in statistics.judging. The difference and its verdict are of runs that trained; `collapsed`
of `runs` and the bound of that rate are the other half of the claim, and `difference_all` is the difference over all
runs, of which one that diverged or failed counts as the trivial score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.report.read.names import seeds_text
from bench.report.read.reference import References
from bench.report.statistics.collapse import Parted, most
from bench.report.statistics.differences import Sides, improvement, sides
from bench.report.statistics.intervals import interval
from bench.report.statistics.judging import Judgement, Question, judge
from bench.report.statistics.needed import Need, verdict_needs
from bench.report.statistics.samples import AVERAGE, Samples

COMPARISONS = [
    "suite", "task", "metric", "model", "label", "method", "reference", "difference", "level", "tested_low",
    "tested_high", "unadjusted_low", "unadjusted_high", "p_equivalent", "p_different", "margin", "verdict", "about",
    "n_seeds", "seeds_needed", "rows_needed", "runs", "collapsed", "collapse_bound", "reference_runs",
    "reference_collapsed", "reference_collapse_bound", "difference_all", "improvement", "note",
]  # fmt: skip
Averaged = Mapping[str, Sequence[str]]


def sides_of(samples: Samples, averaged: Averaged, metrics: Mapping[tuple[str, str], str]) -> dict[str, Sides]:
    """Per suite its lines by their main metrics, `metrics` by (suite, task)."""
    return {
        suite: sides(
            {
                (task, model, label): sample
                for (of, task, model, label, metric), sample in samples.items()
                if of == suite and task != AVERAGE and metrics.get((of, task)) == metric
            },
            averaged[suite],
        )
        for suite in averaged
    }


def comparisons(
    summary: pd.DataFrame, averaged: Averaged, known: Mapping[str, Sides], references: References, margin: float
) -> pd.DataFrame:
    """Every line against its reference, per suite, task (main metric) and model, with the columns COMPARISONS.

    `summary` has a row for each sample, the averages among them; `references` gives each (suite, label) the label it is
    compared with, and lines without one are left out. Differences are in points of the score, `margin` too. `note` is a
    tuple of short texts.
    """
    rows = summary[summary["main"].astype(bool)]
    judged_rows: list[dict[str, Any]] = []
    for suite in averaged:
        entries = [
            row for row in rows[rows["suite"] == suite].to_dict("records") if (suite, row["label"]) in references
        ]
        questions = [
            Question(row["task"], row["model"], row["label"], references[suite, row["label"]]) for row in entries
        ]
        judged = judge(questions, known[suite], averaged[suite], margin)
        for row, question, judgement in zip(entries, questions, judged, strict=True):
            of_entry = {name: row[name] for name in ("suite", "task", "metric", "model", "label", "method")}
            tasks = averaged[suite] if question.task == AVERAGE else (question.task,)
            beside = _beside(known[suite], tasks, question, judgement)
            needs = _needs(known[suite], tasks, question, judgement, margin)
            beside["note"] += _said(needs)
            of_needs = {"seeds_needed": math.nan, "rows_needed": math.nan}
            if needs is not None and not needs.is_out_of_reach:
                of_needs = {"seeds_needed": needs.seeds, "rows_needed": needs.rows}
            judged_rows.append(of_entry | _row(question, judgement, margin) | of_needs | beside)
    return pd.DataFrame(judged_rows, columns=COMPARISONS)


def _row(question: Question, judgement: Judgement, margin: float) -> dict[str, Any]:
    low, high = interval(judgement.difference.tested)
    return {
        "reference": question.reference, "difference": judgement.difference.tested.mean,
        "level": judgement.level, "tested_low": judgement.low, "tested_high": judgement.high,
        "unadjusted_low": low, "unadjusted_high": high,
        "p_equivalent": judgement.p[2], "p_different": min(judgement.p[:2]), "margin": margin,
        "verdict": judgement.verdict, "about": judgement.about, "n_seeds": judgement.difference.num_seeds,
    }  # fmt: skip


def _needs(
    known: Sides, tasks: Sequence[str], question: Question, judgement: Judgement, margin: float
) -> Need | None:  # fmt: skip
    """What would decide an undecided verdict; None of another, and where nothing tells it."""
    places = [[(task, question.model, label) for label in (question.label, question.reference)] for task in tasks]
    if judgement.verdict != "undecided" or not all(place in known.of for pair in places for place in pair):
        return None
    pairs = [(known.of[line], known.of[reference]) for line, reference in places]
    return verdict_needs(pairs, known.together, margin, (1 - judgement.level) / 2)


def _said(needs: Need | None) -> tuple[str, ...]:
    about = "" if needs is None or needs.is_out_of_reach else "about "
    return () if needs is None else (f"it takes {about}{needs.text()} to decide",)


def _beside(known: Sides, tasks: Sequence[str], question: Question, judgement: Judgement) -> dict[str, Any]:
    """Rates of collapse, difference and chances over all runs, and notes."""
    line, reference = (_parted(known, tasks, question.model, name) for name in (question.label, question.reference))
    notes = [*judgement.difference.notes, *_notes(line, question.label), *_notes(reference, question.reference)]
    every = [(line[task].sample.every_run, reference[task].sample.every_run) for task in line if task in reference]
    difference_all, chance = math.nan, math.nan
    if len(every) == len(tasks):
        difference_all = float(np.mean([runs.mean() - reference_runs.mean() for runs, reference_runs in every]))
        chance = improvement([runs for runs, _ in every], [reference_runs for _, reference_runs in every])
        left_out = [task for side in (line, reference) for task, parted in side.items() if parted.num_left_out]
        if left_out:
            notes.append(f"over all runs, lost ones at the trivial score: {difference_all:+.1f}".replace("-", "−"))
    return {
        **_rates(line, ""), **_rates(reference, "reference_"),
        "difference_all": difference_all, "improvement": chance, "note": tuple(notes),
    }  # fmt: skip


def _parted(known: Sides, tasks: Sequence[str], model: str, label: str) -> dict[str, Parted]:
    return {task: known.of[task, model, label].parted for task in tasks if (task, model, label) in known.of}


def _rates(parted: Mapping[str, Parted], of: str) -> dict[str, float]:
    """Runs and collapsed ones on the tasks where some trained, and the bound of their rate; NaN where none did, and no
    runs where none is finished.
    """
    trained = [line for line in parted.values() if not line.flat]
    runs, count = sum(line.num_runs for line in trained), sum(line.num_collapsed for line in trained)
    rate = (float(runs), float(count), most(count, runs)) if runs else (math.nan if parted else 0.0, math.nan, math.nan)
    return dict(zip((f"{of}runs", f"{of}collapsed", f"{of}collapse_bound"), rate, strict=True))


def _notes(parted: Mapping[str, Parted], label: str) -> list[str]:
    """Which runs of a line collapsed, diverged, failed, and where none trained."""
    several = len(parted) > 1
    notes = []
    for task, runs in parted.items():
        on = f" on {task}" if several else ""
        if runs.flat:
            notes.append(f"{label} at the trivial score{on}, all {runs.num_runs} runs")
        lost = (
            ("collapsed", runs.collapsed),
            ("may have collapsed", runs.doubtful),
            ("diverged", runs.diverged),
            ("failed, left out", runs.sample.failed),
        )
        notes += [f"{label} {what}{on}: seed {seeds_text(seeds)}" for what, seeds in lost if seeds]
    return notes
