"""A table of scores as the page's template shows it: every number opens what lies behind it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report.page.cells import Embedded, EntryKey, short
from bench.report.page.claims import SIGNS
from bench.report.read.frame import model_sizes
from bench.report.read.names import model_names
from bench.report.statistics.ranking import leaders, line_budgets
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.numbers import count_text
from bench.report.tables.report import Report
from bench.report.tables.scores import FIXED, SummaryRows, summary_rows
from bench.report.tables.table import Table

NUMBER_FROM = len(FIXED)


@dataclass(frozen=True)
class Behind:
    """What lies behind a suite's numbers, by (model, label, task), with the metric where there are several.

    `lines` are the rows of each (model, label), `sizes` the models' parameters.
    """

    rows: SummaryRows
    lines: Mapping[tuple[str, str], Sequence[Mapping[Hashable, Any]]]
    entries: Mapping[EntryKey, int]
    verdicts: Mapping[tuple[str, str, str, str], str]
    best: set[tuple[str, str, str]]
    statuses: Mapping[tuple[str, str, str], str]
    sizes: Mapping[Hashable, float]


def score_table(report: Report, embedded: Embedded, table: Table) -> dict[str, Any]:
    """A suite's table, every number with the entry behind it, its sort value, its verdict and its place."""
    suite = table.suite
    frame, summary, averages, compared = (
        part[part["suite"] == suite] for part in (report.frame, report.summary, report.averages, report.comparisons)
    )
    rows_behind = summary_rows([summary, averages])
    lines: dict[tuple[str, str], list[Mapping[Hashable, Any]]] = {}
    for (model, label, *_), of_entry in rows_behind.items():
        lines.setdefault((model, label), []).append(of_entry)
    behind = Behind(
        rows_behind,
        lines,
        embedded.entries,
        {(row["model"], row["label"], row["task"], row["metric"]): row["verdict"]
         for row in compared.to_dict("records")},
        leaders(report.ranks[report.ranks["suite"] == suite], line_budgets(frame)),
        _statuses(report, suite),
        model_sizes(report.frame).to_dict(),
    )  # fmt: skip
    order = [len(table.columns) - 1, *range(len(table.columns) - 1)]  # the average first
    names = {text: model for model, text in model_names(frame["model"]).items()}
    rows: list[dict[str, Any]] = []
    for words in table.rows:
        row = _row(table, words, names.get(words[0], words[0]), order, behind)
        rows.append(row | {"first": bool(rows) and rows[-1]["model"] != row["model"]})
    reference = ", ".join(sorted(set(compared["reference"])))
    return {
        "suite": suite,
        "title": table.title,
        "columns": _columns(table, order),
        "rows": rows,
        "notes": [*table.notes, *(_mark_notes(reference, bool(behind.best)) if rows else ())],
        "trivial": _trivial(table, order),
        "signed": bool(behind.verdicts),
        "further": report.further_tables.get(suite, ()),
    }


def _row(table: Table, words: Sequence[str], model: str, order: Sequence[int], behind: Behind) -> dict[str, Any]:
    """One line of the table: its words, and its numbers in that order of the columns."""
    label = words[1]
    of_line = behind.lines.get((model, label), [])  # nothing of a line that was not measured here
    numbers = []
    for at in order:
        task, metric = table.columns[at]
        key, entry = (model, label, task, metric), behind.entries.get((table.suite, model, label, task))
        number = _number(words[NUMBER_FROM + at], behind.rows.get(key), entry, behind.verdicts.get(key, ""))
        number |= {"task": task, "metric": metric, "best": (task, model, label) in behind.best}
        numbers.append(number | {"statuses": behind.statuses.get((model, label, task), "")})
    size = float(behind.sizes.get(model, math.nan))
    stored = [value for row in of_line if (value := row["stored_parameters"]) == value]
    return {
        "model": model,
        "method": of_line[0]["method"] if of_line else "",
        "words": words,
        "numbers": numbers,
        "size": "" if math.isnan(size) else count_text(size),
        "parameters": _sort(size),
        "stored": _sort(max(stored, default=math.nan)),
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


def _number(text: str, row: Mapping[Hashable, Any] | None, entry: int | None, verdict: str) -> dict[str, Any]:
    """A score: what it says, what it is sorted by, and the entry that it opens."""
    mean, cut, spread = text.partition(" ±")
    return {
        "text": mean, "spread": cut + spread, "sort": _sort(float(row["mean"])) if row else "",
        "entry": entry if row else None, "lacking": row is not None and not row["n"], "verdict": verdict,
        "sign": SIGNS.get(verdict, ""),
    }  # fmt: skip


def _sort(value: float) -> Any:
    number = short(value, 12)
    return "" if number is None else number


def _statuses(report: Report, suite: str) -> dict[tuple[str, str, str], str]:
    """Per model, line and task what came of its cells; of the average, of all of them."""
    cells = report.frame[report.frame["suite"] == suite].drop_duplicates("id")
    statuses: dict[tuple[str, str, str], set[str]] = {}
    averaged = set(report.averaged.get(suite, ()))
    for model, label, task, status in zip(*(cells[name] for name in ("model", "label", "task", "status")), strict=True):
        statuses.setdefault((model, label, task), set()).add(status)
        if task in averaged:
            statuses.setdefault((model, label, AVERAGE), set()).add(status)
    return {key: " ".join(sorted(values)) for key, values in statuses.items()}


def _mark_notes(reference: str, with_ranks: bool) -> list[str]:
    notes = []
    if reference:
        signs = ", ".join(f"{sign} {verdict}" for verdict, sign in SIGNS.items())
        notes.append(f"Behind a number, against {reference}: {signs}.")
    if with_ranks:
        notes.append(
            "Bold: not significantly below the best of its task, model and budget, where others are (rank group 1)."
        )
    return notes
