"""What `bench.run` and `bench.load` give: results folders as a table, and the report they come to."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import escape

from bench.errors import UsageError
from bench.notebook.gallery import Figure, Gallery
from bench.notebook.words import in_python
from bench.report.files import beside, figures_of, report_of, write
from bench.report.read.folders import Reading, read_folders
from bench.report.read.frame import scored
from bench.report.tables.report import Report
from bench.report.tables.table import Table
from bench.request import ReportRequest
from bench.share.anonymised import read_anonymously
from bench.spelling import at_home


def load(*folders: str | os.PathLike[str]) -> Results:
    """Results folders as one table, `bench.load("results/a", "results/b")`: a row per cell and metric.

    Where folders hold the same cell, a finished record goes before a failure, then the first folder before the next.
    Files that cannot be read are left out with a warning; UsageError for a folder that is no results folder.
    """
    with in_python():
        if not folders:
            raise UsageError("no folder is given, like bench.load('results/smoke')")
        reading = read_folders([Path(at_home(Path(folder))) for folder in folders])
    for problem in reading.problems:
        warnings.warn(problem, stacklevel=2)
    return Results(reading)


class Results(pd.DataFrame):
    """Results folders as they were read: a row per cell and metric, whose columns results/README.md lists.

    Beside the rows what `bench report` makes of the same folders, with the same numbers: tables, figures, the report
    itself. A selection of rows is a plain DataFrame.
    """

    _metadata = ["_reading"]

    def __init__(self, reading: Reading) -> None:
        super().__init__(scored(reading.outcomes))  # type: ignore[call-arg]
        self._reading = reading

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    @property
    def folders(self) -> tuple[Path, ...]:
        return self._reading.folders

    @cached_property
    def _report(self) -> Report:
        return report_of(self._reading)

    @property
    def tables(self) -> Gallery[Table]:
        """The tables that `bench report` prints, by the names of their files."""
        return Gallery({table.name: table for table in self._report.every_table})

    @property
    def recommendation(self) -> pd.DataFrame:
        """Which method to use, per model: the numbers of recommendation-SUITE.csv."""
        return self._numbers("recommendation-")

    @property
    def scores(self) -> pd.DataFrame:
        """Means over seeds with their intervals: the numbers of table-SUITE.csv."""
        return self._numbers("table")

    @property
    def verdicts(self) -> pd.DataFrame:
        """Each line against the reference: the numbers of verdicts-SUITE.csv."""
        return self._numbers("verdicts-", self._report.comparisons.head(0))

    def _numbers(self, kind: str, without: pd.DataFrame | None = None) -> pd.DataFrame:
        """The numbers of all tables of a kind, and what stands for none."""
        parts = [table.frame for name, table in self.tables.items() if name.startswith(kind)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(without)

    @cached_property
    def figures(self) -> Gallery[Figure]:
        """The report's figures, by the names of their files."""
        return Gallery({figure.name: Figure(figure) for figure in figures_of(self._report)})

    def report(self, to: str | os.PathLike[str] | None = None, **asked: Any) -> Written:
        """Write the files of `bench report`, by default into report/ of the first folder; a notebook shows the page.

        `format`, `reference`, `margin`, `published`, `samples` and `anonymous` are the flags of that command.
        UsageError for a wrong one, and for a folder that cannot be written to.
        """
        with in_python():
            given = asked if to is None else {**asked, "to": Path(to)}
            request = ReportRequest.called({name: value for name, value in given.items() if value is not None})
            if request.folders or request.plugin:
                raise UsageError("folders and plugin are those of bench.load and bench.run; leave them out")
            if request.anonymous:
                with read_anonymously(self.folders) as reading:
                    return self._written(reading, request, samples=0)
            return self._written(self._reading, request, request.samples)

    def _written(self, reading: Reading, request: ReportRequest, samples: int) -> Written:
        report = report_of(reading, None, request.reference, request.margin)
        to = request.to or beside(self.folders)
        return Written(tuple(write(report, request.format, request.published, to, samples)))

    def _repr_html_(self) -> str:
        """The report's tables, and the rows under them."""
        done = self.loc[self["main"] & (self["status"] == "done"), "id"].nunique()
        head = f"{', '.join(map(str, self.folders))}: {done} of {self['id'].nunique()} cells finished"
        rows = pd.DataFrame(self)._repr_html_()  # type: ignore[operator]
        return (
            f"<p>{escape(head)}</p>{self.tables._repr_html_()}"
            f"<details><summary>{len(self)} rows, one per cell and metric</summary>{rows}</details>"
        )


@dataclass(frozen=True)
class Written:
    """The files of a report."""

    paths: tuple[Path, ...]

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def _repr_html_(self) -> str:
        """The page, in a frame of its own, or the files' names."""
        listed = "".join(f"<li>{escape(str(path))}</li>" for path in self.paths)
        pages = [path for path in self.paths if path.suffix == ".html"]
        if not pages:
            return f"<ul>{listed}</ul>"
        page = escape(pages[0].read_text(encoding="utf-8"))
        frame = f'<iframe srcdoc="{page}" style="width: 100%; height: 700px; border: 0"></iframe>'
        return f"{frame}<details><summary>{len(self)} files</summary><ul>{listed}</ul></details>"
