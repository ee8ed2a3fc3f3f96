"""The entrance: results folders -> the files of a report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.collecting import not_collecting, set_aside
from bench.errors import UsageError
from bench.escaping.file_names import file_part
from bench.model.families.scales import family_named
from bench.report.read import published as papers
from bench.report.read.folders import Reading, read_folders
from bench.report.statistics.findings import analyse
from bench.report.tables.formats import comma_separated, latex, markdown
from bench.report.tables.paper import paper_table
from bench.report.tables.report import Report, with_tables
from bench.report.tables.table import Table
from bench.request import ReportRequest
from bench.store.address import Address, is_address
from bench.store.archive import is_archive
from bench.writing import telling, write_together

if TYPE_CHECKING:
    from bench.report.figures.captioned import CaptionedFigure

TEXTS: dict[str, Callable[[Table], str]] = {"md": markdown, "csv": comma_separated, "tex": latex}
IMAGES, PAGE = ("png", "svg"), "html"
RESULTS = Path("results")
DEFAULT = ReportRequest()


def collect(
    paths: Collection[Path],
    usual: Mapping[str, Sequence[str]] | None = None,
    reference: str | None = None,
    margin: float = DEFAULT.margin,
) -> Report:
    """Read results folders. `usual` names each suite's tasks to average, all of them for a suite not in it; by default
    those that the suites declare.

    Of the named tasks those count that somebody asked for in these folders; the table says which. Lines are compared
    with that called `reference` (default: that of the reference method), and match it within `margin` points. What
    cannot be read is left out and named in the report's warnings; UsageError for a folder that is no results folder,
    for an unknown reference and for a margin that is not above 0. A path may be an address on the hub.
    """
    return report_of(read_folders(paths), usual, reference, margin)


@not_collecting()
def report_of(
    reading: Reading,
    usual: Mapping[str, Sequence[str]] | None = None,
    reference: str | None = None,
    margin: float = DEFAULT.margin,
) -> Report:
    """The report of what was read; see `collect`."""
    if not margin > 0:
        raise UsageError(f"--margin {margin:g} is not possible: it is in points of the score and must be above 0")
    if usual is None:
        usual = {name: suite.average for name, suite in reading.suites.items() if suite.average}
    found = analyse(reading.outcomes, reading.suites, usual, reference, margin, reading.problems)
    return with_tables(found, reading.folders)


def beside(folders: Sequence[Path]) -> Path:
    """Where a report of these results stands, when nobody says it: report/ in the first folder that is of this machine,
    or beside that archive, else in results/OWNER--NAME.
    """
    here = [place.parent if is_archive(place) else place for place in folders if not is_address(place)]
    return (here[0] if here else RESULTS / Address.parse(folders[0]).folder_name) / "report"


def write(
    report: Report,
    formats: Collection[str],
    published: bool = False,
    to: Path | None = None,
    samples: int = DEFAULT.samples,
) -> list[Path]:
    """Write recommendation-SUITE, table-SUITE and verdicts-SUITE (.md, .csv, .tex), paper-SUITE.tex, figures (.png,
    .svg), report.html.

    Chosen settings, seeds taken apart and costs stand under the table in Markdown, and in chosen-SUITE, variance-SUITE
    and costs-SUITE .csv and .tex. Figures are scale-SUITE, scale-SUITE-tasks, cost-SUITE, curves-SUITE,
    ablation-SUITE-SETTING per swept setting, and budget-SUITE-FIELD per swept field of the budget. All go to the folder
    `to`, by default to what `beside` says. With `published` the papers' numbers are laid over the scale figures. The
    page shows at most `samples` predictions of a cell. UsageError for a folder that cannot be written to, or when the
    published numbers are not there; what was written before is then as it was.
    """
    folder = to or beside(report.folders)
    contents = {name: text.encode() for name, text in texts(report, formats).items()}
    if {*IMAGES, PAGE} & {*formats}:
        with set_aside():  # figures are garbage, the report is none
            contents |= _drawn(report, formats, published, samples)
    with telling("write the report to", folder, "what stood there is as it was: free space, or choose another --to"):
        write_together(folder, contents)
    return [folder / name for name in contents]


def texts(report: Report, formats: Collection[str]) -> dict[str, str]:
    """The tables in these formats, by the names of their files; further ones stand in the Markdown of the scores."""
    further = report.further_tables
    written: dict[str, str] = {}
    for table in report.recommendation_tables:
        written |= _files(table, [name for name in TEXTS if name in formats])
    for table in report.tables:
        written |= _files(table, [name for name in TEXTS if name in formats], further.get(table.suite, ()))
    if "tex" in formats:
        written |= {f"paper-{file_part(suite)}.tex": paper_table(report, suite) for suite in report.averaged}
    for table in (table for tables in further.values() for table in tables):
        written |= _files(table, [name for name in TEXTS if name in formats and name != "md"])
    for table in report.verdict_tables:
        written |= _files(table, [name for name in TEXTS if name in formats])
    return written


def _files(table: Table, formats: Sequence[str], under: Sequence[Table] = ()) -> dict[str, str]:
    files = {f"{table.name}.{name}": TEXTS[name](table) for name in formats}
    if under and "md" in formats:
        files[f"{table.name}.md"] = "\n".join(map(markdown, (table, *under)))
    return files


def figures_of(report: Report, with_published: bool = False) -> list[CaptionedFigure]:
    """The report's figures, with the papers' numbers laid over or without."""
    from bench.report.figures.captioned import captioned_figures  # matplotlib takes half a second

    return captioned_figures(report, papers.read() if with_published else None, family_named)


def _drawn(report: Report, formats: Collection[str], with_published: bool, samples: int) -> dict[str, bytes]:
    """The figures in these formats, and the page."""
    # matplotlib takes half a second, which a table need not wait for
    from bench.report.figures.captioned import captions
    from bench.report.figures.layout import render
    from bench.report.page.html import page

    figures = figures_of(report, with_published)
    images = [name for name in IMAGES if name in formats]
    contents: dict[str, bytes] = {}
    for figure in figures if images else ():
        drawn = render(figure.drawing, images, figure.heading, " ".join(figure.notes))
        contents |= {f"{figure.name}.{name}": image for name, image in drawn.items()}
    if images:
        contents["figures.md"] = captions(figures, images[-1]).encode()
    if PAGE in formats:
        contents["report.html"] = page(report, figures, samples).encode()
    return contents
