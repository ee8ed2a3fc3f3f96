"""Two lines on a task or on the average: their difference, what is known of it, and how often a run is better.

**What is random.** Runs (seeds) and examples, in groups where the task has groups. The runs of a line on a task with a
model are a sample of all that new seeds would give; those of two lines, of two tasks or models, are independent
samples. (Seeds of one number share the order of rows. What that has in common would make differences vary
less than is said here, never more; and a line whose seeds are others, or fewer, is compared all the same.) Examples are
the same for all lines of a task, so that differences are paired by example.

**A task.** The difference is that of the means over the runs that trained (statistics.collapse). Its variance is

    s~²/n of one line + s~²/n of the other + V_examples,

s~² the moderated variance of runs (statistics.moderation), V_examples that of statistics.intervals, from draws of
the difference of the two means, less what the spread of runs counts already.

**The average** is the mean of the T tasks' differences, its variance the sum of theirs over T², with Satterthwaite's
degrees of freedom part by part. Runs of one seed on several tasks might rise and fall together: where the spread of
per-seed averages, pooled over all lines and models, is above what independence gives, the part of the runs is raised by
that ratio.

**Tests** take the runs of both lines as one part, by Satterthwaite again, unless spreads are hardly borrowed: two parts
of few degrees of freedom are kept apart, and their quantiles are added (statistics.intervals).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.report.statistics.collapse import Parted, leave_out, part
from bench.report.statistics.intervals import Estimate, shared_variance, tails
from bench.report.statistics.moderation import moderate
from bench.report.statistics.samples import Sample

Array = NDArray[np.float64]
SideKey = tuple[str, str, str]  # task, model, label
ENOUGH = 5.0  # degrees of freedom
ONE_SEED = "one seed: no interval"
UNKNOWN = Estimate(float("nan"))


@dataclass(frozen=True)
class Side:
    """A line's runs on a task, parted, with the moderated variance of a run (points²) and its degrees of freedom.

    `means` (B,) are the draws of the mean over runs, `shared` what they vary by because each run errs for itself.
    """

    parted: Parted
    variance: float
    degrees: float
    means: Array | None
    shared: float

    @property
    def runs(self) -> Sample:
        return self.parted.runs

    @property
    def num_runs(self) -> int:
        return len(self.runs.seeds)

    @property
    def mean(self) -> float:
        return float(self.runs.scores.mean())

    @property
    def known(self) -> bool:
        """Whether its spread over runs is known: of one seed it is not, of one run that trained it is the others'."""
        return self.degrees > 0 and self.parted.num_runs > 1


@dataclass(frozen=True)
class Difference:
    """One line less another; `num_seeds` are the fewest runs of a line on a task it is over, `notes` what limits it.

    The parts of its variance are those of one line's runs, of the other's, and of examples.
    """

    parts: Estimate
    num_seeds: int
    notes: tuple[str, ...] = ()

    @property
    def found(self) -> Estimate:
        """What is tested: the runs of both lines as one part, where both have degrees of freedom enough for that."""
        variances, degrees = self.parts.variances, self.parts.degrees
        if len(variances) < 2:
            return self.parts
        joint, free = joined(*(np.array([value]) for value in (*variances[:2], *degrees[:2])))
        if free[0] == 0:
            return self.parts
        return Estimate(self.parts.mean, (float(joint[0]), *variances[2:]), (float(free[0]), *degrees[2:]))


@dataclass(frozen=True)
class Sides:
    """A suite's lines by task, model and label; `together` is by how much the runs' part of an average is raised."""

    of: Mapping[SideKey, Side]
    together: float = 1.0
    without: Sides | None = None  # the same with the runs in doubt left out, where there are any


def sides(samples: Mapping[SideKey, Sample], chosen: Sequence[str]) -> Sides:
    """The lines of one suite by their main metrics, spreads moderated over all of them; `chosen` are averaged."""
    parted = {place: part(sample) for place, sample in samples.items() if sample.seeds}
    found = _moderated(parted, chosen)
    if not any(one.doubtful for one in parted.values()):
        return found
    return replace(found, without=_moderated({place: leave_out(one) for place, one in parted.items()}, chosen))


def _moderated(by_place: Mapping[SideKey, Parted], chosen: Sequence[str]) -> Sides:
    places, parted = list(by_place), list(by_place.values())
    scores = [one.runs.scores for one in parted]
    variances = np.array([own.var(ddof=1) if len(own) > 1 else 0.0 for own in scores])
    degrees = np.array([len(own) - 1.0 for own in scores])
    trained = np.array([not one.flat for one in parted], dtype=bool)
    factors = [(label, task, model) for task, model, label in places]
    moderated, df = moderate(variances, degrees, factors, trained) if places else (variances, degrees)
    found = {
        place: Side(one, float(variance), float(free), _means(one.runs), shared_variance(one.runs))
        for place, one, variance, free in zip(places, parted, moderated, df, strict=True)
    }
    return Sides(found, _together(found, chosen))


def _means(runs: Sample) -> Array | None:
    return None if runs.draws is None or runs.num_units < 2 else runs.draws.mean(axis=0)


def _together(found: Mapping[SideKey, Side], chosen: Sequence[str]) -> float:
    """The variance of per-seed averages over that of independent tasks, pooled over lines and models; 1 or more."""
    seen = expected = 0.0
    if len(chosen) < 2:
        return 1.0
    for model, label in sorted({(model, label) for _, model, label in found}):
        own = [found.get((task, model, label)) for task in chosen]
        runs = [side.runs for side in own if side is not None]
        seeds = sorted(set.intersection(*(set(one.seeds) for one in runs)))
        if len(runs) == len(chosen) and len(seeds) > 1:
            scores = np.array([one.take(seeds).scores for one in runs])
            seen += (len(seeds) - 1) * float(scores.mean(axis=0).var(ddof=1))
            expected += (len(seeds) - 1) * float(scores.var(axis=1, ddof=1).sum()) / len(chosen) ** 2
    return max(1.0, seen / expected) if expected > 0 else 1.0


def difference(one: Side | None, other: Side | None) -> Difference:
    """One line less another on a task. No estimate where a line has no finished run, no variance where it has one."""
    if one is None or other is None:
        return Difference(UNKNOWN, 0, ("no finished seed" if one is None else "no reference here",))
    mean, num_seeds = one.mean - other.mean, min(one.num_runs, other.num_runs)
    if min(one.parted.num_runs, other.parted.num_runs) < 2:
        return Difference(Estimate(mean), num_seeds, (ONE_SEED,))
    if not (one.known and other.known):
        return Difference(Estimate(mean), num_seeds, ("one run that trained: no interval",))
    variances = [one.variance / one.num_runs, other.variance / other.num_runs]
    degrees, notes = [one.degrees, other.degrees], []
    num_units = min(one.runs.num_units, other.runs.num_units)
    if one.means is None or other.means is None:
        notes.append("over seeds alone")
    else:
        own = max(float((one.means - other.means).var(ddof=1)) - one.shared - other.shared, 0.0)
        variances.append(own * num_units / (num_units - 1))
        degrees.append(num_units - 1.0)
        if one.runs.examples != other.runs.examples:
            notes.append("not the same examples")
    found = Estimate(mean, tuple(variances), tuple(degrees))
    if not found.known:
        notes.append("no spread over seeds or examples: no interval")
    return Difference(found, num_seeds, tuple(notes))


def joined(one: Array, other: Array, one_free: Array, other_free: Array) -> tuple[Array, Array]:
    """(N,) sums of two parts and their degrees of freedom (Satterthwaite 1946), 0 where either has fewer than ENOUGH:
    at the small levels of a family the approximation errs to the wrong side for those.
    """
    total, squares = one + other, one**2 / one_free + other**2 / other_free
    enough = (np.minimum(one_free, other_free) >= ENOUGH) & (total > 0)
    return total, np.where(enough, total**2 / np.where(enough, squares, 1), 0.0)


def average(parts: Sequence[Difference], together: float) -> Difference:
    """The mean of the tasks' differences. No estimate, or no variance, where that of a task is lacking."""
    found = [one.parts for one in parts]
    num_seeds = min(one.num_seeds for one in parts)
    notes = tuple(dict.fromkeys(note for one in parts for note in one.notes))
    mean = float(np.mean([one.mean for one in found]))
    limits = [one for one in parts if len(one.parts.variances) < 2]
    if limits:
        return Difference(Estimate(mean), num_seeds, tuple(dict.fromkeys(n for one in limits for n in one.notes)))
    wide = max(len(one.variances) for one in found)
    variances, degrees = [], []
    for at in range(wide):
        own = np.array([one.variances[at] for one in found if len(one.variances) > at]) / len(parts) ** 2
        free = np.array([one.degrees[at] for one in found if len(one.degrees) > at])
        total = float(own.sum())
        variances.append(total * (together if at < 2 else 1.0))
        degrees.append(total**2 / float((own**2 / free).sum()) if total > 0 else float(free.min()))
    return Difference(Estimate(mean, tuple(variances), tuple(degrees)), num_seeds, notes)


def improvement(one: Sequence[Array], other: Sequence[Array]) -> float:
    """Probability, from 0 to 1, that a run of one is better than a run of the other on a task; mean over tasks.

    Over all pairs of seeds, a tie counting half (Agarwal et al. 2021, arXiv:2108.13264, section 4.3: the Mann-Whitney U
    statistic over the number of pairs). Scores (S,) of each task.
    """
    shares = []
    for mine, theirs in zip(one, other, strict=True):
        gaps = mine[:, None] - theirs[None, :]
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
