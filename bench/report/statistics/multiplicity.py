"""Many tests with few false claims: Holm's procedure over differences, and two doors for the tasks below an average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Adjusted:
    """Of rows (N, H) of hypotheses: `p` adjusted, and `levels`, the level each raw p-value was held against."""

    p: Array
    levels: Array


def holm(p: Array, level: float) -> Adjusted:
    """Holm's (1979) adjusted p-values of a family of rows (N, H) of hypotheses, of each row at most two of them true.

    Those up to `level` are rejected with a probability of one false rejection or more of at most the level, whatever
    their dependence. As in Holm's procedure hypotheses are taken by rising p-value, each multiplied by how many can
    still be true; that is not the number left, because a difference cannot be positive, negative and beyond the
    margin at once (Shaffer 1986, "Modified sequentially rejective multiple test procedures", JASA 81). Rows of NaN stay
    NaN and are not part of the family. The levels are `level` over those multipliers, from the first hypothesis that
    stays on over its own: a raw p-value is at most its level where the adjusted one is at most `level`, and only there.
    """
    adjusted, levels = np.full(p.shape, np.nan), np.full(p.shape, np.nan)
    left = np.where(np.isnan(p), 0, 1).sum(axis=1)
    order = np.argsort(p, axis=None, kind="stable")
    most, possible, stays = 0.0, int(np.minimum(left, 2).sum()), 0
    for at in order[: int(left.sum())]:
        row, column = divmod(int(at), p.shape[1])
        most = max(most, min(1.0, float(p[row, column]) * possible))
        stays = stays or (possible if most > level else 0)
        adjusted[row, column], levels[row, column] = most, level / (stays or possible)
        left[row] -= 1
        possible -= left[row] < 2
    return Adjusted(adjusted, levels)


def two_doors(p: Array, averages: Array, level: float, blocks: Sequence[int]) -> Adjusted:
    """The tests of tasks, rows (N, H): by one door among all of them, by the other below an average that differs.

    `blocks` number the line and model of each row, and `averages` are by that number the adjusted p-values of the
    average not being 0 (NaN: there is none). A hypothesis is rejected at half the level among all rows, or at half the
    level among those of its own block, if the block's average differs at `level`. So one or more of a block's tasks are
    wrongly rejected with a probability of at most the level (Bonferroni, over two Holm procedures); where nothing of a
    block differs its own door opens no more often than the averages' family allows (closed testing: Marcus, Peritz and
    Gabriel 1976, "On closed testing procedures", Biometrika 63; a gate: Westfall and Krishen 2001, "Optimally weighted,
    fixed sequence and gatekeeper multiple testing procedures", JSPI 99).
    """
    whole = holm(p, level / 2)
    adjusted, levels = np.minimum(1, 2 * whole.p), whole.levels.copy()
    numbers = np.array(blocks, dtype=int)
    for block in sorted(set(blocks)):
        gate = averages[block]
        if not np.isnan(gate):
            of_block = np.flatnonzero(numbers == block)
            below = holm(p[of_block], level / 2)
            adjusted[of_block] = np.minimum(adjusted[of_block], np.maximum(gate, np.minimum(1, 2 * below.p)))
            if gate <= level:
                levels[of_block] = np.maximum(levels[of_block], below.levels)
    return Adjusted(adjusted, levels)
