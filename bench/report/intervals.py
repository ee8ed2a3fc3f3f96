"""How far a mean over seeds and examples may be from what new seeds and new examples would give.

**Population.** A score stands for training with a new seed and scoring on new examples (new groups, where there are
any) like those of the task; train data, model and, for an average, tasks are taken as they are.

**Model.** Seeds s and groups g are crossed: each seed scores each group. In the usual two-way random-effects model
y_sg = mu + a_s + b_g + e_sg the mean over S seeds and G groups has the variance

    V = var(a) / S + var(b) / G + var(e) / (S G).

**Estimate.** A bootstrap level that draws seeds gives a mean the variance (S - 1) / S · s² / S, s² the sample variance:
it is known without drawing, and S / (S - 1), the rescaling of Rao and Wu (1988, JASA 83), corrects it. So

    V_seeds    = s² / S                                      estimates  var(a) / S + var(e) / (S G)
    V_examples = G / (G - 1) · var over draws of the mean    estimates  var(b) / G + var(e) / (S G)
    V_both     = (mean over seeds of G / (G - 1) · var over draws of a seed's score - V_examples) / (S - 1)
                                                             estimates  var(e) / (S G)

and V = V_seeds + max(V_examples - V_both, 0), because drawing at both levels counts the last term twice (Owen 2007,
"The pigeonhole bootstrap", Annals of Applied Statistics 1). The draws go through the metric, so that all of this holds
for F1 and the like to first order.

**Interval.** Mean ± t(df) · sqrt(V), 1 / df being the mean of 1 / (S - 1) and 1 / (G - 1) weighted by the two parts'
shares of V. Satterthwaite (1946) weights with the squares of the shares; with a V_seeds of 2 degrees of freedom that
covers 92 % where 95 is stated. tests/perf/coverage.py measures this one: 93 to 97 % from 3 seeds on. It is a t
interval: where three runs differ by ten points and a score is near 0 or 100, the skew takes it to 92 or 93.

**Tests.** Verdicts are drawn at small levels, where any such t errs to the wrong side. They use the margin
sqrt(sum of t_i² · V_i), each part with its own quantile (Howe 1974, JASA 69; Graybill and Wang 1980, JASA 75), which
at no level and for no share of the parts rejects more often than stated. Two seeds get it for the interval too.

Without predictions there is V_seeds alone, and Student's interval over seeds. With one seed there is no interval:
the spread over seeds is unknown. Where neither seeds nor examples vary there is none either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # Student-t quantiles as in scipy.stats.t.ppf, at a third of the import time

from bench.report.entries import Entry

LEVEL = 0.95
NUM_HALVINGS = 40  # of the logarithm: a p-value to 10 digits
SMALLEST_TAIL = 1e-12
ROUNDING = 1e-10  # of a variance, what is left of a difference between equals
FEW_SEEDS = 2  # with so many the interval is the tests' own
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with the parts of its variance and the degrees of freedom of each; no parts: nothing is known of it."""

    mean: float
    variances: tuple[float, ...] = ()
    degrees: tuple[float, ...] = ()

    @property
    def known(self) -> bool:
        """Whether there is a spread to draw an interval from."""
        return sum(self.variances) > 0


def estimate(entry: Entry) -> Estimate:
    """Of the mean of one entry, which may be a difference of paired ones."""
    mean = float(entry.scores.mean()) if entry.seeds else float("nan")
    if len(entry.seeds) < 2:
        return Estimate(mean)
    variances, degrees = [_seeds_variance(entry)], [len(entry.seeds) - 1.0]
    if entry.draws is not None and entry.num_units > 1:
        variances.append(_examples_variance(entry.draws.mean(axis=0), _shared(entry), entry.num_units))
        degrees.append(entry.num_units - 1.0)
    return Estimate(mean, tuple(variances), tuple(degrees))


def estimate_unpaired(one: Entry, other: Entry) -> Estimate:
    """Of the difference of two entries whose seeds have nothing to do with each other (Welch 1947), examples paired."""
    mean = float(one.scores.mean() - other.scores.mean()) if one.seeds and other.seeds else float("nan")
    if min(len(one.seeds), len(other.seeds)) < 2:
        return Estimate(mean)
    variances = [_seeds_variance(one), _seeds_variance(other)]
    degrees = [len(one.seeds) - 1.0, len(other.seeds) - 1.0]
    num_units = min(one.num_units, other.num_units)
    if one.draws is not None and other.draws is not None and num_units > 1:
        means = one.draws.mean(axis=0) - other.draws.mean(axis=0)
        variances.append(_examples_variance(means, _shared(one) + _shared(other), num_units))
        degrees.append(num_units - 1.0)
    return Estimate(mean, tuple(variances), tuple(degrees))


def estimate_pairs(lines: Sequence[Entry]) -> list[list[Estimate]]:
    """`estimate(lines[i].minus(lines[j]))` at [i][j], of lines with the same seeds, two or more, and the same examples.

    From covariances: the variance of a difference is that of both less twice their covariance.
    """
    num_seeds, num_units = len(lines[0].seeds), min(line.num_units for line in lines)
    scores = np.array([line.scores for line in lines])
    of_seeds = _differences_variance(scores) / num_seeds
    parts, degrees = [of_seeds], [num_seeds - 1.0]
    if num_units > 1:
        draws = np.array([line.draws for line in lines])
        of_means = _differences_variance(draws.mean(axis=1))
        by_seed = np.mean([_differences_variance(draws[:, at]) for at in range(num_seeds)], axis=0)
        shared = np.maximum(by_seed - of_means, 0) / (num_seeds - 1)
        parts.append(np.maximum(of_means - shared, 0) * num_units / (num_units - 1))
        degrees.append(num_units - 1.0)
    means, variances = scores.mean(axis=1), np.stack(parts, axis=-1)
    return [
        [Estimate(float(one - other), tuple(own), tuple(degrees)) for other, own in zip(means, row, strict=True)]
        for one, row in zip(means, variances.tolist(), strict=True)
    ]


def _differences_variance(rows: Array) -> Array:
    """(L, N) -> (L, L): the sample variance of each row less each other."""
    covariance = np.atleast_2d(np.cov(rows))
    own = np.diag(covariance)
    found: Array = np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0)
    return np.where(found < ROUNDING * own.max(initial=0), 0, found)


def interval(found: Estimate, level: float = LEVEL) -> tuple[float, float]:
    """Low and high end of the interval for the mean; NaN where there is none."""
    if not found.known:
        return float("nan"), float("nan")
    variances, degrees = np.array(found.variances), np.array(found.degrees)
    tail = (1 - level) / 2
    if degrees.min() < FEW_SEEDS:
        half = float(margins(variances[None], degrees[None], np.array([tail]))[0])
    else:
        df = variances.sum() / (variances / degrees).sum()
        half = float(stdtrit(df, 1 - tail) * np.sqrt(variances.sum()))
    return found.mean - half, found.mean + half


def margins(variances: Array, degrees: Array, tails: Array) -> Array:
    """(N,): what the error exceeds with at most the probability `tails` (N,), from (N, parts)."""
    quantiles: Array = stdtrit(degrees, 1 - tails[:, None])
    margin: Array = np.sqrt((quantiles**2 * variances).sum(axis=1))
    return margin


def tails(found: Sequence[Estimate], at: float) -> Array:
    """(N,): the one-sided p-value of each estimate against its mean being `at` or less; NaN where there is no spread.

    It is the level at which mean - margin is `at`, found by halving; from 1e-12 to 1 - 1e-12.
    """
    distances = np.array([one.mean for one in found]) - at
    width = max((len(one.variances) for one in found), default=0)
    variances = np.array([[*one.variances, *[0.0] * (width - len(one.variances))] for one in found])
    degrees = np.array([[*one.degrees, *[1.0] * (width - len(one.degrees))] for one in found])
    if not width:
        return np.full(len(found), np.nan)
    low = np.full(len(found), np.log(SMALLEST_TAIL))
    high = np.full(len(found), np.log(0.5))
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        beyond = np.abs(distances) > margins(variances, degrees, np.exp(middle))
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    one_sided = np.exp(high)
    known = np.array([one.known for one in found])
    return np.where(known, np.where(distances >= 0, one_sided, 1 - one_sided), np.nan)


def _seeds_variance(entry: Entry) -> float:
    return float(entry.scores.var(ddof=1)) / len(entry.seeds)


def _shared(entry: Entry) -> float:
    """V_both of the module's docstring, times (G - 1) / G: what both levels count."""
    if entry.draws is None:
        return 0.0
    of_seeds = float(entry.draws.var(axis=1, ddof=1).mean())
    of_mean = float(entry.draws.mean(axis=0).var(ddof=1))
    return max(of_seeds - of_mean, 0.0) / (len(entry.seeds) - 1)


def _examples_variance(means: Array, shared: float, num_units: int) -> float:
    """max(V_examples - V_both, 0) of the module's docstring."""
    return max(float(means.var(ddof=1)) - shared, 0.0) * num_units / (num_units - 1)
