"""A suite's table: a row per model and line, a column per task and metric, the average, and what is not there."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.escaping.file_names import file_part
from bench.report.read.names import model_names, natural, seeds_text
from bench.report.statistics.findings import Findings
from bench.report.statistics.samples import AVERAGE
from bench.report.statistics.summary import SUMMARY
from bench.report.tables.numbers import score_text, share_text
from bench.report.tables.score_notes import NOT_ASKED, score_notes
from bench.report.tables.table import Table

FIXED = ("model", "method", "head", "stored parameters", "seeds")
SummaryRows = dict[tuple[str, str, str, str], Mapping[Hashable, Any]]  # by model, label, task, metric


def nothing(findings: Findings, folders: Sequence[Path]) -> Table:
    """The table of results folders in which nothing was planned or recorded."""
    note = f"Nothing was measured: no cell is planned or recorded in {', '.join(map(str, folders))}."
    return Table(
        "table", "Nothing was measured", (), (), (note,), warnings=_warnings(findings), numbers=_numbers(findings, "")
    )


def scores_table(findings: Findings, suite: str) -> Table:
    """The table of one suite; published numbers stand under the lines of their model."""
    frame, summary, averages, beside = (
        part[part["suite"] == suite] for part in (findings.frame, findings.summary, findings.averages, findings.beside)
    )
    averaged = findings.averaged[suite]
    columns = _columns(summary, averaged)
    entries = summary_rows([summary, averages])
    lines = summary.groupby(["model", "label"])["backbone_parameters"].max().reset_index()
    lines = lines.sort_values("label", key=lambda labels: labels.map(natural))
    lines = lines.sort_values(["backbone_parameters", "model"], na_position="last", kind="stable")
    models = model_names(frame["model"])
    published = _published(beside, columns)
    rows = []
    for model, of_model in lines.groupby("model", sort=False):
        rows += [(models[str(model)], *_row(entries, str(model), label, columns)) for label in of_model["label"]]
        rows += [(models[str(model)], *row) for row in published.get(str(model), ())]
    return Table(
        f"table-{file_part(suite)}", f"Suite {suite}",
        (*FIXED, *(_heading(task, metric, averaged) for task, metric in columns)),
        tuple(rows), score_notes(findings, suite), suite,
        footer=(_trivial_row(summary, averages, columns),), problems=problems(frame), warnings=_warnings(findings),
        columns=tuple(columns), numbers=_numbers(findings, suite),
    )  # fmt: skip


def summary_rows(parts: Sequence[pd.DataFrame]) -> SummaryRows:
    """The rows of frames with the columns SUMMARY, those of one suite."""
    rows = [row for part in parts for row in part.to_dict("records")]
    return {(row["model"], row["label"], row["task"], row["metric"]): row for row in rows}


def _warnings(findings: Findings) -> tuple[str, ...]:
    return tuple(" ".join(warning.split()) for warning in findings.warnings)


def _numbers(findings: Findings, suite: str) -> pd.DataFrame:
    """The numbers behind a suite's table: a row per entry, the average among the tasks, published ones last."""
    parts = [findings.summary, findings.averages, findings.beside]
    of_suite = [part[part["suite"] == suite] for part in parts]
    rows = pd.concat([part for part in of_suite if len(part)] or [parts[0].head(0)], ignore_index=True)
    counts = [name for name in SUMMARY if name.endswith("_parameters")]
    return rows.astype(dict.fromkeys(counts, "Int64"))[SUMMARY]  # %g would cut a large count to six figures


def problems(frame: pd.DataFrame) -> tuple[str, ...]:
    """One line per model, line, task and reason for the cells that have no score, with their seeds."""
    lacking = frame[(frame["status"] != "done") & frame["main"]]
    keys = ["model", "label", "task", "status", "reason"]
    models = model_names(frame["model"])
    lines = []
    for key, seeds in lacking.groupby(keys, sort=True)["seed"]:
        model, label, task, status, reason = map(str, key)
        word = "seed" if len(seeds) == 1 else "seeds"
        lines.append(
            f"{models[model]} · {label} · {task}: {status}, {word} {seeds_text(seeds)}"
            + (f": {' '.join(reason.split())}" if reason else "")
        )
    return tuple(lines)


def _columns(summary: pd.DataFrame, averaged: Sequence[str]) -> list[tuple[str, str]]:
    """(task, metric): the averaged tasks in their order, then the others by name; each one's main metric first."""
    place = {task: number for number, task in enumerate(averaged)}
    known = summary[["task", "metric", "main"]].drop_duplicates(["task", "metric"])
    triples = sorted(
        zip(known["task"], known["metric"], known["main"], strict=True),
        key=lambda t: (place.get(t[0], len(place)), t[0], not t[2], t[1]),
    )
    return [(task, metric) for task, metric, _ in triples] + [(AVERAGE, "main")]


def _heading(task: str, metric: str, averaged: Sequence[str]) -> str:
    if task == AVERAGE:
        return "Average" if len(averaged) != 1 else f"Average ({averaged[0]})"
    return f"{task} {metric}".strip()


def _row(entries: SummaryRows, model: str, label: str, columns: list[tuple[str, str]]) -> tuple[str, ...]:
    rows = {column: entries[model, label, *column] for column in columns if (model, label, *column) in entries}
    seeds = max(int(row["expected"]) for row in rows.values())
    heads = sorted({part for row in rows.values() for part in str(row["head"]).split("; ") if part})
    scores = [_entry(rows[column]) if column in rows else _absent(column) for column in columns]
    return (label, "/".join(heads), _stored(list(rows.values())), str(seeds), *scores)


def _published(beside: pd.DataFrame, columns: list[tuple[str, str]]) -> dict[str, list[tuple[str, ...]]]:
    """Per model the rows of published numbers, without the model's name."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for (model, label), of_line in beside.groupby(["model", "label"], sort=True):
        scores = dict(zip(zip(of_line["task"], of_line["metric"], strict=True), of_line["mean"], strict=True))
        texts = [f"{scores[column]:.1f}" if column in scores else NOT_ASKED for column in columns]
        rows.setdefault(str(model), []).append((str(label), "", "", "", *texts))
    return rows


def _absent(column: tuple[str, str]) -> str:
    return "missing" if column[0] == AVERAGE else NOT_ASKED


def _entry(row: Mapping[Hashable, Any]) -> str:
    if row["n"] == 0:
        return str(row["status"]) if row["status"] != "done" else "missing"
    return score_text(float(row["mean"]), float(row["sd"]), int(row["n"]), int(row["expected"]))


def _stored(rows: Sequence[Mapping[Hashable, Any]]) -> str:
    """What must be kept per task, smallest to largest over the tasks: heads differ by their classes."""
    known = sorted(
        (float(row["stored_parameters"]), float(row["backbone_parameters"]))
        for row in rows
        if row["task"] != AVERAGE and row["stored_parameters"] == row["stored_parameters"]
    )
    if not known:
        return "?"
    least, most = share_text(*known[0]), share_text(*known[-1])
    return most if least == most else f"{least} – {most}"


def _trivial_row(summary: pd.DataFrame, averages: pd.DataFrame, columns: list[tuple[str, str]]) -> tuple[str, ...]:
    """The constant answer's scores; a range where scored rows differ between cells of a task."""
    both = pd.concat([summary, averages], ignore_index=True)
    scores = []
    for task, metric in columns:
        values = both.loc[(both["task"] == task) & (both["metric"] == metric), "trivial"].dropna()
        texts = [f"{value:.1f}" for value in (values.min(), values.max())] if len(values) else ["?"]
        scores.append(texts[0] if texts[0] == texts[-1] else f"{texts[0]}–{texts[-1]}")
    return ("any", "trivial", "", "0", "", *scores)
