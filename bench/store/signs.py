"""What a reader can tell of the workers of a results folder without writing to it: who is there, who shows no sign.

Of this machine the system says whether a process runs. Of another machine a file that changes while one looks is a
proof; a file that was written a few seconds ago, by this machine's clock, is taken for a sign where the clocks agree.
Where neither is so nobody can tell a dead worker from a cut network at once: it is called silent, with what is known.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.store.workers import BEAT, GONE, Identity, Watch, is_here, last_sign

FRESH = 3 * BEAT  # seconds: a file that is no older is that of a process at work
PATIENCE = 1.5 * BEAT  # seconds to look for a change of one that seems older
POLL = 0.25

State = Literal["alive", "silent", "ended"]


@dataclass(frozen=True)
class Sign:
    """What is known of a worker. `age` is how old its last sign is in seconds, by this machine's clock: None where it
    has no file or the file seems to be of the future; `watched`: for how long nothing of it has changed before our
    eyes. A process of this machine has neither.
    """

    state: State
    age: float | None = None
    watched: float = 0.0


@dataclass(frozen=True)
class Seen:
    """A file's last change, since when this process sees it so, and whether it saw it change."""

    mark: int | None
    since: float
    has_changed: bool = False


class Signs:
    """The signs of a folder's workers. It remembers what it saw, so keep one to look again."""

    def __init__(self, folder: Path, gone: float = GONE) -> None:
        self.watch = Watch(folder, gone)
        self._folder = folder
        self._seen: dict[str, Seen] = {}  # by worker

    def look(self, owners: Iterable[Identity], patience: float = PATIENCE) -> dict[str, Sign]:
        """By worker what is known of it; at most `patience` seconds go by while silent ones may give a sign."""
        unique = {owner.worker: owner for owner in owners}
        until = time.monotonic() + patience
        signs = {worker: self._sign(owner) for worker, owner in unique.items()}
        while (silent := [worker for worker in unique if signs[worker].state == "silent"]) and time.monotonic() < until:
            time.sleep(POLL)
            signs |= {worker: self._sign(unique[worker]) for worker in silent}
        return signs

    def _sign(self, owner: Identity) -> Sign:
        is_gone = self.watch.is_gone(owner)
        if is_here(owner):
            return Sign("ended" if is_gone else "alive")
        status, now = last_sign(self._folder, owner), time.monotonic()
        mark = status.st_mtime_ns if status else None
        before = self._seen.setdefault(owner.worker, Seen(mark, now))
        if mark != before.mark:
            self._seen[owner.worker] = before = Seen(mark, now, has_changed=True)
        watched = now - before.since
        age = time.time() - status.st_mtime if status else None
        if is_gone or age is None:
            return Sign("ended" if is_gone else "silent", None, watched)
        if before.has_changed and watched <= FRESH:
            return Sign("alive", watched)
        if abs(age) <= FRESH:
            return Sign("alive", max(0.0, age))
        return Sign("silent", age if age > 0 else None, watched)
