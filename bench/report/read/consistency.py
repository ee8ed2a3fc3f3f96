"""What differs between cells that a report puts side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from bench.cell import Cell
from bench.model.precisions import QUANTIZED
from bench.registry import methods
from bench.report.read.outcomes import Outcome
from bench.store.provenance import PACKAGES
from bench.store.record import Record

COMMIT = 12  # digits of a commit that are shown
MOST_NAMED = 6


def differences(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each of code, packages, protocol, precision and device in which finished cells are not alike.

    Cells that do not say with which version of a package they were measured differ from none, and so do those that do
    not go through it.
    """
    alike: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.record and outcome.record.status == "done":
            alike[_read_of(outcome.record), outcome.results].append(outcome.record)
    several = len({folder for _, folder in alike}) > 1
    lines = []
    for what, read in _facets().items():
        places: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for (_, folder), records in alike.items():
            value = read(records[0])
            if value:
                places[value][folder] += len(records)
        if len(places) > 1:
            named = [f"{value} ({_where(folders, several)})" for value, folders in sorted(places.items())]
            more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
            lines.append(f"{what} differs between cells: {', '.join(named[:MOST_NAMED])}{more}")
    return lines


def _facets() -> dict[str, Callable[[Record], str]]:
    return {
        "git commit": lambda record: _commit(str(record.provenance.get("git_commit") or "")),
        **{f"version of {name}": partial(_version, name) for name in PACKAGES},
        "protocol": lambda record: record.cell.protocol,
        "precision": lambda record: record.cell.precision,
        "device": lambda record: str(record.provenance.get("device") or ""),
    }


def _read_of(record: Record) -> str:
    """All that the facets read, for ten thousand cells in which it is the same."""
    known = [record.provenance.get(name) for name in ("git_commit", "packages", "device")]
    return repr((known, record.cell.protocol, record.cell.precision, record.cell.method))


def _version(name: str, record: Record) -> str:
    if not _goes_through(name, record.cell):
        return ""
    packages = record.provenance.get("packages")
    return str(packages.get(name) or "") if isinstance(packages, dict) else ""


def _goes_through(package: str, cell: Cell) -> bool:
    """Whether a package can have changed a cell's numbers; of a method that nobody here knows it may have."""
    if package == "bitsandbytes":
        return cell.precision in QUANTIZED
    known = methods()
    of_some = {method.package for method in known.values()}
    return package not in of_some or cell.method not in known or known[cell.method].package == package


def _commit(text: str) -> str:
    commit, plus, changes = text.partition("+")
    return commit[:COMMIT] + plus + changes


def _where(folders: dict[str, int], several: bool) -> str:
    """How many cells, and in which of several folders."""
    return "; ".join(f"{count} in {folder}" if several else str(count) for folder, count in sorted(folders.items()))
