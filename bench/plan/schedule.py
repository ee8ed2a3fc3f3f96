"""How long work takes on several workers that take the longest piece first: list scheduling (Graham 1969). No torch."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """Work for one worker: its seconds, and those of loading its `model` on a worker that has not had it yet.

    Stage "trial" goes before the others; `waits` for the end of all trials.
    """

    seconds: float
    model: str = ""
    load_seconds: float = 0.0
    trial: bool = False
    waits: bool = False


@dataclass(frozen=True)
class Schedule:
    """`wall_seconds` to the end of the last worker, `busy_seconds` of all workers together, and `waiting_seconds` in
    which a worker had nothing to do because trials were not over.
    """

    wall_seconds: float
    busy_seconds: float
    waiting_seconds: float


def schedule(pieces: Sequence[Piece], num_workers: int) -> Schedule:
    """Trials first, then what waits for nothing, then what waits for trials, each the longest first; every piece goes
    to the worker that is free first.
    """
    ordered = sorted(pieces, key=lambda piece: (piece.waits, not piece.trial, -piece.seconds))
    free = [(0.0, worker) for worker in range(num_workers)]
    had: list[set[str]] = [set() for _ in range(num_workers)]
    busy = waiting = trials_end = 0.0
    for piece in ordered:
        at, worker = heapq.heappop(free)
        start = max(at, trials_end) if piece.waits else at
        taken = piece.seconds + (piece.load_seconds if piece.model not in had[worker] else 0.0)
        had[worker].add(piece.model)
        waiting, busy = waiting + start - at, busy + taken
        if piece.trial:
            trials_end = max(trials_end, start + taken)
        heapq.heappush(free, (start + taken, worker))
    return Schedule(max(at for at, _ in free), busy, waiting)
