"""How many of a run's cells are over, whoever trained them, and how long the rest takes at the pace so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Set

LOOK = 2.0  # seconds for which a look at the folder is good enough


class Tally:
    """Of `total` cells those that ended here, and those that others on the same folder have written meanwhile.

    `done` gives the ids of all that stand in the folder; those of `before` were there when the run began. Without it
    nobody else is at work.
    """

    def __init__(
        self, total: int, done: Callable[[Collection[str]], Set[str]] | None = None, before: Collection[str] = ()
    ) -> None:
        self.total, self._done, self._before = total, done, frozenset(before)
        self._own: set[str] = set()
        self._written: Set[str] = frozenset()
        self._started = self._looked = time.monotonic()

    def add(self, cell_id: str) -> None:
        """A cell has ended here, whatever came of it."""
        self._own.add(cell_id)

    @property
    def over(self) -> int:
        """So many are over; the folder is looked at again every other second at most."""
        now = time.monotonic()
        if self._done is not None and now - self._looked >= LOOK:
            self._looked = now
            self._written = self._done(self._before | self._written) - self._before
        return min(self.total, len(self._own | self._written))

    @property
    def passed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    @property
    def left(self) -> float | None:
        """Seconds, about; None where none is over yet."""
        over = self.over
        return self.passed / over * (self.total - over) if over else None
