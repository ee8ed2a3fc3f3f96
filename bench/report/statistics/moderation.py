"""The spread of runs, borrowed from cells like it: moderated variances.

**Model.** The variance of the runs of one line on one task with one model, s² from d degrees of freedom, is
sigma² · chi²(d) / d. The true variances of cells differ: sigma² is s0² · d0 / chi²(d0), where log s0² is a sum of an
effect of the line, one of the task and one of the model. Then (Smyth 2004, "Linear models and empirical Bayes methods",
Statistical Applications in Genetics and Molecular Biology 3, sections 3 and 6.2)

    s~² = (d0 s0² + d s²) / (d0 + d)   has   d0 + d   degrees of freedom.

**Estimate.** z = log s² - digamma(d/2) + log(d/2) has the mean log s0² - digamma(d0/2) + log(d0/2) and the variance
trigamma(d/2) + trigamma(d0/2): least squares give the effects, and what their mean square leaves after trigamma(d/2) is
trigamma(d0/2). Smyth takes s0² for known. Here a prior has as many effects as a table has lines and tasks, so the
variance of its own estimate, leverage · (trigamma(d/2) + trigamma(d0/2)), is added to trigamma(d0/2), cell by cell.
Cells that are all alike thus give no endless degrees of freedom, and few cells give few.

A cell whose spread is far above what the others let expect keeps its own (Phipson et al. 2016, "Robust hyperparameter
estimation protects against hypervariable genes", Annals of Applied Statistics 10, to the same end). Few cells lend
nothing. Cells without a spread are no part of the estimate, but get the others' weight: no spread is no proof of none.
A line of which no cell is in the estimate has the prior of all cells.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, fdtr, polygamma

FEWEST = 5  # degrees of freedom of the prior's own fit: with fewer nothing is borrowed
UNLIKE = 0.95  # an F probability beyond which a cell's spread is no longer like that of the others
NO_SPREAD = 1e-9  # points², below which equal scores differ in rounding alone
Array = NDArray[np.float64]


def moderate(
    variances: Array, degrees: Array, factors: Sequence[tuple[Hashable, ...]], known: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """(N,) moderated variances and their degrees of freedom, of N cells with `degrees` of 0 for a single run.

    `factors` are the levels of each cell (line, task, model); the `known` cells are those that the prior is estimated
    from. Where nothing can be borrowed both are as they came.
    """
    usable = known & (degrees > 0) & (variances > NO_SPREAD)
    if usable.sum() - 1 < FEWEST:
        return variances, degrees
    design, seen = _design(factors, usable)
    prior, free = _prior(variances, degrees, design, usable)
    if not seen.all():
        of_all, free_of_all = _prior(variances, degrees, np.ones((len(design), 1)), usable)
        prior, free = np.where(seen, prior, of_all), np.where(seen, free, free_of_all)
    unlike = (degrees > 0) & (fdtr(np.maximum(degrees, 1), free, variances / prior) > UNLIKE)
    together = (free * prior + degrees * variances) / (free + degrees)
    return np.where(unlike, variances, together), np.where(unlike, degrees, free + degrees)


def _prior(variances: Array, degrees: Array, design: Array, usable: NDArray[np.bool_]) -> tuple[Array, Array]:
    """(N,) s0² and d0 of each cell, with what the estimate of s0² adds to its uncertainty."""
    half = degrees[usable] / 2
    logs = np.log(variances[usable]) - digamma(half) + np.log(half)
    effects = np.linalg.lstsq(design[usable], logs, rcond=None)[0]
    left = logs - design[usable] @ effects
    of_cells = float((left**2).sum() / (usable.sum() - np.linalg.matrix_rank(design[usable])))
    sampling = float(polygamma(1, half).mean())
    between = max(of_cells - sampling, 0.0)
    leverage = ((design @ np.linalg.pinv(design[usable].T @ design[usable])) * design).sum(axis=1)
    free = 2 * trigamma_inverse(between + leverage * (between + sampling))
    return np.exp(design @ effects + digamma(free / 2) - np.log(free / 2)), free


def _design(factors: Sequence[tuple[Hashable, ...]], usable: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """(N, P): a column per level of as many factors as leave half of the cells free; and whose levels are all known."""
    num_cells = int(usable.sum())
    seen = np.ones(len(factors), dtype=bool)
    design = np.ones((len(factors), 1))
    for levels in zip(*factors, strict=True):
        known_levels = sorted({level for level, use in zip(levels, usable, strict=True) if use}, key=str)
        if len(known_levels) > num_cells / 2:
            continue
        columns = np.array([[level == column_level for column_level in known_levels] for level in levels], dtype=float)
        wider = np.hstack([design, columns])
        if num_cells - int(np.linalg.matrix_rank(wider[usable])) >= max(FEWEST, num_cells / 2):
            design = wider
            seen &= columns.any(axis=1)
    return design, seen


def trigamma_inverse(values: Array) -> Array:
    """x with trigamma(x) = values, which are above 0 (Smyth 2004, appendix: Newton's method for 1 / trigamma)."""
    x = 0.5 + 1 / values
    for _ in range(30):
        trigamma = polygamma(1, x)
        step = trigamma * (1 - trigamma / values) / polygamma(2, x)
        x = x + step
        if np.all(np.abs(step) < 1e-8 * x):
            break
    return np.asarray(x, dtype=np.float64)
