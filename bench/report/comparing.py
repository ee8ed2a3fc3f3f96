"""Pairs of entries: differences with what is known of them, and many tests with few false claims."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.entries import Entry
from bench.report.intervals import Estimate, estimate, estimate_pairs, estimate_unpaired, tails

Array = NDArray[np.float64]
ONE_SEED = "one seed: no interval"


@dataclass(frozen=True)
class Difference:
    """One entry less another; `num_seeds` are those it is over, `note` says what limits it."""

    found: Estimate
    num_seeds: int
    note: str


def difference(one: Entry | None, other: Entry | None) -> Difference:
    """One entry less another: paired by seed where two seeds or more are in both, by example where they are the same.

    Seeds that only one of a pair has are left out. Entries with less than two seeds in common are compared as two
    independent samples of seeds.
    """
    if one is None or other is None:
        return Difference(Estimate(float("nan")), 0, "no finished seed" if one is None else "no reference here")
    common = sorted(set(one.seeds) & set(other.seeds))
    notes = []
    if len(common) > 1 or (common and min(len(one.seeds), len(other.seeds)) < 2):
        if len(common) < max(len(one.seeds), len(other.seeds)):
            notes.append(f"the {len(common)} seeds that both have")
        found = estimate(one.take(common).minus(other.take(common)))
        num_seeds = len(common)
    else:
        notes.append("not paired by seed")
        found = estimate_unpaired(one, other)
        num_seeds = min(len(one.seeds), len(other.seeds))
    if num_seeds < 2:
        return Difference(found, num_seeds, ONE_SEED)
    if one.draws is None or other.draws is None:
        notes.append("over seeds alone")
    elif one.examples != other.examples:
        notes.append("not the same examples")
    if not found.known:
        notes.append("no spread over seeds or examples: no interval")
    return Difference(found, num_seeds, "; ".join(notes))


def all_pairs(lines: Sequence[Entry]) -> dict[tuple[int, int], Difference]:
    """`difference(lines[i], lines[j])` by (i, j), i < j; at once where all lines have the same seeds and examples."""
    pairs = list(itertools.combinations(range(len(lines)), 2))
    alike = {(line.seeds, line.examples, line.draws is None) for line in lines}
    if len(alike) > 1 or not pairs or len(lines[0].seeds) < 2:
        return {(i, j): difference(lines[i], lines[j]) for i, j in pairs}
    found = estimate_pairs(lines)
    return {(i, j): Difference(found[i][j], len(lines[0].seeds), "") for i, j in pairs}


def improvement(one: Sequence[Entry], other: Sequence[Entry]) -> float:
    """Probability, from 0 to 1, that a run of one is better than a run of the other on a task; mean over tasks.

    Over all pairs of seeds, a tie counting half (Agarwal et al. 2021, arXiv:2108.13264, section 4.3: the Mann-Whitney U
    statistic over the number of pairs).
    """
    shares = []
    for mine, theirs in zip(one, other, strict=True):
        gaps = mine.scores[:, None] - theirs.scores[None, :]
        shares.append(float((gaps > 0).mean() + 0.5 * (gaps == 0).mean()))
    return float(np.mean(shares)) if shares else float("nan")


def orders(differences: Sequence[Difference]) -> Array:
    """(N, 2) one-sided p-values against: the difference is 0 or less; 0 or more."""
    above = tails([each.found for each in differences], 0.0)
    return np.stack([above, 1 - above], axis=1)


def directions(differences: Sequence[Difference], margin: float) -> Array:
    """(N, 3) one-sided p-values against: the difference is 0 or less; 0 or more; at least `margin` from 0.

    The third is the larger of two one-sided tests (Schuirmann 1987): against -margin or less, and margin or more.
    """
    found = [each.found for each in differences]
    near = np.maximum(tails(found, -margin), 1 - tails(found, margin))
    return np.column_stack([orders(differences), near])


def holm(p: Array) -> Array:
    """Holm's (1979) adjusted p-values of a family of rows (N, H) of hypotheses, of each row at most two of them true.

    Those below a level are rejected with a probability of one false rejection or more of at most the level, whatever
    their dependence. As in Holm's procedure hypotheses are taken by rising p-value, each multiplied by how many can
    still be true; that is not the number left, because a difference cannot be positive, negative and beyond the
    margin at once (Shaffer 1986, "Modified sequentially rejective multiple test procedures", JASA 81). Rows of NaN stay
    NaN and are not part of the family.
    """
    adjusted = np.full(p.shape, np.nan)
    left = np.where(np.isnan(p), 0, 1).sum(axis=1)
    order = np.argsort(p, axis=None, kind="stable")
    most, possible = 0.0, int(np.minimum(left, 2).sum())
    for at in order[: int(left.sum())]:
        row, column = divmod(int(at), p.shape[1])
        most = max(most, min(1.0, float(p[row, column]) * possible))
        adjusted[row, column] = most
        left[row] -= 1
        possible -= left[row] < 2
    return adjusted
