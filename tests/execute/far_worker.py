"""A deputy and its worker in one process, and what carries words between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from bench.cell import Cell, Plan
from bench.execute.deputy import Deputy
from bench.execute.job import Job
from bench.execute.outpost import Errand, Outpost, Word
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Watch
from tests.conftest import Quiet


def job_of(folder: Path, cells: tuple[Cell, ...]) -> Job:
    """These cells into a folder that is made here."""
    Store.create(folder)
    return Job(Plan(cells), folder, run="this-run", max_lanes=8)


def deputy_of(job: Job, watch: Watch | None = None, host: str = "far") -> Deputy:
    return Deputy(job, host, "cpu", watch or Watch(job.folder), Quiet(), lambda _: None)


def outpost_of(job: Job, plugins: dict[Path, str] | None = None) -> Outpost:
    return Outpost(Errand(job, plugins or {}, "far"), torch.device("cpu"))


def words_of(outpost: Outpost, cells: list[Cell], shared: bool = True) -> list[Word]:
    """All that there is to tell of a group."""
    outpost.begin(cells, shared)
    words: list[Word] = []
    while not words or words[-1][0] != "over":
        words += outpost.hear()
    return words


def measure(deputy: Deputy, outpost: Outpost, until: Callable[[Word], bool] = lambda _: False) -> list[Record]:
    """Work until nothing is left, or up to a word that is not delivered any more."""
    records: list[Record] = []
    while (group := deputy.next()) is not None:
        for word in words_of(outpost, [resolved.cell for resolved in group.cells], group.shared):
            if until(word):
                return records
            record = deputy.hear(*word)
            records += [record] if record else []
    return records
