"""The end of `bench run`: which method to use, in a few lines, with what each costs alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.commands.screen import is_notebook
from bench.errors import UsageError
from bench.store.alone import keep_alone, kept_alone, most_seconds
from bench.store.record import Record
from bench.store.store import Store

if TYPE_CHECKING:
    from bench.execute.job import Job
    from bench.train.options import Options
    from bench.train.run_data import RunData

MOST_READ = 4000  # records, about a millisecond each


def conclude(console: Console, job: Job, new: Sequence[Record], options: Options | None, data: RunData) -> None:
    """What follows a run that made `new` records: cells are measured alone where there are `options` for it, and the
    answer is printed. A run that made none says nothing new.
    """
    if not new:
        return
    if options is not None:
        measure_alone(console, job.folder, new, options, data, job.workers)
    if not is_notebook():  # which shows the results that the call gives
        print_answer(console, job.folder, {cell.suite for cell in job.plan.cells})


def measure_alone(
    console: Console, folder: Path, new: Sequence[Record], options: Options, data: RunData, workers: int
) -> None:
    """Measure alone, on the options' device, what shared its loop or GPU, after a run that made `new` records there.

    It takes about a tenth of the time that those took so many workers, at most, and is not begun after a short run;
    what is left then is measured after another one.
    """
    from bench.execute.alone import lacking, measured
    from bench.model.device import device_name

    seconds = most_seconds(sum(record.costs.seconds for record in new) / workers)
    if not seconds:
        return
    store = Store.open(folder)
    try:
        ids = dict.fromkeys([*(record.id for record in new), *sorted(store.done())])
        records = store.records_of(list(ids)[:MOST_READ], lambda _: None).values()
        lacks = lacking(records, kept_alone(folder)[0].values(), device_name(options.device))
        if lacks:
            told = f"measuring alone what shared a loop or a GPU: {len(lacks)} cells, {seconds:.0f} s at most"
            console.print(told, style="dim", highlight=False)
        for alone in measured(lacks, options, data, seconds):
            keep_alone(folder, alone)
    except UsageError as error:  # a full disk, or a record that cannot be read: the run itself is over and kept
        console.print(f"not measured alone: {error}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def print_answer(console: Console, folder: Path, suites: Collection[str]) -> None:
    """Print the recommendation of these suites, as a report of the folder has it; nothing where nothing is compared."""
    from bench.report.files import collect  # pandas comes in here, matplotlib does not
    from bench.report.tables.console import print_table

    report = collect([folder])
    compared = {answer.suite for answer in report.recommendations if len(answer.candidates) + len(answer.alone) > 1}
    for table in report.recommendation_tables:
        if table.suite in compared & {*suites}:
            print_table(table, console, notes=False)
