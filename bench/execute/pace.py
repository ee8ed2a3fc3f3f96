"""What the steps of a loop take once they are settled.

In its first steps a loop is slower: on a GPU each shape of micro-batch is run as it is, tried and captured when it
comes first, and up to `CHECK_AFTER` it is looked whether everything trains. A long run pays that once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch

from bench.cell import Cell
from bench.store.record import Record
from bench.train.loop import Progress
from bench.train.watches import CHECK_AFTER

CAPTURED = 2  # steps more, in which a step's end is captured


@dataclass
class Steps:
    """Of a loop the tokens and seconds of each of its steps; the first `settling` of them are slower."""

    settling: int
    each: list[tuple[int, float]] = field(default_factory=list)

    @property
    def token_seconds(self) -> float:
        """Of a token in a settled step; 0.0 where there was none."""
        tokens, seconds = map(sum, zip((0, 0.0), *self.each[self.settling :], strict=True))
        return seconds / tokens if tokens else 0.0

    def settled_share(self, token_seconds: float) -> float:
        """Of its seconds, those that all its tokens take at this rate: 0 to 1."""
        tokens, seconds = map(sum, zip((0, 0.0), *self.each, strict=True))
        return min(1.0, token_seconds * tokens / seconds) if seconds else 1.0


class Pace:
    """An audience that times the steps of every loop on a worker's devices. Over several nothing is captured."""

    def __init__(self, devices: Sequence[torch.device]) -> None:
        self._device = devices[0]
        self.captures = len(devices) == 1 and self._device.type == "cuda"
        self.settling = CHECK_AFTER + (CAPTURED if self.captures else 0)
        self.loops: list[Steps] = []

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        self.loops.append(Steps(self.settling))
        return nullcontext()

    def step(self, progress: Progress) -> None:
        steps = self.loops[-1].each
        steps.append((progress.tokens, progress.seconds))
        if len(steps) == self.settling and self.captures:  # the last step waits for the device too
            torch.cuda.synchronize(self._device)

    def finished(self, record: Record) -> None: ...

    def chosen(self, choice: object) -> None: ...
