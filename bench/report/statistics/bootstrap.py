"""The bootstrap of a score over examples: groups drawn with replacement, the same ones for all who share them.

Examples are drawn with replacement, groups (passages, documents) whole, because the examples of a group are no
independent evidence. What is scored on the same examples gets the same draws, whatever method and seed, so that the
draws of a difference are those of paired predictions. A draw of a score is the metric's own formula over what was
drawn (bench.score.metric). N rows, U units (groups), B draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.score.counted import CountedRows
from bench.score.metric import Measured
from bench.score.predicted import PredictedRows

NUM_DRAWS = 1000  # the standard error of a bootstrap standard error is then 2 % of it
Draws = NDArray[np.float32]


def units(rows: PredictedRows | CountedRows) -> tuple[NDArray[np.int64], int]:
    """Per row the number of its unit, and how many there are: a group, else a query, else the row alone."""
    if {*rows.groups, *rows.queries} <= {None}:
        return np.arange(len(rows.groups)), len(rows.groups)
    seen: dict[Hashable, int] = {}
    keys: Iterable[Hashable] = (
        ("group", group) if group is not None else ("query", query) if query is not None else at
        for at, (group, query) in enumerate(zip(rows.groups, rows.queries, strict=True))
    )
    number = np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)
    return number, len(seen)


def examples_of(rows: PredictedRows, number: NDArray[np.int64]) -> str:
    """A digest of which examples they are and what was right."""
    return hashlib.sha256(repr((rows.labels, number.tolist())).encode()).hexdigest()


def bootstrap(measured: Measured, number: NDArray[np.int64], key: str, num_draws: int = NUM_DRAWS) -> Draws:
    """(B,) scores of units drawn with replacement, `number` being each row's; equal keys get equal draws."""
    return measured.redrawn(number, _times_drawn(key, int(number.max()) + 1, num_draws)).astype(np.float32)


@lru_cache(maxsize=2)  # cells come task by task
def _times_drawn(key: str, num_units: int, num_draws: int) -> Draws:
    """(B, U): how often each unit is drawn."""
    generator = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:16], 16))
    times = np.empty((num_draws, num_units), dtype=np.float32)
    for row in times:  # row by row: much faster than drawing binomials, and small
        row[:] = np.bincount(generator.integers(num_units, size=num_units), minlength=num_units)
    return times
