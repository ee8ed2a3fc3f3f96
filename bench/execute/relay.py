"""What a worker in another process tells of its work, and how that is shown here."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from bench.cell import Cell
from bench.plan.selection import Choice
from bench.store.record import Record
from bench.train.audience import Audience
from bench.train.loop import LaneAt, Progress

TOLD_EVERY = 0.3  # seconds between two words of a worker on how far it is


class Wire(Protocol):
    """What carries words to the process that listens: a pipe, a queue."""

    def send(self, obj: Any, /) -> None:
        """OSError where nobody listens any more."""


class Relay:
    """An audience in a worker's process: it tells a Listener's."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._told = 0.0

    def tell(self, word: str, content: object = None) -> None:
        """SystemExit where nobody listens any more: the process that started this one is gone."""
        try:
            self._wire.send((word, content))
        except OSError:
            raise SystemExit(1) from None

    @contextmanager
    def holding(self, ids: Sequence[str]) -> Iterator[None]:
        """Tell first what this worker is about to make records of: where it dies of it, that has been said."""
        self.tell("holds", list(ids))
        yield
        self.tell("holds", [])

    @contextmanager
    def loop(self, cells: Sequence[Cell]) -> Iterator[None]:
        self.tell("loop", list(cells))
        yield
        self.tell("loop over")

    def step(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told < TOLD_EVERY:
            return
        self._told = now
        lanes = [LaneAt.of(lane) for lane in progress.lanes]
        self.tell("step", Progress(lanes, list(progress.losses), progress.tokens, progress.seconds))

    def finished(self, record: Record) -> None:
        self.tell("finished", record)

    def chosen(self, choice: Choice) -> None:
        self.tell("chosen", choice)


class Listener:
    """Shows an audience how the loops of one worker go."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._shown = ExitStack()

    def hear(self, word: str, content: Any) -> bool:
        """Whether this was a word on a loop or a record; others mean something to whoever looks after the worker."""
        if word == "loop":
            self._shown.close()
            self._shown.enter_context(self._audience.loop(content))
        elif word == "loop over":
            self._shown.close()
        elif word == "step":
            self._audience.step(content)
        elif word == "finished":
            self._audience.finished(content)
        else:
            return False
        return True

    def close(self) -> None:
        """The worker has ended, or been ended: nothing of it is running."""
        self._shown.close()
