"""A suite's table in the shape of Tables 2 and 3 of Liu et al. 2022: models down, tasks across, methods in a task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import ascii_uppercase

import pandas as pd

from bench.escaping.latex import latex_text
from bench.report.read.names import model_names
from bench.report.read.published import counterpart, main_metrics_of, papers_of
from bench.report.read.sweeps import shown_lines
from bench.report.statistics.findings import Findings
from bench.report.statistics.ranking import leaders, line_budgets
from bench.report.tables.conditions import conditions
from bench.report.tables.numbers import count_text
from bench.report.tables.scores import SummaryRows, summary_rows

# in points of \footnotesize: the width of the text, a letter, "57.8" in bold with a small 1.2, a gap
PAGE_WIDTH, LETTER_WIDTH, ENTRY_WIDTH, GAP = 455.0, 4.3, 25.0, 4.0
LONGEST = 32  # letters of a heading that can be turned; with a longer one all get letters and a key
LACKING, NOT_ASKED, FEWER = r"$\times$", "--", r"$^{\dagger}$"
TaskMetric = tuple[str, str]  # task, metric


def paper_table(findings: Findings, suite: str) -> str:
    """LaTeX (needs the packages booktabs and graphicx) of one suite's scores; "" when nothing was asked for.

    The columns of a task are its main metric and those the papers give for it (SQuAD: both). Published numbers are a
    row of their own under the model. By main metrics a model's best entry and what is not told apart from
    it are bold, where anything is told apart from it.
    """
    frame, summary, beside, ranks = (
        part[part["suite"] == suite] for part in (findings.frame, findings.summary, findings.beside, findings.ranks)
    )
    if summary.empty:
        return ""
    labels, left_out = shown_lines(frame, findings.references)
    columns = _columns(summary, findings.averaged[suite], main_metrics_of(findings.published))
    rows = summary_rows([summary, beside])
    names, key_text = _headings(labels)
    best = leaders(ranks[ranks["label"].isin(labels)], line_budgets(frame))
    models = _models(summary)
    methods = dict(zip(summary["label"], summary["method"], strict=True))
    published = {
        paper.paper: _published_labels(beside[beside["paper"] == paper.paper], labels, methods)
        for paper in papers_of(beside)
    }
    widest = max(map(len, models.values())) * LETTER_WIDTH + GAP
    blocks = []
    for part in _blocks(columns, len(labels), widest):
        lines = [_header(part, [names[label] for label in labels])]
        for model, name in models.items():
            lines.append(_line(name, [_entry(rows, model, label, column, best) for column in part for label in labels]))
            for paper, label_of in published.items():
                if any((model, label, *column) in rows for label in label_of.values() for column in part):
                    scores = [_score(rows, model, label_of.get(label), column) for column in part for label in labels]
                    said_by = "" if len(published) == 1 else f" ({latex_text(paper)})"
                    lines.append(_line(rf"\quad published{said_by}", scores))
        lines += [r"\midrule", _trivial(summary, part, len(labels))]
        blocks.append(_tabular(lines, len(part), len(labels)))
    caption = _caption(frame, summary, beside, [key_text, left_out])
    return "\n".join(
        [r"\begin{table*}", r"\centering\footnotesize\setlength{\tabcolsep}{2pt}", "\n\n\\medskip\n".join(blocks),
         rf"\caption{{{caption}}}", r"\end{table*}", ""]
    )  # fmt: skip


def _columns(summary: pd.DataFrame, averaged: Sequence[str], papers: set[TaskMetric]) -> list[TaskMetric]:
    """The averaged tasks first, then the others by name; of each task the main metric, then what papers give."""
    place = {task: number for number, task in enumerate(averaged)}
    rows = summary[["task", "metric", "main"]].drop_duplicates(["task", "metric"]).to_dict("records")
    kept = [row for row in rows if row["main"] or (row["task"], row["metric"]) in papers]
    kept.sort(key=lambda row: (place.get(row["task"], len(place)), row["task"], not row["main"], row["metric"]))
    return [(row["task"], row["metric"]) for row in kept]


def _models(summary: pd.DataFrame) -> dict[str, str]:
    """Per model, by size, its name with the number of its parameters, as LaTeX."""
    sizes = summary.groupby("model")["backbone_parameters"].max().reset_index()
    sizes = sizes.sort_values(["backbone_parameters", "model"], na_position="last")
    short = model_names(sizes["model"])
    return {
        model: latex_text(short[model] + ("" if math.isnan(size) else f" ({count_text(size)})"))
        for model, size in zip(sizes["model"], sizes["backbone_parameters"], strict=True)
    }


def _headings(labels: Sequence[str]) -> tuple[dict[str, str], str]:
    """What stands over each line's column, as LaTeX: its name, turned where it is wider than the entries, or a letter.

    The second is the key to the letters, or "".
    """
    longest = max(map(len, labels))
    if longest * LETTER_WIDTH <= ENTRY_WIDTH:
        return {label: latex_text(label) for label in labels}, ""
    if longest <= LONGEST:
        return {label: rf"\rotatebox{{90}}{{{latex_text(label)}}}" for label in labels}, ""
    letters = [ascii_uppercase[number % 26] * (number // 26 + 1) for number in range(len(labels))]
    key = "; ".join(f"{letter}: {label}" for letter, label in zip(letters, labels, strict=True))
    return dict(zip(labels, letters, strict=True)), f"{key}."


def _blocks(columns: Sequence[TaskMetric], num_lines: int, first: float) -> list[list[TaskMetric]]:
    """The columns cut into blocks that fit the page beside a `first` column of that width, even but for the last."""
    most = max(1, int((PAGE_WIDTH - first) // (num_lines * (ENTRY_WIDTH + GAP))))
    even = -(-len(columns) // -(-len(columns) // most))
    return [list(columns[start : start + even]) for start in range(0, len(columns), even)]


def _published_labels(beside: pd.DataFrame, labels: Sequence[str], methods: Mapping[str, str]) -> dict[str, str]:
    """By shown line the published one that stands under it: its counterpart, or else the first of its method."""
    of_line = {}
    for method, label in dict(zip(beside["method"], beside["label"], strict=True)).items():
        measured = [name for name in labels if methods[name] == method]
        if measured:
            of_line[counterpart(method, measured) or min(measured)] = label
    return of_line


def _header(columns: Sequence[TaskMetric], names: Sequence[str]) -> str:
    wide = len(names)
    tasks = [rf"\multicolumn{{{wide}}}{{c}}{{{latex_text(f'{task} ({metric})')}}}" for task, metric in columns]
    rules = [rf"\cmidrule(lr){{{2 + wide * n}-{1 + wide * (n + 1)}}}" for n in range(len(columns))]
    return "\n".join([_line("", tasks), "".join(rules), _line("model", list(names) * len(columns)), r"\midrule"])


def _entry(rows: SummaryRows, model: str, label: str, column: TaskMetric, best: set[tuple[str, str, str]]) -> str:
    row = rows.get((model, label, *column))
    if row is None:
        return NOT_ASKED
    if math.isnan(row["mean"]):
        return LACKING
    text = f"{row['mean']:.1f}"
    text = rf"\textbf{{{text}}}" if row["main"] and (column[0], model, label) in best else text
    text += "" if math.isnan(row["sd"]) else rf"\textsubscript{{{row['sd']:.1f}}}"
    return text + (FEWER if row["n"] < row["expected"] else "")


def _score(rows: SummaryRows, model: str, label: str | None, column: TaskMetric) -> str:
    row = rows.get((model, label or "", *column))
    return NOT_ASKED if row is None else f"{row['mean']:.1f}"


def _trivial(summary: pd.DataFrame, columns: Sequence[TaskMetric], wide: int) -> str:
    texts = []
    for task, metric in columns:
        values = summary.loc[(summary["task"] == task) & (summary["metric"] == metric), "trivial"].dropna()
        ends = sorted({f"{value:.1f}" for value in (values.min(), values.max())}) if len(values) else [NOT_ASKED]
        texts.append(rf"\multicolumn{{{wide}}}{{c}}{{{'--'.join(ends)}}}")
    return _line("trivial", texts)


def _line(first: str, cells: Sequence[str]) -> str:
    return " & ".join([first, *cells]) + r" \\"


def _tabular(lines: Sequence[str], num_columns: int, wide: int) -> str:
    spec = "l" + ("r" * wide) * num_columns
    return "\n".join([rf"\begin{{tabular}}{{{spec}}}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"])


def _caption(frame: pd.DataFrame, summary: pd.DataFrame, beside: pd.DataFrame, more: Sequence[str]) -> str:
    """The notes: what bold, small numbers and marks say, under which conditions. As LaTeX."""
    notes = [f"Suite {summary['suite'].iloc[0]}.", conditions(frame)]
    notes.append(
        "Mean over seeds, the standard deviation (n - 1) small; bold: by a task's main metric a model's best and what "
        "is not told apart from it, where anything is."
    )
    notes += [note for note in more if note]
    marks = [r"$\times$: asked for, no seed finished; --: not asked for."]
    if ((summary["n"] < summary["expected"]) & (summary["n"] > 0)).any():
        marks.append(r"$\dagger$: not all seeds are finished.")
    notes += [
        f"Published: {paper.cited}, {paper.selection} on the {paper.splits}, one number." for paper in papers_of(beside)
    ]
    notes.append("Trivial: the constant answer that does best on train by the metric.")
    return " ".join([latex_text(" ".join(notes)), *marks])
