"""What the page's template shows, from a report: plain values, no markup but that of drawings."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import Any

from bench.report.page.cells import Embedded
from bench.report.page.claims import claims
from bench.report.page.scores import score_table
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names, natural
from bench.report.tables.formats import NO_PROBLEMS
from bench.report.tables.report import Report

MOST_PROBLEMS = 500
MOST_COMMANDS = 10
FEW_METHODS = 3


def describe(report: Report, embedded: Embedded) -> dict[str, Any]:
    """The template's values."""
    cells = report.frame.drop_duplicates(["suite", "id"])
    problems = [problem for table in report.tables for problem in table.problems or ()]
    commands = _commands(embedded)
    return {
        "title": _title(report),
        "kicker": _kicker(report),
        "words": _words(len(cells)),
        "warnings": list(report.warnings),
        "answers": report.recommendation_tables,
        "claims": claims(report, embedded),
        "tables": [score_table(report, embedded, table) for table in report.tables],
        "choices": _choices(report),
        "num_cells": len(cells),
        "num_lacking": int((cells["status"] != "done").sum()),
        "problems": problems[:MOST_PROBLEMS],
        "more_problems": max(0, len(problems) - MOST_PROBLEMS),
        "no_problems": NO_PROBLEMS,
        "left_out": embedded.left_out,
        "provenance": _provenance(report, embedded),
        "commands": commands[:MOST_COMMANDS],
        "more_commands": max(0, len(commands) - MOST_COMMANDS),
        "report_command": shlex.join(["bench", "report", *map(str, report.folders), "--format", "html"]),
    }


def _title(report: Report) -> str:
    """The question that the page answers; of a report without comparisons what it holds."""
    if not report.averaged:
        return "Nothing was measured"
    compared = report.comparisons
    if compared.empty:
        return f"Scores of {', '.join(report.averaged)}"
    reference = str(compared["reference"].iloc[0])
    labels = sorted(set(compared["label"]), key=natural)
    if len(labels) == 1:
        return f"Does {labels[0]} match {reference}?"
    if len(labels) <= FEW_METHODS:
        return f"Do {', '.join(labels[:-1])} and {labels[-1]} match {reference}?"
    what = "methods" if compared["method"].nunique() == len(labels) else "settings"  # as the line above it says
    return f"Which of {len(labels)} {what} match {reference}?"


def _words(num_cells: int) -> tuple[tuple[str, str], ...]:
    """The harness's own words, which stand all over the page, each with what it means."""
    trainings = f"one of the {num_cells:,} trainings here" if num_cells > 1 else "one training"
    return (
        ("Cell", f"{trainings}, with its score: a method with its settings, on a task, with a model and a seed."),
        ("Line", "the cells of a method with its settings: a row of a table for each model, a curve in a figure."),
        ("Loop", "one training of several cells at once, over the same frozen model."),
        ("Trivial", "the score of the constant answer that does best; what is not above it has learned nothing."),
    )


def _kicker(report: Report) -> str:
    frame = report.frame
    if frame.empty:
        return ", ".join(path.name for path in report.folders)
    counts = [(frame["method"], "method"), (frame["model"], "model"), (frame["task"], "task"), (frame["seed"], "seed")]
    parts = [f"{values.nunique()} {name}{'s' if values.nunique() > 1 else ''}" for values, name in counts]
    if frame["label"].nunique() > frame["method"].nunique():
        parts[0] = f"{frame['label'].nunique()} settings of {parts[0]}"
    suites = f"suite{'s' if len(report.averaged) > 1 else ''} {', '.join(report.averaged)}"
    return f"{suites} · {' × '.join(parts)}"


def _choices(report: Report) -> dict[str, list[dict[str, str]]]:
    """What the filters offer."""
    frame = report.frame
    models = model_names(frame["model"])
    sizes = model_sizes(frame).sort_values(kind="stable")
    plain = {name: sorted(set(frame[name])) for name in ("task", "method", "status")}
    choices = {name: [{"value": str(value), "text": str(value)} for value in values] for name, values in plain.items()}
    by_size = [{"value": str(model), "text": models[model]} for model in sizes.index]
    return {"task": choices["task"], "model": by_size, "method": choices["method"], "status": choices["status"]}


def _provenance(report: Report, embedded: Embedded) -> list[tuple[str, str]]:
    """What the cells were measured with; several values stand with the number of their cells."""
    facts: dict[str, Counter[str]] = {}
    alike: dict[str, dict[str, Any]] = {}
    num_alike: Counter[str] = Counter()
    for outcome in embedded.outcomes:
        if outcome.record is None:
            continue
        known = outcome.record.provenance
        values = {
            "harness commit": known.get("git_commit"), "device": known.get("device"), "python": known.get("python"),
            "platform": known.get("platform"), **(known.get("packages") or {}),
        }  # fmt: skip
        alike[written := repr(values)] = values
        num_alike[written] += 1
    for written, values in alike.items():
        for name, value in values.items():
            if value:
                facts.setdefault(str(name), Counter())[str(value)] += num_alike[written]
    starts = sorted(
        outcome.record.started for outcome in embedded.outcomes if outcome.record and outcome.record.started
    )
    rows = [("results", ", ".join(map(str, report.folders)))]
    if starts:
        rows.append(("measured", starts[0] if starts[0] == starts[-1] else f"{starts[0]} to {starts[-1]} (UTC)"))
    for name, counts in facts.items():
        alone = len(counts) == 1
        rows.append((name, "; ".join(v if alone else f"{v} ({n} cells)" for v, n in counts.most_common())))
    return rows


def _commands(embedded: Embedded) -> list[str]:
    """The distinct commands that measured the cells, the first one first."""
    first_start: dict[str, str] = {}
    for outcome in embedded.outcomes:
        command = outcome.record.provenance.get("command") if outcome.record else None
        if outcome.record and isinstance(command, list):
            text = shlex.join(map(str, command))
            first_start[text] = min(first_start.get(text, outcome.record.started), outcome.record.started)
    return sorted(first_start, key=lambda text: (first_start[text], text))
