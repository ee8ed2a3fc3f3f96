"""Runs that did not train: which they are, how often they may come, and whether so many can be chance.

A run is *near the trivial score* when the 99.9 % interval of its own score, over examples, reaches down to the task's
trivial score. Three things may lie behind it, and they are told apart by the line's other runs on the task:

- some runs are near and the others clearly above (the gap is more than the error of two runs' difference): the near
  ones *collapsed*. They are named and counted, and differences are over the runs that trained;
- every run is near, and their mean too: the line is at the trivial score *as a whole* (`flat`). That is no collapse but
  a method that does not learn here, or so it looks: one that collapses with probability c looks so in c^n of n runs;
- else it is a weak line near the trivial score, and the near ones are in doubt (`doubtful`) where they are not all:
  nothing is left out, and what is said must hold with those runs and without them.

99.9 % and not 95 %, because a collapsed run that is taken for one that trained moves a mean by far, while one that
trained is protected by the gap. A run that diverged is a collapsed one: it has no score, and counts as the trivial one
where all runs are counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv

from bench.report.statistics.samples import Sample

NEAR, APART = 3.290527, 1.959964  # quantiles of the normal: 99.9 %, 95 %
RATE_CONFIDENCE = 0.95  # of the bound on a rate, one-sided
RATES = np.linspace(0.001, 0.999, 999)
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Parted:
    """The runs of a line on a task, which are the `sample`. `runs` are those that a difference is over: those that
    trained or, where none did (`flat`), all that finished. `collapsed`, `diverged` and `doubtful` are seeds, the last
    of them among `runs`; `num_runs` counts all.
    """

    sample: Sample
    runs: Sample
    collapsed: tuple[int, ...]
    diverged: tuple[int, ...]
    flat: bool
    doubtful: tuple[int, ...] = ()

    @property
    def num_runs(self) -> int:
        return len(self.runs.seeds) + self.num_collapsed

    @property
    def num_collapsed(self) -> int:
        """Of a line that is at the trivial score as a whole, none but the diverged."""
        return len(self.collapsed) + len(self.diverged)

    @property
    def num_left_out(self) -> int:
        """The runs that came to an end and are not among `runs`."""
        return self.num_collapsed + len(self.sample.failed)


def part(sample: Sample) -> Parted:
    """The line's runs on a task, parted by the rule of the module's docstring."""
    errors, of_mean = _errors(sample)
    low = sample.scores - NEAR * errors <= sample.trivial  # of an unknown trivial score nothing is below
    flat = bool(low.all()) and float(sample.scores.mean()) - NEAR * of_mean <= sample.trivial
    if flat or low.all() or not low.any():
        return Parted(sample, sample, (), sample.diverged, flat)
    near = tuple(seed for seed, below in zip(sample.seeds, low, strict=True) if below)
    gap = sample.scores[~low].min() - sample.scores[low].max()
    if gap <= APART * math.sqrt(2) * errors.mean():
        return Parted(sample, sample, (), sample.diverged, flat=False, doubtful=near)
    return Parted(sample, _without(sample, near), near, sample.diverged, flat=False)


def leave_out(parted: Parted) -> Parted:
    """The same with the runs in doubt taken for collapsed ones."""
    if not parted.doubtful:
        return parted
    return replace(parted, runs=_without(parted.sample, parted.doubtful), collapsed=parted.doubtful, doubtful=())


def _without(sample: Sample, seeds: Sequence[int]) -> Sample:
    return sample.take([seed for seed in sample.seeds if seed not in seeds])


def _errors(sample: Sample) -> tuple[Array, float]:
    """(S,) standard errors of the runs' scores over examples, and that of their mean; 0 without predictions."""
    if sample.draws is None or sample.num_units < 2:
        return np.zeros(len(sample.seeds)), 0.0
    scale = math.sqrt(sample.num_units / (sample.num_units - 1))
    return scale * sample.draws.std(axis=1, ddof=1), scale * float(sample.draws.mean(axis=0).std(ddof=1))


def most(count: int, runs: int) -> float:
    """The upper 95 % bound of a rate of which `count` of `runs` were seen, from 0 to 1 (Clopper and Pearson 1934,
    "The use of confidence or fiducial limits", Biometrika 26); of 0 of n it is 1 - 0.05^(1/n).
    """
    return 1.0 if count >= runs else float(betaincinv(count + 1, runs - count, RATE_CONFIDENCE))


def barnard(runs: int, collapsed: int, reference_runs: int) -> float:
    """p of: all of `runs` are at the trivial score and at most `collapsed` of `reference_runs`, at one rate for both.

    The largest over that rate (Barnard 1945, "A new test for 2 x 2 tables", Nature 156): of 3 and 0 of 3 it is 1/64.
    """
    return float((RATES**runs * bdtr(collapsed, reference_runs, RATES)).max())


def whole_tasks(flat: int, tasks: int, flat_runs: int, runs: int) -> float:
    """p of: all runs of `flat` of `tasks` tasks are at the trivial score and no other run of two lines is, `flat_runs`
    of `runs`, at one rate for both lines and all tasks of a model.

    At one rate collapses do not keep to whole tasks: that several tasks without a partial collapse are there says that
    the method does not learn on one of them, where its few runs alone could not.
    """
    rate = flat_runs / runs
    log_p = flat_runs * math.log(rate) + (runs - flat_runs) * (math.log1p(-rate) if rate < 1 else 0.0)
    return min(1.0, math.comb(tasks, flat) * math.exp(log_p))


def chance(line: Sequence[Parted], reference: Sequence[Parted], at: int) -> float:
    """p of: what is seen on task `at`, where all runs of `line` and not all of `reference` are at the trivial score,
    comes of one rate of collapse; the tasks are those of one model. 1 where it is not so.
    """
    if not line[at].flat or reference[at].flat:
        return 1.0
    alone = barnard(line[at].num_runs, reference[at].num_collapsed, reference[at].num_runs)
    pairs = [(ours, theirs) for ours, theirs in zip(line, reference, strict=True) if not (ours.flat and theirs.flat)]
    partial = any(side.num_collapsed and not side.flat for pair in pairs for side in pair)
    if partial or any(theirs.flat for _, theirs in pairs):
        return alone
    flat = [ours for ours, _ in pairs if ours.flat]
    runs = sum(ours.num_runs + theirs.num_runs for ours, theirs in pairs)
    return min(alone, whole_tasks(len(flat), len(pairs), sum(ours.num_runs for ours in flat), runs))


def flukes(line: Sequence[Parted], needed: int) -> float:
    """p of: all runs of `needed` of a line's tasks with a model, and no more of the others' than are seen, collapse at
    one rate of at most a half. A line that collapses more often than that is called one that does not learn.
    """
    flat = sorted(task.num_runs for task in line if task.flat)[:needed]
    count = sum(task.num_collapsed for task in line if not task.flat)
    runs = sum(task.num_runs for task in line if not task.flat)
    rates = RATES[RATES <= 0.5]
    chances = rates ** sum(flat) * (bdtr(count, runs, rates) if runs else 1.0)
    return min(1.0, math.comb(len(line), needed) * float(chances.max()))
