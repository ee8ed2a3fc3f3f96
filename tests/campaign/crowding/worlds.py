"""Worlds in which many processes share a folder: what a file system and the clocks of its machines may do to them."""

from __future__ import annotations

import errno
import fcntl
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.execute import work
from bench.store import processes, workers
from bench.store.workers import Presence, Watch

GONE, BEAT, POLL = 3.0, 0.1, 0.1  # seconds, for 90, 5 and 1: the same in a thirtieth of the time
YEARS = 10 * 365 * 86_400.0
LATE = 0.3  # seconds for which a listing is shown again
LOST = 0.3  # of the answers


@dataclass(frozen=True)
class World:
    """`machines`: on how many the processes seem to run. `links`: whether hard links are had, are refused, or are made
    and said to have failed. `skewed`: clocks ten years apart, those of files too. `late`: listings are old ones.
    `pauses`: processes stop for longer than the others wait. Locks are refused in all of them.
    """

    machines: int = 1
    links: str = "had"
    skewed: bool = False
    late: bool = False
    pauses: bool = False

    def __str__(self) -> str:
        faults = [f"links {self.links}"] * (self.links != "had")
        faults += [name for name in ("skewed", "late", "pauses") if getattr(self, name)]
        return f"{self.machines} machine{'s' * (self.machines > 1)}{''.join(f', {fault}' for fault in faults)}"

    def arm(self, number: int, seed: int) -> Callable[[], None]:
        """Put the process that is called into the world, as its so-many-th."""

        def begin() -> None:
            rng = random.Random(f"{seed} {number}")
            _shorten()
            fcntl.flock = fcntl.lockf = _refusing(errno.ENOLCK)  # type: ignore[assignment]
            if self.machines > 1:
                _move_to(number % self.machines)
            if self.links == "refused":
                os.link = _refusing(errno.EPERM)  # type: ignore[assignment]
            elif self.links == "answers lost":
                _lose_answers(rng)
            if self.skewed:
                _skew(rng.uniform(-YEARS, YEARS))
            if self.late:
                _list_late()

        return begin


WORLDS = (
    World(),
    World(links="refused"),
    World(skewed=True, links="answers lost"),
    World(late=True, links="refused", skewed=True),
    World(machines=8),
    World(machines=8, skewed=True, links="refused"),
    World(machines=3, skewed=True, late=True),
    World(machines=8, skewed=True, links="answers lost", pauses=True),
)


def _shorten() -> None:
    Watch.__init__.__defaults__ = (GONE,)  # type: ignore[misc]
    Presence.__init__.__defaults__ = (BEAT,)  # type: ignore[misc]
    work.POLL = POLL


def _refusing(number: int) -> Callable[..., None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def _move_to(machine: int) -> None:
    name = f"machine {machine}"
    processes.machine = workers.machine = lambda: name  # type: ignore[assignment]
    processes._machine_mark.cache_clear()
    workers.platform.node = lambda: name.replace(" ", "-")


def _lose_answers(rng: random.Random) -> None:
    """A network that asks again when no answer came, and is then told that the file exists, or fails."""
    link = os.link

    def lossy(*arguments: Any, **named: Any) -> None:
        link(*arguments, **named)
        if rng.random() < LOST:
            number = rng.choice((errno.EEXIST, errno.EIO))
            raise OSError(number, os.strerror(number))

    os.link = lossy


def _skew(apart: float) -> None:
    """The process's clock, and with it the times of files that it puts in their places."""
    now, replace, rename = time.time, os.replace, os.rename
    time.time = lambda: now() + apart

    def dated(move: Callable[..., None]) -> Callable[..., None]:
        def moved(source: Any, target: Any, **named: Any) -> None:
            os.utime(source, (now() + apart, now() + apart))
            move(source, target, **named)

        return moved

    os.replace, os.rename = dated(replace), dated(rename)


def _list_late() -> None:
    """What a network file system shows of a folder is what it showed a moment ago, until the folder is opened."""
    listdir, opened = os.listdir, os.open
    shown: dict[str, tuple[float, list[str]]] = {}

    def late(path: Any = ".") -> list[str]:
        name = os.fspath(path)
        if Path(name).name not in ("claims", "cells"):
            return listdir(path)
        if name not in shown or time.monotonic() - shown[name][0] > LATE:
            shown[name] = time.monotonic(), listdir(path)
        return list(shown[name][1])

    def anew(path: Any, *arguments: Any, **named: Any) -> int:
        shown.pop(os.fspath(path) if isinstance(path, (str, os.PathLike)) else "", None)
        return opened(path, *arguments, **named)

    os.listdir, os.open = late, anew  # type: ignore[assignment]
