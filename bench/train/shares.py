"""Seconds of what several cells use, and each cell's part of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager


class Shares:
    """What was spent on a thing belongs in equal parts to the cells that were known to use it when it was spent."""

    def __init__(self) -> None:
        self._users: dict[Hashable, dict[str, None]] = defaultdict(dict)
        self._seconds: dict[str, float] = defaultdict(float)

    def use(self, thing: Hashable, cell_ids: Iterable[str]) -> None:
        """Note cells that use a thing; each counts once."""
        self._users[thing].update(dict.fromkeys(cell_ids))

    def spend(self, thing: Hashable, seconds: float) -> None:
        """Divide seconds among the users of a thing."""
        users = self._users[thing]
        for cell_id in users:
            self._seconds[cell_id] += seconds / len(users)

    @contextmanager
    def timed(self, thing: Hashable) -> Iterator[None]:
        """Divide what the block takes."""
        begun = time.perf_counter()
        yield
        self.spend(thing, time.perf_counter() - begun)

    def of(self, cell_id: str) -> float:
        """A cell's part of all that was spent."""
        return self._seconds.get(cell_id, 0.0)
