"""The papers' numbers, to be laid over one's own (results/published/*.csv; sources in results/README.md)."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.report.read.sweeps import Sweep

NUMBER_COLUMNS = (
    "task", "metric", "model", "parameters", "method", "published_as", "setting", "score", "source", "digitised"
)  # fmt: skip
PAPER_COLUMNS = ("paper", "citation", "selection", "splits")
PLACES = (
    Path(__file__).parents[3] / "results" / "published",  # a checkout
    Path(__file__).parent / "published",  # an installed package
)
INDEX = "papers.csv"  # which paper the numbers of each of the other files are from
SIZE_TOLERANCE = 0.15
_CASED = re.compile(r"-(un)?cased$")
_MARK = re.compile(r"(\w+)=(\S+)")


@dataclass(frozen=True, order=True)
class Paper:
    """Where numbers are from: "Liu et al. 2022", "arXiv:2110.07602", and how they came about: "best dev epoch", on the
    "official splits".
    """

    paper: str
    citation: str
    selection: str
    splits: str

    @property
    def cited(self) -> str:
        return f"{self.paper} ({self.citation})"


def find() -> Path:
    """The folder of the published numbers; UsageError when there is none."""
    for place in PLACES:
        if any(place.glob("*.csv")):
            return place
    raise UsageError(
        f"no published numbers found in {' or '.join(map(str, PLACES))}; report without them, or restore the folder"
    )


def read(folder: Path | None = None) -> pd.DataFrame:
    """Every published number, a row each, with the columns NUMBER_COLUMNS and PAPER_COLUMNS.

    `setting` is empty for a paper's main results and names what an ablation changed; `digitised` numbers were read off
    a figure by eye. `parameters` is the backbone's size as the paper gives it; scores run from 0 to 100. UsageError
    names a file that lacks a column, or a line in the index.
    """
    folder = folder or find()
    papers = _table(folder / INDEX, ("file", *PAPER_COLUMNS)).set_index("file")
    tables = []
    for path in sorted(folder.glob("*.csv")):
        if path.name == INDEX:
            continue
        if path.name not in papers.index:
            raise UsageError(f"{folder / INDEX} has no line for {path.name}, and so nothing says of which paper it is")
        table = _table(path, NUMBER_COLUMNS)
        for name in PAPER_COLUMNS:
            table[name] = str(papers.at[path.name, name])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not path.is_file():
        raise UsageError(f"{path} is not there; it needs the columns {', '.join(columns)}")
    table = pd.read_csv(path, keep_default_na=False)
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise UsageError(f"{path} lacks the column {lacking[0]!r}; it needs {', '.join(columns)}")
    return table[list(columns)]


def known() -> pd.DataFrame | None:
    """The published numbers where the installation has them, else None: a report can do without them."""
    return read() if any(any(place.glob("*.csv")) for place in PLACES) else None


def papers_of(published: pd.DataFrame) -> list[Paper]:
    """The papers that these rows are from, by name; rows of `read`, or others with the columns PAPER_COLUMNS."""
    if published.empty:
        return []
    return sorted(Paper(*map(str, row)) for row in published[list(PAPER_COLUMNS)].drop_duplicates().to_numpy())


def main_results(published: pd.DataFrame) -> pd.DataFrame:
    """The numbers that are no ablation's and were not read off a figure."""
    return published[(published["setting"] == "") & ~published["digitised"].astype(bool)]


def main_metrics_of(published: pd.DataFrame | None) -> set[tuple[str, str]]:
    """(task, metric) of the papers' main results."""
    if published is None:
        return set()
    main = main_results(published)
    return set(zip(main["task"], main["metric"], strict=True))


def means(published: pd.DataFrame, metrics: Mapping[str, str]) -> pd.DataFrame:
    """Per paper, model and method the mean of the main results over the tasks in `metrics` (task -> metric), for those
    that have all of them.

    Columns method, paper, model, parameters, score, by method, paper and size. With RTE, BoolQ and CB (accuracy) these
    are the points of figure 1 in Liu et al. 2022 (arXiv:2110.07602), and BERT-large beside them.
    """
    main = main_results(published)
    wanted = pd.Series(list(zip(main["task"], main["metric"], strict=True)), index=main.index, dtype=object)
    groups = main[wanted.isin(list(metrics.items()))].groupby(["method", "paper", "model", "parameters"], sort=True)
    table = groups.agg(score=("score", "mean"), num_tasks=("task", "nunique")).reset_index()
    full = table[table["num_tasks"] == len(metrics)]
    columns = ["method", "paper", "model", "parameters", "score"]
    return full[columns].sort_values(["method", "paper", "parameters"], ignore_index=True)


def matches(model: str, parameters: float, published_model: str, published_parameters: float) -> bool:
    """Whether a model is the one a paper names.

    The name without its owner or folders, in any case, must be the paper's, but for an ending -cased or -uncased
    ("google-bert/bert-large-uncased" is "BERT-large"); where its size is known it must be the paper's within 15 %, so
    that a small model in a folder of that name is not taken for it.
    """
    size_fits = math.isnan(parameters) or abs(parameters / published_parameters - 1) <= SIZE_TOLERANCE
    return size_fits and _bare_name(model) == _bare_name(published_model)


def _bare_name(model: str) -> str:
    return _CASED.sub("", model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].casefold())


def published_label(name: str, paper: str = "") -> str:
    """What a published line is called, the paper in it where that is not said elsewhere."""
    return f"{name} (published: {paper})" if paper else f"{name} (published)"


def counterpart(name: str, measured: Sequence[str]) -> str | None:
    """Which of a method's measured lines a published one called `name` belongs to, looks like and stands under.

    Its namesake or, where there is none, the only one there is; None where neither is.
    """
    if name in measured:
        return name
    return measured[0] if len(measured) == 1 else None


def sources(published: pd.DataFrame, setting: str) -> str:
    """Where ablations of a setting are from: "Liu et al. 2022 (arXiv:2110.07602), figure 4 (read by eye)"."""
    rows = published[[setting in dict(_MARK.findall(text)) for text in published["setting"]]]
    parts = []
    for cited in dict.fromkeys(paper.cited for paper in papers_of(rows)):  # a paper's files may differ in their splits
        of_paper = rows[rows["paper"] + " (" + rows["citation"] + ")" == cited]
        pairs = sorted(set(zip(of_paper["source"], of_paper["digitised"].astype(bool), strict=True)))
        places = [f"{source} (read by eye)" if digitised else str(source) for source, digitised in pairs]
        parts.append(", ".join([cited, *places]))
    return "; ".join(parts)


def ablation(published: pd.DataFrame | None, sweep: Sweep) -> dict[tuple[str, str], dict[str, float]]:
    """What the papers' ablations score at values of the setting that is swept: (line name, paper) -> value -> score.

    Task, metric, model and method must agree, and so must every other setting that a paper names. The line is named
    by these: "ptv2 (reparam=mlp)", or "ptv2" where the paper names none.
    """
    if published is None:
        return {}
    first = sweep.first
    rows = published[
        (published["task"] == first.task) & (published["metric"] == first.metric)
        & (published["method"] == first.method) & (published["setting"] != "")
    ]  # fmt: skip
    scores: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows.to_dict("records"):
        marks = dict(_MARK.findall(row["setting"]))
        value = marks.pop(sweep.setting, None)
        fits = matches(first.model, first.backbone_parameters, row["model"], float(row["parameters"]))
        if value is not None and fits and all(str(first.settings.get(name)) == text for name, text in marks.items()):
            scores.setdefault((_line(first.method, marks), row["paper"]), {})[value] = float(row["score"])
    return scores


@dataclass(frozen=True, order=True)
class Elsewhere:
    """What a paper measured: a task by a metric, with a model."""

    task: str
    metric: str
    model: str
    paper: str


FoundElsewhere = dict[Elsewhere, dict[tuple[str, str], dict[str, float]]]


def found_elsewhere(published: pd.DataFrame, setting: str, sweeps: Sequence[Sweep]) -> FoundElsewhere:
    """What the papers' ablations of a setting score where none of the sweeps has the task, the metric and the model, of
    methods that have one: (method, line name) -> value -> score. The line is named as by `ablation`.
    """
    found: FoundElsewhere = {}
    known = {sweep.first.method for sweep in sweeps}
    for row in published[published["method"].isin(known) & (published["setting"] != "")].to_dict("records"):
        marks = dict(_MARK.findall(row["setting"]))
        value = marks.pop(setting, None)
        if value is None or any(_is_of(row, sweep) for sweep in sweeps):
            continue
        place = Elsewhere(row["task"], row["metric"], row["model"], row["paper"])
        line = (row["method"], _line(row["method"], marks))
        found.setdefault(place, {}).setdefault(line, {})[value] = float(row["score"])
    return found


def _is_of(row: Mapping[Hashable, Any], sweep: Sweep) -> bool:
    first = sweep.first
    fits = matches(first.model, first.backbone_parameters, row["model"], float(row["parameters"]))
    return fits and (row["task"], row["metric"]) == (first.task, first.metric)


def _line(method: str, marks: Mapping[str, str]) -> str:
    words = ", ".join(f"{name}={text}" for name, text in sorted(marks.items()))
    return f"{method} ({words})" if words else method
