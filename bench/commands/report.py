"""`bench report`: results folders become tables on the screen and the files of a report."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.collecting import not_collecting
from bench.commands.folders import newest_results
from bench.commands.streams import tell
from bench.registry import load_plugin
from bench.request import ReportRequest
from bench.store.fetched import open_results
from bench.store.formats import OtherFormat

if TYPE_CHECKING:
    from bench.report.tables.report import Report


@not_collecting()  # what is read and found stays to the end; `write` has the collector work again
def report_folders(request: ReportRequest) -> None:
    """Write the report of some results folders (default: the newest) and print its tables."""
    for path in request.plugin:
        load_plugin(path)
    folders = list(request.folders) or [newest_results()]
    for number, folder in enumerate(folders):  # what is none is refused here; one of another format may be left out
        with suppress(OtherFormat):
            folders[number] = Path(open_results(folder).name)  # of an address the commit, so that it is asked for once
    from bench.report.files import beside, report_of  # pandas and matplotlib come in here
    from bench.report.read.folders import read_folders
    from bench.share.anonymised import read_anonymously

    with read_anonymously(folders) if request.anonymous else nullcontext(read_folders(folders)) as reading:
        report = report_of(reading, None, request.reference, request.margin)
        _print(report)
        _write(report, request, request.to or beside(folders))


def _print(report: Report) -> None:
    from bench.report.tables.console import print_table

    for warning in report.warnings:
        tell("warning", warning)
    for table in report.recommendation_tables:
        print_table(table)
    for table in report.tables:
        print_table(table)
        for further in report.further_tables.get(table.suite, ()):
            print_table(further)
    for table in report.verdict_tables:
        print_table(table)


def _write(report: Report, request: ReportRequest, to: Path) -> None:
    from bench.escaping.terminal import Screen
    from bench.report.files import write

    samples = 0 if request.anonymous else request.samples
    for path in write(report, request.format, request.published, to, samples):
        Screen().print(f"wrote {path}", highlight=False, soft_wrap=True)
