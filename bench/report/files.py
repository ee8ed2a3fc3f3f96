"""Results folders -> the files of a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench.errors import UsageError, unknown
from bench.registry import methods
from bench.report.read import published
from bench.report.read.consistency import differences
from bench.report.read.frame import Outcome, outcomes, scored, varied
from bench.report.read.reference import references
from bench.report.statistics import ranking, rising, verdicts
from bench.report.statistics import summary as stats
from bench.report.statistics.bootstrap import gather
from bench.report.statistics.equal_budgets import comparable, within_budgets
from bench.report.statistics.samples import entries, main_metrics
from bench.report.tables import scores as tables
from bench.report.tables import verdicts as verdict_table
from bench.report.tables.clusters import clusters_text
from bench.report.tables.formats import compared_numbers, latex, markdown, numbers
from bench.report.tables.paper import paper_table
from bench.report.tables.scores import Table
from bench.report.tables.table import Section, section_csv, section_latex, section_markdown
from bench.report.tables.trials import chosen_section
from bench.report.tables.variance import shares, variance_csv, variance_section
from bench.store.store import OtherFormat, Store

TEXTS, PICTURES, PAGE = ("md", "csv", "tex"), ("png", "svg"), "html"
FORMATS = (*TEXTS, *PICTURES, PAGE)
MARGIN = 1.0  # points within which two methods match
SAMPLES = 10  # predictions of a cell that the page shows


@dataclass(frozen=True)
class Report:
    """What some results folders hold, counted up: one table per suite, and the numbers behind it."""

    folders: tuple[Path, ...]
    outcomes: tuple[Outcome, ...]  # every cell with its record, trials among them
    frame: pd.DataFrame  # those that are scored, a row per cell and metric
    summary: pd.DataFrame
    averages: pd.DataFrame
    chosen: dict[str, tuple[str, ...]]  # per suite the tasks whose mean is the average
    tables: tuple[Table, ...]
    published: pd.DataFrame | None  # the papers' numbers, where the installation has them
    beside: pd.DataFrame  # those of them that agree with something measured, in the columns of the summary
    sections: dict[str, tuple[Section, ...]]  # per suite what stands under its table
    variance: pd.DataFrame  # seeds taken apart (tables.variance.shares)
    comparisons: pd.DataFrame  # columns as statistics.verdicts.COMPARISONS, and so on
    crossings: pd.DataFrame
    ranks: pd.DataFrame
    verdict_tables: tuple[Table, ...]  # of the suites that have comparisons
    warnings: tuple[str, ...]  # what was wrong with the folders, and in what the cells are not alike


def collect(
    paths: Collection[Path],
    suites_average: Mapping[str, tuple[str, ...]],
    reference: str | None = None,
    margin: float = MARGIN,
) -> Report:
    """Read results folders. `suites_average` names each suite's tasks to average; all of them for a suite not in it.

    Of the named tasks those count that somebody asked for in these folders; the table says which. Lines are compared
    with that called `reference` (default: that of the reference method), and match it within `margin` points. What
    cannot be read is left out and named in the report's warnings; UsageError for a folder that is no results folder,
    for an unknown reference and for a margin that is not above 0.
    """
    if not margin > 0:
        raise UsageError(f"--margin {margin:g} is not possible: it is in points of the score and must be above 0")
    stores, problems = _open(paths)
    found = outcomes(stores, problems)
    rows = scored(found)
    evidence = gather(rows)
    suites = sorted(set(rows["suite"]))
    chosen = {suite: _chosen(rows[rows["suite"] == suite], suites_average.get(suite, ())) for suite in suites}
    of_entries = entries(rows, chosen, evidence)
    summary, averages = stats.summarise(rows, of_entries), stats.averages(rows, chosen, of_entries)
    every = pd.concat([part for part in (summary, averages) if len(part)] or [summary], ignore_index=True)
    compared_with, unclear = references(rows, reference, _reference_methods())
    known = verdicts.sides_of(of_entries, chosen, main_metrics(rows))
    alike, unequal = comparable(every, compared_with)
    compared = verdicts.comparisons(alike, chosen, known, compared_with, margin)
    rises = rising.rising(found, rows)
    compared = rising.noted(compared, rises, chosen)
    sizes = {str(model): size for model, size in rows.groupby("model")["backbone_parameters"].max().dropna().items()}
    crossings = ranking.crossings(compared, sizes)
    ranked = [
        ranking.ranks(suite, own, chosen[suite])
        for suite, sides in known.items()
        for own in within_budgets(sides, rows[rows["suite"] == suite])
    ]
    ranks = pd.concat(
        [part for part in ranked if len(part)] or [pd.DataFrame(columns=ranking.RANKS)], ignore_index=True
    )
    warned = (*problems, *differences(found), *evidence.problems, *unclear, *unequal)
    papers = published.known()
    agreeing = [published.beside(papers, summary[summary["suite"] == suite], tasks) for suite, tasks in chosen.items()]
    beside = pd.concat([part for part in agreeing if len(part)] or [summary.head(0)], ignore_index=True)
    built = tuple(
        tables.build(rows, summary, averages, suite, tasks, suites_average.get(suite, ()), beside)
        for suite, tasks in chosen.items()
    ) or (tables.nothing([str(path) for path in paths]),)
    warnings = tuple(" ".join(warning.split()) for warning in warned)
    built = tuple(
        replace(table, warnings=warnings, notes=(*table.notes, *rising.text(rises, table.suite))) for table in built
    )
    judged = tuple(
        verdict_table.build(
            suite, rows, compared, crossings, ranks, tasks, known[suite], clusters_text(rows, evidence, suite)
        )
        for suite, tasks in chosen.items()
        if (compared["suite"] == suite).any()
    )
    judged = tuple(replace(table, notes=(*table.notes, *_meant(compared, table.suite))) for table in judged)
    apart = shares(varied(found), rows)
    sections = {suite: (chosen_section(found, rows, suite), variance_section(apart, suite)) for suite in suites}
    shown = {suite: tuple(filter(None, own)) for suite, own in sections.items()}
    return Report(
        tuple(paths), tuple(found), rows, summary, averages, chosen, built, papers, beside, shown, apart,
        compared, crossings, ranks, judged, warned,
    )  # fmt: skip


def _meant(compared: pd.DataFrame, suite: str) -> list[str]:
    """What a verdict table's notes on rising curves mean, where there are some."""
    notes = compared.loc[compared["suite"] == suite, "note"]
    return [rising.MEANING] if any("still rising" in text for note in notes for text in note) else []


def _open(paths: Collection[Path]) -> tuple[list[Store], list[str]]:
    """The results folders; one of another format among several is left out and named."""
    stores, others = [], []
    for path in paths:
        try:
            stores.append(Store.open(path))
        except OtherFormat as error:
            others.append(error)
    if others and not stores:
        raise others[0]
    return stores, [f"left out: {error}" for error in others]


def _reference_methods() -> list[str]:
    return [name for name, kind in methods().items() if kind.reference]


def write_report(
    paths: Collection[Path],
    formats: Collection[str],
    suites_average: Mapping[str, tuple[str, ...]],
    published: bool = False,
    to: Path | None = None,
    samples: int = SAMPLES,
) -> list[Path]:
    """Read results folders and write the report's files; the same as `write(collect(...), ...)`."""
    check(formats)
    return write(collect(paths, suites_average), formats, published, to, samples)


def check(formats: Collection[str]) -> None:
    """UsageError for a format that is not written here."""
    for name in formats:
        if name not in FORMATS:
            raise unknown("report format", name, FORMATS)


def write(
    report: Report,
    formats: Collection[str],
    published: bool = False,
    to: Path | None = None,
    samples: int = SAMPLES,
) -> list[Path]:
    """Write table-SUITE, verdicts-SUITE (.md, .csv, .tex), paper-SUITE.tex, figures (.png, .svg), report.html.

    Chosen settings and seeds taken apart stand under the table in Markdown, and in chosen-SUITE and variance-SUITE .csv
    and .tex. Figures are scale-SUITE, scale-SUITE-tasks, cost-SUITE, ablation-SUITE-SETTING per swept setting, and
    budget-SUITE-FIELD per swept field of the budget. All go to the folder `to`, by default report/ in the first results
    folder. With `published` the papers' numbers are laid over the scale figures. The page shows at most `samples`
    predictions of a cell. UsageError for an unknown format, a folder that cannot be written to, or when the published
    numbers are not there.
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
    for table in report.verdict_tables:
        stem = f"verdicts-{table.suite}"
        contents |= {f"{stem}.{kind}": _verdicts(report, table, kind).encode() for kind in TEXTS if kind in formats}
    kinds = [kind for kind in PICTURES if kind in formats]
    if kinds or PAGE in formats:
        contents |= _drawn(report, kinds, PAGE in formats, published, samples)
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
    return paper_table(frame, summary, report.chosen[suite], beside, report.published, report.ranks)


def _verdicts(report: Report, table: tables.Table, kind: str) -> str:
    if kind == "csv":
        return compared_numbers(report.comparisons, table.suite)
    return markdown(table) if kind == "md" else latex(table)


def _drawn(report: Report, kinds: list[str], for_page: bool, with_published: bool, samples: int) -> dict[str, bytes]:
    """The figures in these kinds, and the page."""
    from bench.report.figures import (  # matplotlib takes half a second, which a table need not wait for
        captioned as pictures,
    )
    from bench.report.figures import lines as figures
    from bench.report.page.html import page

    overlay = published.read() if with_published else None
    found = pictures.pictures(report, overlay)
    contents: dict[str, bytes] = {}
    for picture in found if kinds else ():
        rendered = figures.render(picture.drawing, kinds)
        contents |= {f"{picture.name}.{kind}": content for kind, content in rendered.items()}
    if for_page:
        shown = [pictures.for_page(picture) for picture in found if report.chosen]
        contents["report.html"] = page(report, shown, pictures.styles(report, found), samples).encode()
    return contents
