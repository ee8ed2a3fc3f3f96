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
from scipy.optimize.elementwise import find_root
from scipy.special import stdtrit  # Student-t quantiles as in scipy.stats.t.ppf, at a third of the import time

from bench.report.statistics.samples import Sample

CONFIDENCE = 0.95
P_ERROR = 1e-11  # of a p-value, relative
SMALLEST_TAIL = 1e-12
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


def estimate(sample: Sample) -> Estimate:
    """Of the mean of one sample."""
    mean = float(sample.scores.mean()) if sample.seeds else float("nan")
    if len(sample.seeds) < 2:
        return Estimate(mean)
    variances, degrees = [_seeds_variance(sample)], [len(sample.seeds) - 1.0]
    if sample.draws is not None and sample.num_units > 1:
        variances.append(_examples_variance(sample.draws.mean(axis=0), shared_variance(sample), sample.num_units))
        degrees.append(sample.num_units - 1.0)
    return Estimate(mean, tuple(variances), tuple(degrees))


def interval(estimated: Estimate, level: float = CONFIDENCE) -> tuple[float, float]:
    """Low and high end of the interval for the mean; NaN where there is none."""
    if not estimated.known:
        return float("nan"), float("nan")
    variances, degrees = np.array(estimated.variances), np.array(estimated.degrees)
    tail = (1 - level) / 2
    if degrees.min() < FEW_SEEDS:
        half = float(margins(variances[None], degrees[None], np.array([tail]))[0])
    else:
        df = variances.sum() / (variances / degrees).sum()
        half = float(stdtrit(df, 1 - tail) * np.sqrt(variances.sum()))
    return estimated.mean - half, estimated.mean + half


def held(estimated: Estimate, level: float) -> tuple[float, float]:
    """The interval of what a test at this one-sided level does not reject; NaN where there is none."""
    if not estimated.known or not level > 0:
        return float("nan"), float("nan")
    half = margins(np.array([estimated.variances]), np.array([estimated.degrees]), np.array([level]))
    return estimated.mean - float(half[0]), estimated.mean + float(half[0])


def margins(variances: Array, degrees: Array, tails: Array) -> Array:
    """(N,): what the error exceeds with at most the probability `tails` (N,), from (N, parts)."""
    quantiles: Array = stdtrit(degrees, 1 - tails[:, None], where=variances > 0, out=np.zeros(variances.shape))
    margin: Array = np.sqrt((quantiles**2 * variances).sum(axis=1))
    return margin


def tails(estimates: Sequence[Estimate], at: float) -> Array:
    """(N,): the one-sided p-value of each estimate against its mean being `at` or less; NaN without a spread."""
    width = max((len(estimate.variances) for estimate in estimates), default=0)
    distances = np.array([estimate.mean for estimate in estimates]) - at
    variances = np.array([[*estimate.variances, *[0.0] * (width - len(estimate.variances))] for estimate in estimates])
    degrees = np.array([[*estimate.degrees, *[1.0] * (width - len(estimate.degrees))] for estimate in estimates])
    return one_sided(distances, variances, degrees) if width else np.full(len(estimates), np.nan)


def one_sided(distances: Array, variances: Array, degrees: Array) -> Array:
    """(N,): p of each distance (N,) from what is tested, with its parts (N, parts); NaN where nothing varies.

    It is the level at which the margin is the distance; from 1e-12 to 1 - 1e-12.
    """
    p, spread = np.full(len(distances), np.nan), variances.sum(axis=1)
    known = np.flatnonzero((spread > 0) & ~np.isnan(distances))
    variances, degrees, scale = variances[known], degrees[known], np.sqrt(spread[known])
    wanted = np.arcsinh(np.abs(distances[known]) / scale)

    def beyond(log_tail: Array, at: NDArray[np.int64]) -> Array:
        # nearly straight in the tail's logarithm, for few degrees of freedom too: found in a few steps
        return np.asarray(wanted[at] - np.arcsinh(margins(variances[at], degrees[at], np.exp(log_tail)) / scale[at]))

    ends = np.full(len(known), np.log(SMALLEST_TAIL)), np.full(len(known), np.log(0.5))
    found = find_root(
        beyond, ends, args=(np.arange(len(known)),),
        tolerances={"xatol": P_ERROR, "xrtol": 0.0, "fatol": 0.0, "frtol": 0.0},
    )  # fmt: skip
    tail = np.where(found.success, np.exp(found.x), SMALLEST_TAIL)  # none between the ends: it is farther than both
    tail = np.where(wanted == 0, 0.5, tail)  # the upper end itself, which scipy 1.15 does not find
    p[known] = np.where(distances[known] >= 0, tail, 1 - tail)
    return p


def _seeds_variance(sample: Sample) -> float:
    return float(sample.scores.var(ddof=1)) / len(sample.seeds)


def shared_variance(sample: Sample) -> float:
    """V_both of the module's docstring, times (G - 1) / G: what both levels count. 0 of one run: it is not known."""
    if sample.draws is None or len(sample.seeds) < 2:
        return 0.0
    of_seeds = float(sample.draws.var(axis=1, ddof=1).mean())
    of_mean = float(sample.draws.mean(axis=0).var(ddof=1))
    return max(of_seeds - of_mean, 0.0) / (len(sample.seeds) - 1)


def _examples_variance(means: Array, shared: float, num_units: int) -> float:
    """max(V_examples - V_both, 0) of the module's docstring."""
    return max(float(means.var(ddof=1)) - shared, 0.0) * num_units / (num_units - 1)
