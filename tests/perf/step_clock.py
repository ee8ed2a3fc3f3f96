"""Seconds of a training step, of a loop that may run ahead of its device."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import torch

BLOCKS = 5  # that the counted steps are divided into, so that one slow stretch shows
FEWEST = 5  # counted steps, however long they take


class StepClock:
    """Counts steps after `warmup` ones: `steps` of them, or as many as `seconds` hold at the pace of the warm-up's end.

    The device is waited for where the warm-up ends and where a block of the counted steps ends, and nowhere else.
    """

    def __init__(self, device: torch.device, warmup: int, steps: int, seconds: float = math.inf) -> None:
        self.warmup, self.steps, self.counted = warmup, steps, 0
        self._device, self._seconds = device, seconds
        self._pace_from = max(0, warmup - max(1, warmup // 3))
        self._taken = 0
        self._ends: list[int] = []  # of the blocks, in steps
        self._marks: dict[int, float] = {}

    def start(self) -> None:
        """Begin to look at the time, once what a loop is handed is there."""
        self._started = self._marks[0] = time.perf_counter()

    def tick(self) -> bool:
        """Note that a step has returned; whether enough were counted."""
        self._taken += 1
        if self._taken in (self._pace_from, self.warmup, *self._ends):
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
            self._marks[self._taken] = time.perf_counter()
        if self._taken == self.warmup:
            pace = (self._marks[self.warmup] - self._marks[self._pace_from]) / (self.warmup - self._pace_from)
            self.counted = min(self.steps, max(FEWEST, int(min(self._seconds / pace, self.steps))))
            self._ends = sorted({self.warmup + -(-self.counted * part // BLOCKS) for part in range(1, BLOCKS + 1)})
        return self.complete

    @property
    def complete(self) -> bool:
        return bool(self._ends) and self._taken >= self._ends[-1]

    @property
    def seconds_before(self) -> float:
        """From the start to the first counted step: what a loop does at its start, compiling above all."""
        return self._marks[self.warmup] - self._started

    @property
    def seconds_per_step(self) -> float:
        """The mean of the counted steps."""
        return (self._marks[self._ends[-1]] - self._marks[self.warmup]) / self.counted

    @property
    def seconds_by_block(self) -> list[float]:
        """The mean of each block's steps."""
        bounds = pairwise([self.warmup, *self._ends])
        return [(self._marks[end] - self._marks[start]) / (end - start) for start, end in bounds]
