"""A suite's table: a row per model and line, a column per task and metric, the average, and what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench.report.read.published import CITED
from bench.report.statistics.samples import AVERAGE
from bench.report.tables.numbers import (
    PROTOCOLS,
    lengths_text,
    model_texts,
    natural,
    score_text,
    seeds_text,
    share_text,
)

NOT_ASKED = "–"
MOST_NAMED = 4  # entries at the trivial baseline named for a task
ENTRIES_TEXT = (
    "Entries: mean ± sample standard deviation over seeds, scores from 0 to 100; (k/N): k of N seeds are finished; "
    f"{NOT_ASKED}: not asked for."
)
PUBLISHED_TEXT = (
    f"Rows marked published: {CITED}, where model, task and metric agree: best dev epoch on the official splits, one "
    "number without spread."
)
FIXED = ("model", "method", "head", "stored parameters", "seeds")
Entries = dict[tuple[str, str, str, str], pd.Series]  # (model, label, task, metric) -> a row of the summary


@dataclass(frozen=True)
class Table:
    """A table as text: `rows` are as long as `header`; `notes` go under it, `problems` are cells without a score, and
    `warnings` say what was wrong with the results folders.

    A table of scores ends with the row of trivial baselines; one with a `heading` of its own has rows of one kind.
    `columns` are the (task, metric) of its headings after FIXED.
    """

    suite: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    heading: str = ""
    warnings: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        return self.heading or f"Suite {self.suite}" if self.suite else "Nothing was measured"


def nothing(places: Sequence[str]) -> Table:
    """The table of results folders in which nothing was planned or recorded."""
    return Table("", (), (), (f"Nothing was measured: no cell is planned or recorded in {', '.join(places)}.",), ())


def build(
    frame: pd.DataFrame,
    summary: pd.DataFrame,
    averages: pd.DataFrame,
    suite: str,
    chosen: Sequence[str],
    usual: Sequence[str] = (),
    beside: pd.DataFrame | None = None,
) -> Table:
    """The table of one suite, from the frame, its summary and its averages over the `chosen` of the `usual` tasks.

    `beside` are published numbers (read.published.beside); they stand under the lines of their model.
    """
    frame, summary = frame[frame["suite"] == suite], summary[summary["suite"] == suite]
    averages = averages[averages["suite"] == suite]
    columns = _columns(summary, chosen)
    every = pd.concat([summary, averages], ignore_index=True)
    keys = zip(every["model"], every["label"], every["task"], every["metric"], strict=True)
    entries: Entries = {(*key,): row for key, (_, row) in zip(keys, every.iterrows(), strict=True)}
    lines = summary.groupby(["model", "label"])["backbone_parameters"].max().reset_index()
    lines = lines.sort_values("label", key=lambda labels: labels.map(natural))
    lines = lines.sort_values(["backbone_parameters", "model"], na_position="last", kind="stable")
    models = model_texts(frame["model"])
    papers = _published(beside, suite, columns)
    rows = []
    for model, own in lines.groupby("model", sort=False):
        rows += [(models[str(model)], *_row(entries, str(model), label, columns)) for label in own["label"]]
        rows += [(models[str(model)], *row) for row in papers.get(str(model), ())]
    rows.append(_trivial_row(summary, averages, columns))
    header = (*FIXED, *(_heading(task, metric, chosen) for task, metric in columns))
    notes = _notes(frame, summary, chosen, [task for task in usual if task not in chosen])
    if papers:
        notes += (PUBLISHED_TEXT,)
    return Table(suite, header, tuple(rows), notes, problems(frame), columns=tuple(columns))


def problems(frame: pd.DataFrame) -> tuple[str, ...]:
    """One line per model, line, task and reason for the cells that have no score, with their seeds."""
    lacking = frame[(frame["status"] != "done") & frame["main"]]
    keys = ["model", "label", "task", "status", "reason"]
    models = model_texts(frame["model"])
    lines = []
    for key, seeds in lacking.groupby(keys, sort=True)["seed"]:
        model, label, task, status, reason = map(str, key)
        word = "seed" if len(seeds) == 1 else "seeds"
        lines.append(
            f"{models[model]} · {label} · {task}: {status}, {word} {seeds_text(seeds)}"
            + (f": {' '.join(reason.split())}" if reason else "")
        )
    return tuple(lines)


def _columns(summary: pd.DataFrame, chosen: Sequence[str]) -> list[tuple[str, str]]:
    """(task, metric): the chosen tasks in their order, then the others by name; each one's main metric first."""
    place = {task: number for number, task in enumerate(chosen)}
    known = summary[["task", "metric", "main"]].drop_duplicates(["task", "metric"])
    triples = sorted(
        zip(known["task"], known["metric"], known["main"], strict=True),
        key=lambda t: (place.get(t[0], len(place)), t[0], not t[2], t[1]),
    )
    return [(task, metric) for task, metric, _ in triples] + [(AVERAGE, "main")]


def _heading(task: str, metric: str, chosen: Sequence[str]) -> str:
    if task == AVERAGE:
        return "Average" if len(chosen) != 1 else f"Average ({chosen[0]})"
    return f"{task} {metric}".strip()


def _row(entries: Entries, model: str, label: str, columns: list[tuple[str, str]]) -> tuple[str, ...]:
    found = {column: entries[model, label, *column] for column in columns if (model, label, *column) in entries}
    seeds = max(int(row["expected"]) for row in found.values())
    heads = sorted({part for row in found.values() for part in str(row["head"]).split("; ") if part})
    scores = [_entry(found[column]) if column in found else _absent(column) for column in columns]
    return (label, "/".join(heads), _stored(list(found.values())), str(seeds), *scores)


def _published(
    beside: pd.DataFrame | None, suite: str, columns: list[tuple[str, str]]
) -> dict[str, list[tuple[str, ...]]]:
    """Per model the rows of published numbers, without the model's name."""
    if beside is None:
        return {}
    rows: dict[str, list[tuple[str, ...]]] = {}
    for (model, label), own in beside[beside["suite"] == suite].groupby(["model", "label"], sort=True):
        scores = dict(zip(zip(own["task"], own["metric"], strict=True), own["mean"], strict=True))
        texts = [f"{scores[column]:.1f}" if column in scores else NOT_ASKED for column in columns]
        rows.setdefault(str(model), []).append((str(label), "", "", "", *texts))
    return rows


def _absent(column: tuple[str, str]) -> str:
    return "missing" if column[0] == AVERAGE else NOT_ASKED


def _entry(row: pd.Series) -> str:
    if row["n"] == 0:
        return str(row["status"]) if row["status"] != "done" else "missing"
    return score_text(float(row["mean"]), float(row["sd"]), int(row["n"]), int(row["expected"]))


def _stored(rows: list[pd.Series]) -> str:
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


def conditions(frame: pd.DataFrame) -> str:
    """Under which protocol, trials, budget and seeds the numbers of a frame were measured."""
    protocols = [PROTOCOLS.get(name, name) for name in sorted(set(frame["protocol"]))]
    budgets = sorted(set(frame["budget"]), key=natural)
    lengths = lengths_text({str(task): rows for task, rows in frame.groupby("task")["max_length"]})
    return (
        f"Protocol: {'; '.join(protocols)}. {trials_text(frame)}Budget: {'; '.join(budgets)}; "
        f"texts of at most {lengths}. Seeds: {seeds_text(frame['seed'])}."
    )


def trials_text(frame: pd.DataFrame) -> str:
    """From how many trials settings were chosen, as a sentence; "" where none were."""
    counts = sorted(set(frame["trials"]) - {0}) if "trials" in frame.columns else []
    return f"Trials: settings chosen from {' or '.join(map(str, counts))}. " if counts else ""


def _notes(
    frame: pd.DataFrame, summary: pd.DataFrame, chosen: Sequence[str], left_out: Sequence[str]
) -> tuple[str, ...]:
    what = "the main metric" if len(chosen) == 1 else "the mean of the main metrics"
    average = (
        f"Average: {what} of {', '.join(chosen)}, taken per seed over the seeds at which all of them are finished; "
        '"missing" where there is no such seed, never a mean of fewer tasks.'
    )
    if left_out:
        average += f" The suite's usual average has {', '.join(left_out)} too, which nobody asked for here."
    trivial = (
        'The row "trivial" scores, on the same rows, the constant answer that does best on train by the metric: '
        "a class, a candidate's number, no entity, no answer."
    )
    near = _near_trivial(summary)
    costs = (*_passes(frame), *_joint(frame))
    return (conditions(frame), *costs, *_cut(frame), ENTRIES_TEXT, average, " ".join((trivial, *near)))


def _near_trivial(summary: pd.DataFrame) -> tuple[str, ...]:
    """The entries that are not shown to be above the trivial baseline: a line that only reaches it has learned nothing.

    Their interval reaches down to it or, where there is none, their mean does.
    """
    rows = summary[summary["main"].astype(bool) & (summary["n"] > 0) & summary["trivial"].notna()]
    at = rows["low"].fillna(rows["mean"]) <= rows["trivial"]
    names, parts = model_texts(rows["model"]), []
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
    found = frame[frame["joint_steps"] > 0].groupby("label")["joint_steps"]
    parts = [f"{label} {_span(int(steps.min()), int(steps.max()))}" for label, steps in found]
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
