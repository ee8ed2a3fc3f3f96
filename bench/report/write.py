"""Results folders -> the files of a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from bench.errors import UsageError, unknown
from bench.report import published, stats, tables
from bench.report.formats import latex, markdown, numbers
from bench.report.frame import outcomes, scored, varied
from bench.report.paper_table import paper_table
from bench.report.sections import Section, section_csv, section_latex, section_markdown
from bench.report.trials import chosen_section
from bench.report.variance import shares, variance_csv, variance_section
from bench.store.store import Store

TEXTS, PICTURES = ("md", "csv", "tex"), ("png", "svg")
FORMATS = (*TEXTS, *PICTURES)


@dataclass(frozen=True)
class Report:
    """What some results folders hold, counted up: one table per suite, and the numbers behind it."""

    folders: tuple[Path, ...]
    frame: pd.DataFrame
    summary: pd.DataFrame
    averages: pd.DataFrame
    chosen: dict[str, tuple[str, ...]]  # per suite the tasks whose mean is the average
    tables: tuple[tables.Table, ...]
    published: pd.DataFrame | None = None  # the papers' numbers, where the installation has them
    beside: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=stats.SUMMARY))  # those that agree
    sections: dict[str, tuple[Section, ...]] = field(default_factory=dict)  # per suite what stands under its table
    variance: pd.DataFrame = field(default_factory=pd.DataFrame)  # seeds taken apart (bench.report.variance.shares)


def collect(paths: Collection[Path], suites_average: Mapping[str, tuple[str, ...]]) -> Report:
    """Read results folders. `suites_average` names each suite's tasks to average; all of them for a suite not in it.

    Of the named tasks those count that somebody asked for in these folders; the table says which. UsageError for a
    folder that is no results folder.
    """
    found = outcomes(Store.open(path) for path in paths)
    rows = scored(found)
    suites = sorted(set(rows["suite"]))
    chosen = {suite: _chosen(rows[rows["suite"] == suite], suites_average.get(suite, ())) for suite in suites}
    summary, averages = stats.summarise(rows), stats.averages(rows, chosen)
    papers = published.known()
    agreeing = [published.beside(papers, summary[summary["suite"] == suite], tasks) for suite, tasks in chosen.items()]
    beside = pd.concat([part for part in agreeing if len(part)] or [summary.head(0)], ignore_index=True)
    built = tuple(
        tables.build(rows, summary, averages, suite, tasks, suites_average.get(suite, ()), beside)
        for suite, tasks in chosen.items()
    )
    if not built:
        built = (tables.nothing([str(path) for path in paths]),)
    apart = shares(varied(found), rows)
    sections = {suite: (chosen_section(found, rows, suite), variance_section(apart, suite)) for suite in suites}
    shown = {suite: tuple(filter(None, own)) for suite, own in sections.items()}
    return Report(tuple(paths), rows, summary, averages, chosen, built, papers, beside, shown, apart)


def write_report(
    paths: Collection[Path],
    formats: Collection[str],
    suites_average: Mapping[str, tuple[str, ...]],
    published: bool = False,
    to: Path | None = None,
) -> list[Path]:
    """Read results folders and write the report's files; the same as `write(collect(...), ...)`."""
    check(formats)
    return write(collect(paths, suites_average), formats, published, to)


def check(formats: Collection[str]) -> None:
    """UsageError for a format that is not written here."""
    for name in formats:
        if name not in FORMATS:
            raise unknown("report format", name, FORMATS)


def write(report: Report, formats: Collection[str], published: bool = False, to: Path | None = None) -> list[Path]:
    """Write table-SUITE.md, .csv, .tex, paper-SUITE.tex, and the figures as .png, .svg; returns their paths.

    Chosen settings and seeds taken apart stand under the table in Markdown, and in chosen-SUITE and variance-SUITE .csv
    and .tex. Figures are scale-SUITE, scale-SUITE-tasks, cost-SUITE, and ablation-SUITE-SETTING per swept setting. All
    go to the folder `to`, by default report/ in the first results folder. With `published` the papers' numbers are laid
    over the scale figures. UsageError for an unknown format, a folder that cannot be written to, or when the
    published numbers are not there.
    """
    check(formats)
    folder = to or report.folders[0] / "report"
    contents: dict[str, bytes] = {}
    for table in report.tables:
        stem = f"table-{table.suite}" if table.suite else "table"
        contents |= {f"{stem}.{kind}": _text(report, table, kind).encode() for kind in TEXTS if kind in formats}
    if "tex" in formats:
        contents |= {f"paper-{suite}.tex": _paper_table(report, suite).encode() for suite in report.chosen}
    contents |= {name: text.encode() for name, text in _sections(report).items() if name.rsplit(".")[-1] in formats}
    kinds = [kind for kind in PICTURES if kind in formats]
    if kinds:
        contents |= _pictures(report, kinds, published)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write the report to {folder}: {error.strerror}; choose another --to") from error
    return [folder / name for name in contents]


def _chosen(rows: pd.DataFrame, usual: tuple[str, ...]) -> tuple[str, ...]:
    asked_for = sorted(set(rows["task"]))
    return tuple(task for task in usual if task in asked_for) or tuple(asked_for)


def _text(report: Report, table: tables.Table, kind: str) -> str:
    if kind == "csv":
        return numbers((report.summary, report.averages, report.beside), table.suite)
    if kind == "tex":
        return latex(table)
    return "\n".join([markdown(table), *map(section_markdown, report.sections.get(table.suite, ()))])


def _sections(report: Report) -> dict[str, str]:
    """The files of the further tables."""
    found: dict[str, str] = {}
    for suite, sections in report.sections.items():
        for section in sections:
            is_variance = section.name == f"variance-{suite}"
            numbers_of = variance_csv(report.variance, suite) if is_variance else section_csv(section)
            found |= {f"{section.name}.csv": numbers_of, f"{section.name}.tex": section_latex(section)}
    return found


def _paper_table(report: Report, suite: str) -> str:
    frame, summary, beside = (rows[rows["suite"] == suite] for rows in (report.frame, report.summary, report.beside))
    return paper_table(frame, summary, report.chosen[suite], beside, report.published)


def _pictures(report: Report, kinds: list[str], with_published: bool) -> dict[str, bytes]:
    from bench.report import figures, pictures  # matplotlib takes half a second, which a table need not wait for

    overlay = published.read() if with_published else None
    contents: dict[str, bytes] = {}
    for picture in pictures.pictures(report, overlay):
        rendered = figures.render(picture.drawing, kinds)
        contents |= {f"{picture.name}.{kind}": content for kind, content in rendered.items()}
    return contents
