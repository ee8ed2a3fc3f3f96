"""How many of a run's cells are over, whoever trained them, and how long the rest takes at the pace so far.

Cells of one loop end together, and those of several workers may: until then the steps they have taken tell the pace.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.train.loop import Running

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
        self._under_way: dict[str, float] = {}
        self._written: Set[str] = frozenset()
        self._started = self._looked = time.monotonic()

    def under_way(self, lanes: Iterable[Running]) -> None:
        """So far cells have come that train here."""
        self._under_way |= {lane.cell.id: lane.step / lane.num_steps for lane in lanes if lane.num_steps}

    def add(self, cell_id: str) -> None:
        """A cell has ended here, whatever came of it."""
        self._own.add(cell_id)
        self._under_way.pop(cell_id, None)

    @property
    def over(self) -> int:
        """So many are over; the folder is looked at again every other second at most."""
        now = time.monotonic()
        if self._done is not None and now - self._looked >= LOOK:
            self._looked = now
            self._written = self._done(self._before | self._written) - self._before
        return min(self.total, len(self._own | self._written))

    @property
    def done(self) -> float:
        """Cells that are over, and of each that trains here the part of its steps that it has taken."""
        return min(self.total, self.over + sum(self._under_way.values()))

    @property
    def passed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    @property
    def left(self) -> float | None:
        """Seconds, about; None where nothing is done yet."""
        done = self.done
        return self.passed / done * (self.total - done) if done else None
