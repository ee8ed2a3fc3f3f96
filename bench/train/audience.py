"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bench.cell import Cell
from bench.plan.selection import Choice
from bench.store.record import Record
from bench.train.loop import Progress


class Audience(Protocol):
    """A display, or nobody."""

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        """Wraps the training of some cells."""

    def step(self, progress: Progress) -> None:
        """After every step of a loop."""

    def finished(self, record: Record) -> None:
        """After a record is in the store."""

    def chosen(self, choice: Choice) -> None:
        """When a plan's trials are over."""
