"""Every cell that somebody asked for in some results folders, with what came of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cell import Cell
from bench.report.read.alone import measured_alone, measurements
from bench.store.alone import Alone
from bench.store.examples import all_spoiled_examples
from bench.store.record import Record
from bench.store.store import Store

ORDER = ("suite", "task", "model", "method", "seed", "id")


@dataclass(frozen=True)
class Outcome:
    """A cell somebody asked for, with what came of it, if anything did."""

    cell: Cell
    record: Record | None
    results: str  # what the folder that it was found in is called: its path, or its address on the hub
    folder: Path  # where that is
    reason: str = ""  # why there is no record, where that is known
    alone: Alone | None = None  # what its cell costs alone, where it was measured apart from the record


def outcomes(stores: Iterable[Store], problems: list[str] | None = None) -> list[Outcome]:
    """Every cell planned or recorded in any of the folders, trials among them, once per suite that asked for it.

    Where several folders hold the same cell a finished record goes before a failure, then the first folder before the
    next. A record counts for every suite that planned its cell, because a cell's id does not cover the suite's name.
    Where a folder's trials came to another choice later, what was measured with the earlier choice is left out.
    Files that cannot be read are left out and named in `problems`; without that list they are a UsageError.
    """
    broken = None if problems is None else lambda error: problems.append(f"left out: {error}")
    asked: dict[tuple[str, str], tuple[Cell, Store]] = {}
    records: dict[str, tuple[Record, Store]] = {}
    stores = list(stores)
    choices: dict[Path, dict[Hashable, str]] = {}
    for store in stores:
        planned = store.planned(broken)
        choices[store.path] = {cell.choice: cell.id for cell in planned if cell.drawn and cell.tried}
        for cell in planned:
            asked.setdefault((cell.id, cell.suite), (cell, store))
    for store in stores:
        for record in store.records(broken):
            if choices[store.path].get(record.cell.choice, record.id) != record.id:
                continue
            asked.setdefault((record.id, record.cell.suite), (record.cell, store))
            if record.id not in records or (record.status == "done" and records[record.id][0].status != "done"):
                records[record.id] = record, store
    chosen = {cell.choice for cell, _ in asked.values() if cell.drawn}
    measured, asked_for = measurements(stores, problems), []
    for (cell_id, _), (cell, planned_in) in asked.items():
        if cell.tried and not cell.drawn and cell.choice in chosen:
            continue  # one folder still waits for the choice that another has made
        found, found_in = records.get(cell_id, (None, planned_in))
        reason = "" if found else _waits(cell, records)
        alone = measured_alone(found, measured) if found else None
        asked_for.append(Outcome(cell, found, found_in.name, found_in.path, reason, alone))
    if problems is not None:
        problems += [f"left out: {error}" for store in stores for error in all_spoiled_examples(store.path)]
        problems += [f"{path} has no record; its cell counts as missing" for st in stores for path in st.half_written()]
    return sorted(asked_for, key=lambda o: tuple(getattr(o.cell, name) for name in ORDER))


def _waits(cell: Cell, records: Mapping[str, tuple[Record, Store]]) -> str:
    """Why a cell whose settings trials must choose is not there."""
    if not cell.tried or cell.drawn:
        return ""
    statuses = [records[trial_id][0].status if trial_id in records else "missing" for trial_id in cell.tried]
    if set(statuses) <= {"failed", "diverged"}:
        return f"no setting could be chosen: all of {len(statuses)} trials failed or diverged"
    return f"its setting is not chosen yet: {statuses.count('done')} of {len(statuses)} trials are finished"
