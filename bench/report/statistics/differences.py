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
from functools import cached_property

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
    def tested(self) -> Estimate:
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

    @cached_property
    def tasks_of(self) -> dict[str, list[str]]:
        """By model the tasks that any line has runs on, by name."""
        found: dict[str, list[str]] = {}
        for task, model in sorted({(task, model) for task, model, _ in self.of}):
            found.setdefault(model, []).append(task)
        return found


def sides(samples: Mapping[SideKey, Sample], averaged: Sequence[str]) -> Sides:
    """The lines of one suite by their main metrics, spreads moderated over all of them; `averaged` are the tasks of its
    average.
    """
    parted = {place: part(sample) for place, sample in samples.items() if sample.seeds}
    moderated = _moderated(parted, averaged)
    if not any(runs.doubtful for runs in parted.values()):
        return moderated
    return replace(moderated, without=_moderated({place: leave_out(runs) for place, runs in parted.items()}, averaged))


def _moderated(by_place: Mapping[SideKey, Parted], averaged: Sequence[str]) -> Sides:
    places, parted = list(by_place), list(by_place.values())
    scores = [line.runs.scores for line in parted]
    variances = np.array([of_line.var(ddof=1) if len(of_line) > 1 else 0.0 for of_line in scores])
    degrees = np.array([len(of_line) - 1.0 for of_line in scores])
    trained = np.array([not line.flat for line in parted], dtype=bool)
    factors = [(label, task, model) for task, model, label in places]
    moderated, df = moderate(variances, degrees, factors, trained) if places else (variances, degrees)
    of_places = {
        place: Side(line, float(variance), float(free), _means(line.runs), shared_variance(line.runs))
        for place, line, variance, free in zip(places, parted, moderated, df, strict=True)
    }
    return Sides(of_places, _together(of_places, averaged))


def _means(runs: Sample) -> Array | None:
    return None if runs.draws is None or runs.num_units < 2 else runs.draws.mean(axis=0)


def _together(by_place: Mapping[SideKey, Side], averaged: Sequence[str]) -> float:
    """The variance of per-seed averages over that of independent tasks, pooled over lines and models; 1 or more."""
    seen = expected = 0.0
    if len(averaged) < 2:
        return 1.0
    for model, label in sorted({(model, label) for _, model, label in by_place}):
        of_line = [by_place.get((task, model, label)) for task in averaged]
        runs = [side.runs for side in of_line if side is not None]
        seeds = sorted(set.intersection(*(set(sample.seeds) for sample in runs)))
        if len(runs) == len(averaged) and len(seeds) > 1:
            scores = np.array([sample.take(seeds).scores for sample in runs])
            seen += (len(seeds) - 1) * float(scores.mean(axis=0).var(ddof=1))
            expected += (len(seeds) - 1) * float(scores.var(axis=1, ddof=1).sum()) / len(averaged) ** 2
    return max(1.0, seen / expected) if expected > 0 else 1.0


def difference(line: Side | None, reference: Side | None) -> Difference:
    """One line less another on a task. No estimate where a line has no finished run, no variance where it has one."""
    if line is None or reference is None:
        return Difference(UNKNOWN, 0, ("no finished seed" if line is None else "no reference here",))
    mean, num_seeds = line.mean - reference.mean, min(line.num_runs, reference.num_runs)
    if min(line.parted.num_runs, reference.parted.num_runs) < 2:
        return Difference(Estimate(mean), num_seeds, (ONE_SEED,))
    if not (line.known and reference.known):
        return Difference(Estimate(mean), num_seeds, ("one run that trained: no interval",))
    variances = [line.variance / line.num_runs, reference.variance / reference.num_runs]
    degrees, notes = [line.degrees, reference.degrees], []
    num_units = min(line.runs.num_units, reference.runs.num_units)
    if line.means is None or reference.means is None:
        notes.append("over seeds alone")
    else:
        of_examples = max(float((line.means - reference.means).var(ddof=1)) - line.shared - reference.shared, 0.0)
        variances.append(of_examples * num_units / (num_units - 1))
        degrees.append(num_units - 1.0)
        if line.runs.examples != reference.runs.examples:
            notes.append("not the same examples")
    estimated = Estimate(mean, tuple(variances), tuple(degrees))
    if not estimated.known:
        notes.append("no spread over seeds or examples: no interval")
    return Difference(estimated, num_seeds, tuple(notes))


def joined(first: Array, second: Array, first_free: Array, second_free: Array) -> tuple[Array, Array]:
    """(N,) sums of two parts and their degrees of freedom (Satterthwaite 1946), 0 where either has fewer than ENOUGH:
    at the small levels of a family the approximation errs to the wrong side for those.
    """
    total, squares = first + second, first**2 / first_free + second**2 / second_free
    enough = (np.minimum(first_free, second_free) >= ENOUGH) & (total > 0)
    return total, np.where(enough, total**2 / np.where(enough, squares, 1), 0.0)


def average(parts: Sequence[Difference], together: float) -> Difference:
    """The mean of the tasks' differences. No estimate, or no variance, where that of a task is lacking."""
    estimates = [task.parts for task in parts]
    num_seeds = min(task.num_seeds for task in parts)
    notes = tuple(dict.fromkeys(note for task in parts for note in task.notes))
    mean = float(np.mean([estimate.mean for estimate in estimates]))
    limits = [task for task in parts if len(task.parts.variances) < 2]
    if limits:
        return Difference(
            Estimate(mean), num_seeds, tuple(dict.fromkeys(note for task in limits for note in task.notes))
        )
    wide = max(len(estimate.variances) for estimate in estimates)
    variances, degrees = [], []
    for at in range(wide):
        shares = (
            np.array([estimate.variances[at] for estimate in estimates if len(estimate.variances) > at])
            / len(parts) ** 2
        )
        free = np.array([estimate.degrees[at] for estimate in estimates if len(estimate.degrees) > at])
        total = float(shares.sum())
        variances.append(total * (together if at < 2 else 1.0))
        degrees.append(total**2 / float((shares**2 / free).sum()) if total > 0 else float(free.min()))
    return Difference(Estimate(mean, tuple(variances), tuple(degrees)), num_seeds, notes)


def improvement(line: Sequence[Array], reference: Sequence[Array]) -> float:
    """Probability, from 0 to 1, that a run of one is better than a run of the other on a task; mean over tasks.

    Over all pairs of seeds, a tie counting half (Agarwal et al. 2021, arXiv:2108.13264, section 4.3: the Mann-Whitney U
    statistic over the number of pairs). Scores (S,) of each task.
    """
    shares = []
    for scores, reference_scores in zip(line, reference, strict=True):
        gaps = scores[:, None] - reference_scores[None, :]
        shares.append(float((gaps > 0).mean() + 0.5 * (gaps == 0).mean()))
    return float(np.mean(shares)) if shares else float("nan")


def orders(differences: Sequence[Difference]) -> Array:
    """(N, 2) one-sided p-values against: the difference is 0 or less; 0 or more."""
    above = tails([line.tested for line in differences], 0.0)
    return np.stack([above, 1 - above], axis=1)


def directions(differences: Sequence[Difference], margin: float) -> Array:
    """(N, 3) one-sided p-values against: the difference is 0 or less; 0 or more; at least `margin` from 0.

    The third is the larger of two one-sided tests (Schuirmann 1987): against -margin or less, and margin or more.
    """
    estimates = [line.tested for line in differences]
    near = np.maximum(tails(estimates, -margin), 1 - tails(estimates, margin))
    return np.column_stack([orders(differences), near])
