"""Which line is the best of several, and which come within a margin of it: the best one is chosen by the same scores.

L lines with the true scores θ; k is the best of them, which nobody knows. Whoever takes the line with the highest mean
for k, and tests the others against it, forgets that its mean is the highest by luck too. Hsu's multiple comparisons
with the best (1981, "Simultaneous confidence intervals for all distances from the 'best'", Annals of Statistics 9;
1984, "Constrained simultaneous confidence intervals for multiple comparisons with the best", Annals of Statistics 12)
pay for that exactly. Let E be the event that no line j comes out above k by more than its error c_jk beyond the truth:

    D_jk - (θ_j - θ_k) <= c_jk    for all j other than k,

D_jk the difference of the two means. These are L - 1 one-sided statements on fixed pairs, whichever line k is, so with
each at the level α / (L - 1) (Bonferroni) E has at least the probability 1 - α. On E, at once and for all lines,

- k is among the *contenders*, the lines that no other is shown to be above: D_ji <= c_ji for all j;
- a line i is at most max over contenders j of (D_ji + c_ij) below the best, since k is one of them.

So with a probability of at most α any of what is said of a model's lines is wrong: that a line is not the best, or that
it is within the margin of the best. It takes no more tests than comparing all lines with one that was named before.
(Dunnett's joint quantile would be a little smaller than Bonferroni's, but holds for equal variances and one number of
degrees of freedom; these tests have neither.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.statistics.pairs import Lines, paired

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contest:
    """Of L lines: which are `contenders` for the best, which are shown to be `within` the margin of the best (both
    (L,)), and `below` (L,): the most that each is below the best; NaN where a spread is lacking.
    """

    contenders: NDArray[np.bool_]
    within: NDArray[np.bool_]
    below: Array


@dataclass(frozen=True)
class Chances:
    """(L, L) probabilities below which no p-value of a pair may be, because a line without a trained run may be there
    by chance (statistics.collapse): of the first being `above` the second, or `near` it or above.
    """

    above: Array
    near: Array

    @classmethod
    def none(cls, num_lines: int) -> Chances:
        return cls(np.zeros((num_lines, num_lines)), np.zeros((num_lines, num_lines)))


def contest(ways: Sequence[Lines], margin: float, level: float, chances: Chances) -> Contest:
    """The contest of some lines; of several `ways` to part their runs it must hold in each."""
    size = len(ways[0].means)
    if size < 2:
        return Contest(np.ones(size, dtype=bool), np.ones(size, dtype=bool), np.zeros(size))
    share = level / (size - 1)
    of_ways = [_pairwise(lines, margin, share) for lines in ways]
    above = np.maximum(np.max([way[0] for way in of_ways], axis=0), chances.above)
    near = np.maximum(np.max([way[1] for way in of_ways], axis=0), chances.near)
    most = np.max([way[2] for way in of_ways], axis=0)
    contenders: NDArray[np.bool_] = ~(above <= share).any(axis=0)  # NaN shows nothing
    rivals = contenders[None, :] & ~np.eye(size, dtype=bool)
    within: NDArray[np.bool_] = (~rivals | (near <= share)).all(axis=1)
    below = np.maximum(np.where(rivals, most, 0.0).max(axis=1), 0.0)
    return Contest(contenders, within, np.where(~within & (below < margin), np.nan, below))


def _pairwise(lines: Lines, margin: float, share: float) -> tuple[Array, Array, Array]:
    """(L, L) each, of line i (row) and j: p against i not being above j, p against i being `margin` below j or more,
    and the most that i is below j at the level.
    """
    size = len(lines.means)
    places = [(i, j) for i in range(size) for j in range(size) if i != j]
    both = paired(places, lines)
    out = np.full((3, size, size), np.nan)
    first, second = np.array(places).T
    out[0, first, second] = both.p_above()
    out[1, first, second] = both.p_above(-margin)
    out[2, first, second] = both.reach(share) - both.gaps
    return out[0], out[1], out[2]
