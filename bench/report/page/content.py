"""What the page's template shows, from a report: plain values, no markup but that of drawings."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Hashable
from typing import Any

import pandas as pd

from bench.report.page.cells import Embedded, short
from bench.report.page.claims import SIGNS, claims
from bench.report.read.names import model_names, natural
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.formats import NO_PROBLEMS
from bench.report.tables.numbers import count_text
from bench.report.tables.report import Report
from bench.report.tables.scores import FIXED
from bench.report.tables.table import Table

MOST_PROBLEMS = 500
MOST_COMMANDS = 10
FEW_METHODS = 3
NUMBER_FROM = len(FIXED)
Row = dict[Hashable, Any]


def describe(report: Report, embedded: Embedded) -> dict[str, Any]:
    """The template's values."""
    cells = report.frame.drop_duplicates(["suite", "id"])
    problems = [problem for table in report.tables for problem in table.problems or ()]
    commands = _commands(embedded)
    return {
        "title": _title(report),
        "kicker": _kicker(report, len(cells)),
        "warnings": list(report.warnings),
        "claims": claims(report, embedded),
        "tables": [_table(report, embedded, table) for table in report.tables],
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
    if not report.chosen:
        return "Nothing was measured"
    compared = report.comparisons
    if compared.empty:
        return f"Scores of {', '.join(report.chosen)}"
    reference = str(compared["reference"].iloc[0])
    labels = sorted(set(compared["label"]), key=natural)
    if len(labels) == 1:
        return f"Does {labels[0]} match {reference}?"
    if len(labels) <= FEW_METHODS:
        return f"Do {', '.join(labels[:-1])} and {labels[-1]} match {reference}?"
    return f"Which of {len(labels)} methods match {reference}?"


def _kicker(report: Report, num_cells: int) -> str:
    frame = report.frame
    if frame.empty:
        return ", ".join(path.name for path in report.folders)
    counts = [(frame["label"], "method"), (frame["model"], "model"), (frame["task"], "task"), (frame["seed"], "seed")]
    parts = [f"{values.nunique()} {name}{'s' if values.nunique() > 1 else ''}" for values, name in counts]
    suites = f"suite{'s' if len(report.chosen) > 1 else ''} {', '.join(report.chosen)}"
    return f"{suites} · {' × '.join(parts)} · {num_cells:,} cells"


def _choices(report: Report) -> dict[str, list[dict[str, str]]]:
    """What the filters offer."""
    frame = report.frame
    models = model_names(frame["model"])
    sizes = frame.groupby("model")["backbone_parameters"].max().sort_values(kind="stable")
    plain = {name: sorted(set(frame[name])) for name in ("task", "method", "status")}
    choices = {name: [{"value": str(value), "text": str(value)} for value in found] for name, found in plain.items()}
    by_size = [{"value": str(model), "text": models[model]} for model in sizes.index]
    return {"task": choices["task"], "model": by_size, "method": choices["method"], "status": choices["status"]}


def _table(report: Report, embedded: Embedded, table: Table) -> dict[str, Any]:
    """A suite's table, every number with the entry behind it, its sort value, its verdict and its place."""
    suite = table.suite
    summary, averages = (part[part["suite"] == suite] for part in (report.summary, report.averages))
    known = pd.concat([summary, averages], ignore_index=True).to_dict("records")
    stats = {(row["model"], row["label"], row["task"], row["metric"]): row for row in known}
    of_line: dict[tuple[str, str], list[Row]] = {}
    for row in known:
        of_line.setdefault((row["model"], row["label"]), []).append(row)
    compared = report.comparisons[report.comparisons["suite"] == suite]
    reference = ", ".join(sorted(set(compared["reference"])))
    verdicts = {
        (row["model"], row["label"], row["task"], row["metric"]): row["verdict"] for row in compared.to_dict("records")
    }
    best = _best(report, suite)
    statuses = _statuses(report, suite)
    models = report.frame.groupby("model")["backbone_parameters"].max()
    order = [len(table.columns) - 1, *range(len(table.columns) - 1)]  # the average first
    names = {text: model for model, text in model_names(report.frame["model"][report.frame["suite"] == suite]).items()}
    rows: list[dict[str, Any]] = []
    for words in table.rows:
        model, label = names.get(words[0], words[0]), words[1]
        known_line = of_line.get((model, label), [])  # nothing of a line that was not measured here
        numbers = []
        for at in order:
            task, metric = table.columns[at]
            key = (model, label, task, metric)
            entry = embedded.entries.get((suite, model, label, task))
            shown = _number(words[NUMBER_FROM + at], stats.get(key), entry, verdicts.get(key, ""))
            shown |= {"task": task, "metric": metric, "best": (task, model, label) in best}
            numbers.append(shown | {"statuses": statuses.get((model, label, task), "")})
        size = float(models.get(model, math.nan))
        stored = [value for row in known_line if (value := row["stored_parameters"]) == value]
        rows.append(
            {
                "model": model,
                "method": known_line[0]["method"] if known_line else "",
                "words": words,
                "numbers": numbers,
                "size": "" if math.isnan(size) else count_text(size),
                "parameters": _sort(size),
                "stored": _sort(max(stored, default=math.nan)),
                "first": bool(rows) and rows[-1]["model"] != model,
            }
        )
    return {
        "suite": suite,
        "title": table.title,
        "columns": _columns(table, order),
        "rows": rows,
        "notes": [*table.notes, *(_mark_notes(reference, bool(best)) if rows else ())],
        "trivial": _trivial(table, order),
        "signed": bool(verdicts),
        "further": report.further_tables.get(suite, ()),
    }


def _columns(table: Table, order: list[int]) -> list[dict[str, str]]:
    """Headings: what a line is, its scores, and then what else is known of it."""
    if not table.header:
        return []
    model, method, head, stored, seeds = table.header[:NUMBER_FROM]
    facts = [(model, "line aside", ""), (method, "line", "")]
    facts += [(table.header[NUMBER_FROM + at], "num", table.columns[at][0]) for at in order]
    facts += [(stored, "num", ""), (head, "", ""), (seeds, "num", "")]
    return [{"name": name, "look": look, "task": task} for name, look, task in facts]


def _trivial(table: Table, order: list[int]) -> dict[str, Any]:
    """The constant answer's line."""
    if not table.header:
        return {}
    model, label, *words = table.footer[0]
    numbers = [{"text": words[NUMBER_FROM - 2 + at], "task": table.columns[at][0]} for at in order]
    return {"model": model, "label": label, "numbers": numbers}


def _number(text: str, row: Row | None, entry: int | None, verdict: str) -> dict[str, Any]:
    """A score: what it says, what it is sorted by, and the entry that it opens."""
    mean, cut, spread = text.partition(" ±")
    return {
        "text": mean, "spread": cut + spread, "sort": _sort(float(row["mean"])) if row else "",
        "entry": entry if row else None, "lacking": row is not None and not row["n"], "verdict": verdict,
        "sign": SIGNS.get(verdict, ""),
    }  # fmt: skip


def _sort(value: float) -> Any:
    found = short(value, 12)
    return "" if found is None else found


def _statuses(report: Report, suite: str) -> dict[tuple[str, str, str], str]:
    """Per model, line and task what came of its cells; of the average, of all of them."""
    cells = report.frame[report.frame["suite"] == suite].drop_duplicates("id")
    found: dict[tuple[str, str, str], set[str]] = {}
    chosen = set(report.chosen.get(suite, ()))
    for model, label, task, status in zip(*(cells[name] for name in ("model", "label", "task", "status")), strict=True):
        found.setdefault((model, label, task), set()).add(status)
        if task in chosen:
            found.setdefault((model, label, AVERAGE), set()).add(status)
    return {key: " ".join(sorted(values)) for key, values in found.items()}


def _best(report: Report, suite: str) -> set[tuple[str, str, str]]:
    """(task, model, label) of the first rank group."""
    ranks = report.ranks[report.ranks["suite"] == suite]
    first: dict[tuple[str, str], Any] = {}
    for row in ranks.to_dict("records"):
        key = (row["task"], row["model"])
        first[key] = min(first.get(key, row["group"]), row["group"])
    return {
        (row["task"], row["model"], row["label"])
        for row in ranks.to_dict("records")
        if row["group"] == first[row["task"], row["model"]]
    }


def _mark_notes(reference: str, with_ranks: bool) -> list[str]:
    notes = []
    if reference:
        signs = ", ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
        notes.append(f"Behind a number, against {reference}: {signs}.")
    if with_ranks:
        notes.append("Bold: rank group 1 of its task, model and budget, not significantly below the best mean there.")
    return notes


def _provenance(report: Report, embedded: Embedded) -> list[tuple[str, str]]:
    """What the cells were measured with; several values stand with the number of their cells."""
    facts: dict[str, Counter[str]] = {}
    for outcome in embedded.found:
        if outcome.record is None:
            continue
        known = outcome.record.provenance
        values = {
            "harness commit": known.get("git_commit"), "device": known.get("device"), "python": known.get("python"),
            "platform": known.get("platform"), **(known.get("packages") or {}),
        }  # fmt: skip
        for name, value in values.items():
            if value:
                facts.setdefault(str(name), Counter())[str(value)] += 1
    starts = sorted(outcome.record.started for outcome in embedded.found if outcome.record and outcome.record.started)
    rows = [("results", ", ".join(map(str, report.folders)))]
    if starts:
        rows.append(("measured", starts[0] if starts[0] == starts[-1] else f"{starts[0]} to {starts[-1]} (UTC)"))
    for name, counts in facts.items():
        alone = len(counts) == 1
        rows.append((name, "; ".join(v if alone else f"{v} ({n} cells)" for v, n in counts.most_common())))
    return rows


def _commands(embedded: Embedded) -> list[str]:
    """The distinct commands that measured the cells, the first one first."""
    found: dict[str, str] = {}
    for outcome in embedded.found:
        command = outcome.record.provenance.get("command") if outcome.record else None
        if outcome.record and isinstance(command, list):
            text = shlex.join(map(str, command))
            found[text] = min(found.get(text, outcome.record.started), outcome.record.started)
    return sorted(found, key=lambda text: (found[text], text))
