"""Results folders as they are read, once, for whatever is made of them: a table, a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.collecting import not_collecting
from bench.report.read.declared import Suites, declared_suites
from bench.report.read.outcomes import Outcome, outcomes
from bench.store.fetched import open_results
from bench.store.formats import OtherFormat
from bench.store.store import Store


@dataclass(frozen=True)
class Reading:
    """What some results folders hold: every cell with its record, how the tasks are declared, and what cannot be
    read.
    """

    folders: tuple[Path, ...]
    outcomes: tuple[Outcome, ...]
    suites: Suites
    problems: tuple[str, ...]


def read_folders(paths: Collection[Path]) -> Reading:
    """Read results folders or addresses on the hub; of another format one among several is left out and named.

    UsageError for a folder that is no results folder, and where none is left.
    """
    return read_stores(*_open(paths))


@not_collecting()
def read_stores(stores: Sequence[Store], problems: list[str]) -> Reading:
    """Read results folders that are open; `problems` are what went before."""
    suites = declared_suites(stores, problems)
    folders = tuple(Path(store.name) for store in stores)
    return Reading(folders, tuple(outcomes(stores, problems)), suites, tuple(problems))


def _open(paths: Collection[Path]) -> tuple[list[Store], list[str]]:
    stores: list[Store] = []
    errors: list[OtherFormat] = []
    problems: list[str] = []
    for path in paths:
        try:
            stores.append(open_results(path, problems))
        except OtherFormat as error:
            errors.append(error)
    if errors and not stores:
        raise errors[0]
    return stores, [*(f"left out: {error}" for error in errors), *problems]
