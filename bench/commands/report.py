"""`bench report`: results folders become tables on the screen and the files of a report."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from bench.commands.folders import newest_results
from bench.registry import load_plugin
from bench.request import ReportRequest
from bench.store.fetched import open_results
from bench.store.formats import OtherFormat


def report_folders(request: ReportRequest) -> None:
    """Write the report of some results folders (default: the newest) and print its tables."""
    for path in request.plugin:
        load_plugin(path)
    folders = list(request.folders) or [newest_results()]
    for number, folder in enumerate(folders):  # what is none is refused here; one of another format may be left out
        with suppress(OtherFormat):
            folders[number] = Path(open_results(folder).name)  # of an address the commit, so that it is asked for once
    from rich.console import Console

    from bench.report.files import collect, write  # pandas and matplotlib come in here
    from bench.report.tables.console import print_table

    report = collect(folders, None, request.reference, request.margin)
    for warning in report.warnings:
        print(f"warning: {' '.join(warning.split())}", file=sys.stderr)
    for table in report.recommendation_tables:
        print_table(table)
    for table in report.tables:
        print_table(table)
        for further in report.further_tables.get(table.suite, ()):
            print_table(further)
    for table in report.verdict_tables:
        print_table(table)
    for path in write(report, request.format, request.published, request.to, request.samples):
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)
