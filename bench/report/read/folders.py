"""Results folders as they are read, once, for whatever is made of them: a table, a report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bench.report.read.declared import Suites, declared_suites
from bench.report.read.outcomes import Outcome, outcomes
from bench.store.store import OtherFormat, Store


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
    """Read results folders; of another format one among several is left out and named.

    UsageError for a folder that is no results folder, and where none is left.
    """
    stores, problems = _open(paths)
    suites = declared_suites(stores, problems)
    return Reading(tuple(paths), tuple(outcomes(stores, problems)), suites, tuple(problems))


def _open(paths: Collection[Path]) -> tuple[list[Store], list[str]]:
    stores, errors = [], []
    for path in paths:
        try:
            stores.append(Store.open(path))
        except OtherFormat as error:
            errors.append(error)
    if errors and not stores:
        raise errors[0]
    return stores, [f"left out: {error}" for error in errors]
