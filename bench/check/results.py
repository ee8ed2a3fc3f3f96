"""Results folders, every file of them read to its last byte: what is not what was written any more is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.check.finding import Finding, Status
from bench.errors import UsageError
from bench.store.alone import kept_alone
from bench.store.checksums import RECORD
from bench.store.declarations import kept_suites
from bench.store.examples import all_spoiled_examples
from bench.store.fetched import open_results
from bench.store.formats import FORMAT
from bench.store.healing import BROKEN
from bench.store.reading import read_record
from bench.store.record import Record
from bench.store.store import Store
from bench.store.whole import file_faults, gone_files

WHOLE = "whole"
NOT_MISSED = {"tuned.safetensors"}  # files that a user may remove to have more space: no number comes from them


def check_results(place: Path) -> Iterator[Finding]:
    """A line for each file that is broken or gone, and at the end one on the folder."""
    problems: list[str] = []
    try:
        store = open_results(place, problems)
    except UsageError as error:
        yield Finding(str(place), WHOLE, "failed", str(error))
        return
    num_broken = len(problems)
    yield from (Finding(store.name, WHOLE, "failed", problem) for problem in problems)
    for finding in (*_cells(store), *_beside(store)):
        num_broken += finding.status == "failed"
        yield finding
    yield from _aside(store)
    if not num_broken:
        yield Finding(store.name, WHOLE, "passed", f"{len(store.done())} finished cells")


def _cells(store: Store) -> Iterator[Finding]:
    num_old = 0
    for cell_id in sorted(store.done()):
        folder = store.cell_folder(cell_id)
        faults: list[UsageError] = []
        record: Record | None = None
        try:
            record = read_record(folder / RECORD, cell_id)
            faults += file_faults(folder, record.files)
        except UsageError as error:  # of another format too, or overtaken by a run that measures it again
            faults.append(error)
        yield from (Finding(f"cell {cell_id}", WHOLE, "failed", str(fault)) for fault in faults)
        if record is None or faults:
            continue
        num_old += record.format < FORMAT
        for path in gone_files(record, folder):
            status: Status = "told" if path.name in NOT_MISSED else "failed"
            yield Finding(f"cell {cell_id}", WHOLE, status, f"{path} is gone")
    for folder in store.half_written():
        yield Finding(f"cell {folder.name}", WHOLE, "failed", f"{folder} has no record")
    if num_old:
        note = (
            f"{num_old} finished cells are of an older format, which has no checksums: only their schema was looked at"
        )
        yield Finding(store.name, "checksums", "told", note)


def _beside(store: Store) -> Iterator[Finding]:
    """What a results folder has beside its finished cells."""
    broken: list[UsageError] = []
    store.planned(broken.append)
    store.records_of(store.failures().keys() - store.done(), broken.append)
    broken += kept_suites(store.path)[1]
    broken += kept_alone(store.path)[1]
    broken += all_spoiled_examples(store.path)
    yield from (Finding(store.name, WHOLE, "failed", str(error)) for error in broken)


def _aside(store: Store) -> Iterator[Finding]:
    count = len(list(store.path.glob(f"{BROKEN}/*")))
    if count:
        note = f"{count} broken cells were set aside to be measured again, and may be deleted"
        yield Finding(f"{store.path / BROKEN}", "set aside", "told", note)
