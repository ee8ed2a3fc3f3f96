"""The page of a repository of results: verdicts and scores as Markdown, what lies there, and how it is read.

What somebody wrote around the part that is ours stays, and other keys of its front matter, such as a licence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.escaping.file_names import file_part
from bench.escaping.markdown import markdown_code, markdown_picture, markdown_text
from bench.escaping.table_cells import csv_text
from bench.report.files import texts
from bench.report.tables.report import Report
from bench.share.union import Union
from bench.store.address import Address
from bench.store.declarations import kept_suites
from bench.store.on_hub import first_line
from bench.store.predictions import PREDICTIONS
from bench.store.terms import TERMS
from bench.task import Task

BEGIN, END = "<!-- bench push writes this part anew -->", "<!-- end of what bench push writes -->"
HOME = "https://github.com/tuning-bench/tuning-bench"
TAGS = ("tuning-bench", "benchmark", "fine-tuning", "parameter-efficient-tuning")
FIRST = ("recommendation", "verdicts", "table")  # the order of tables, by how their names begin


def card(address: Address, report: Report, union: Union, figures: Sequence[str], before: str = "") -> str:
    """The text of README.md; `before` is what stands there, `figures` the names of pictures. UsageError where that
    cannot be read.
    """
    from huggingface_hub import DatasetCard, DatasetCardData

    try:
        made = DatasetCard(before) if before else DatasetCard("---\n{}\n---\n")
        fields: dict[str, Any] = made.data.to_dict()  # type: ignore[no-untyped-call]
    except Exception as error:  # YAML's own, and the client's
        raise UsageError(
            f"README.md of {address} has a front matter that cannot be read ({first_line(error)}); mend it"
        ) from None
    tags = list(dict.fromkeys([*(fields.pop("tags", None) or ()), *TAGS]))
    ours = {"library_name": "tuning-bench", "configs": [{"config_name": "default", "data_files": "table.csv"}]}
    made.data = DatasetCardData(**{"tags": tags, **ours, **fields})
    part = f"{BEGIN}\n\n{_part(address, report, union, figures)}\n{END}"
    around = made.text.strip()
    if BEGIN in around and END in around:
        made.text = f"{around[: around.index(BEGIN)]}{part}{around[around.index(END) + len(END) :]}"
    else:
        made.text = f"{around}\n\n{part}".strip()
    return f"---\n{made.data.to_yaml().rstrip()}\n---\n\n{made.text.strip()}\n"


def _part(address: Address, report: Report, union: Union, figures: Sequence[str]) -> str:
    frame = report.frame
    cells = frame.drop_duplicates(["suite", "id"])
    done = int((cells["status"] == "done").sum())
    blocks = [
        f"# {address.repo.partition('/')[2]}",
        f"Results of [tuning-bench]({HOME}), which compares ways of tuning pretrained language models: {done:,} of "
        f"{len(cells):,} cells are finished, of suite{'s' * (len(report.averaged) > 1)} {_names(report.averaged)} "
        f"with {_names(set(cells['model']))}.",
        f"```\npip install tuning-bench\nbench report {address}\n```",
        f"`bench report {address} results/mine` reads them together with results of your own, "
        f'`bench.load("{address}")` is a table in Python.',
        *(
            markdown_picture(f"score against size, {suite}", f"report/{_scale(suite)}")
            for suite in report.averaged
            if _scale(suite) in figures
        ),
        *_tables(report),
        "## What lies here",
        _listed(union),
    ]
    return "\n\n".join(blocks) + "\n"


def _names(names: Iterable[str]) -> str:
    """Names that somebody else may have given, as code: nothing in them is markup."""
    return ", ".join(map(markdown_code, sorted(names))) or "nothing"


def _scale(suite: str) -> str:
    """The picture of a suite's scores against size."""
    return f"scale-{file_part(suite)}.png"


def _tables(report: Report) -> list[str]:
    """The report's tables, their headings one level lower."""
    found = texts(report, ["md"])
    of_kind = [[name for name in found if name.startswith(kind)] for kind in FIRST]
    return [re.sub(r"^#", "##", found[name], flags=re.MULTILINE).strip() for names in of_kind for name in names]


def _listed(union: Union) -> str:
    has_predictions, has_terms, has_texts, has_tuned = (
        any(union.store.path.glob(pattern))
        for pattern in (f"cells/*/{PREDICTIONS}", f"cells/*/{TERMS}", "examples/*", "cells/*/tuned.safetensors")
    )
    rows = [
        ("table.csv", "a row per cell and metric"),
        ("report/", "the report: `report.html` is one page, and tables and figures as files"),
        ("cells/", "a record per cell: scores, curve, costs, versions, and the command without paths and hosts"),
        *([(f"cells/*/{PREDICTIONS}", "what was said of each example")] if has_predictions else []),
        *([(f"cells/*/{TERMS}", "what metrics count of each example, where answers are texts")] if has_terms else []),
        *([("cells/*/tuned.safetensors", "what was trained")] if has_tuned else []),
        *([("examples/", "texts of the data sets, under their own licences")] if has_texts else []),
        ("plans/, suites/", "what was asked for, and how the tasks are declared"),
    ]
    lines = ["| file | is |", "| --- | --- |", *(f"| `{name}` | {what} |" for name, what in rows)]
    licences = sorted({(task.name, task.licence) for task in _tasks(union) if task.licence})
    if has_texts and licences:
        lines += ["", "Licences of the texts, as the tasks state them: "]
        lines[-1] += "; ".join(markdown_text(f"{name}: {licence}") for name, licence in licences) + "."
    return "\n".join(lines)


def _tasks(union: Union) -> list[Task]:
    asked = {(cell.suite, cell.task) for cell in union.store.planned(lambda _: None)}
    kept, _ = kept_suites(union.store.path)
    return [task for name, suite in kept.items() for task in suite.tasks if (name, task.name) in asked]


def table(report: Report) -> str:
    """The tidy table as CSV: what `bench.load` gives, but for the folder that a cell was found in."""
    rows = report.frame.drop(columns="results")
    for name in ("settings", "given"):
        rows[name] = [json.dumps(value, sort_keys=True) for value in rows[name]]
    return csv_text(rows)


def pictures(folder: Path) -> list[str]:
    """The names of a report's pictures."""
    return sorted(path.name for path in folder.glob("*.png"))
