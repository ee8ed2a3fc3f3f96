"""From the lines of a suite to verdicts: differences, tests, families.

A verdict is one of
- *matches*: the difference is less than the margin, in either direction;
- *better*, *worse*: it is above, below 0;
- *undecided*: none of these is shown. It does not say that two lines are alike.
A difference of which both is shown, small and not 0, matches.

**What it is about.** The runs that trained, beside which stands how many collapsed and how many more may
(statistics.collapse). Where all runs of a line are at the trivial score it is about all of its runs: the line is
*worse* than one that trained when its mean is below, and so many runs there are not the chance of a rate of collapse
that both lines have (on a task), or of one of at most a half (on the average, where those tasks turn the verdict). It
never matches a line that trained. Where it is in doubt which runs collapsed, a verdict is given that holds with the
doubtful runs and without them (an intersection-union test: each p-value is the larger of the two).

**Families.** The averages of a suite, all lines and models, are one: one wrong verdict or more has a probability of at
most 5 % (statistics.multiplicity.holm). The tasks of one line with one model are another each, likewise at most 5 %
(two_doors). A suite of one task has one family of tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.report.statistics.collapse import Parted, chance, flukes
from bench.report.statistics.differences import Difference, Sides, average, difference, directions, orders
from bench.report.statistics.intervals import CONFIDENCE, held
from bench.report.statistics.multiplicity import holm, two_doors
from bench.report.statistics.samples import AVERAGE

Array = NDArray[np.float64]
TRAINED, ALL, MIXED = "runs that trained", "all runs", "runs that trained, all runs where none is shown to have"
TOO_FEW = "too few runs to tell a line that does not learn from one whose runs collapsed"
ALPHA = 1 - CONFIDENCE


@dataclass(frozen=True)
class Question:
    """A line against its reference on a task, or on the average."""

    task: str
    model: str
    label: str
    reference: str


@dataclass(frozen=True)
class Judgement:
    """The answer. `p` (3,) are adjusted, as `directions`; `level` is the two-sided level of the interval from `low` to
    `high`, which agrees with the verdict; `about` says of which runs it is.
    """

    difference: Difference
    p: tuple[float, float, float]
    level: float
    low: float
    high: float
    verdict: str
    about: str


def judge(questions: Sequence[Question], known: Sides, averaged: Sequence[str], margin: float) -> list[Judgement]:
    """The verdict of each question; `averaged` are the tasks of the average."""
    ways = [_all_tested(questions, sides, averaged) for sides in (known, known.without) if sides is not None]
    p = np.max([_p_values(tested, margin) for tested in ways], axis=0)  # NaN stays NaN
    adjusted, levels = _families(questions, p, averaged)
    return [_judgement(*row) for row in zip(zip(*ways, strict=True), adjusted, levels, strict=True)]


def _all_tested(questions: Sequence[Question], known: Sides, averaged: Sequence[str]) -> list[Tested]:
    blocks: dict[tuple[str, str], Block] = {}
    tested = []
    for question in questions:
        if (question.model, question.label) not in blocks:
            blocks[question.model, question.label] = Block(known, question.model, question.label, question.reference)
        block = blocks[question.model, question.label]
        tested.append(
            block.average(averaged, known.together) if question.task == AVERAGE else block.task(question.task)
        )
    return tested


def _p_values(tested: Sequence[Tested], margin: float) -> Array:
    raw = directions([answer.difference for answer in tested], margin)
    return np.maximum(raw, [_guards(answer.chances) for answer in tested]) if tested else raw


def _guards(chances: tuple[float, float, float]) -> tuple[float, float, float]:
    of_line, of_reference, of_either = chances
    return of_reference, of_line, of_either


@dataclass(frozen=True)
class Tested:
    """`chances`: that the line, or the reference, or either, is at the trivial score by chance alone; 0: it is not."""

    difference: Difference
    about: str
    chances: tuple[float, float, float] = (0.0, 0.0, 0.0)


class Block:
    """A line and its reference with one model, over the tasks. What is asked twice is worked out once, and nothing
    that is not asked: the pairs of many lines are many.
    """

    def __init__(self, known: Sides, model: str, label: str, reference: str) -> None:
        self._pairs = {
            task: (known.of.get((task, model, label)), known.of.get((task, model, reference)))
            for task in known.tasks_of.get(model, ())
        }
        self._differences: dict[str, Difference] = {}
        self.parted = {
            task: (side.parted, reference_side.parted)
            for task, (side, reference_side) in self._pairs.items()
            if side is not None and reference_side is not None
        }

    def task(self, task: str) -> Tested:
        """What is known of one task."""
        if task not in self.parted:
            return Tested(self._difference(task), TRAINED)
        about = ALL if any(side.flat for side in self.parted[task]) else TRAINED
        return Tested(self._difference(task), about, self.task_chances(task))

    def average(self, averaged: Sequence[str], together: float) -> Tested:
        """What is known of the average."""
        whole = average([self._difference(task) for task in averaged], together)
        about = MIXED if any(side.flat for task in self._paired(averaged) for side in self.parted[task]) else TRAINED
        return Tested(whole, about, average_chances([self], averaged, together)[0])

    def task_chances(self, task: str) -> tuple[float, float, float]:
        """`Tested.chances` of one task."""
        if task not in self.parted:
            return (0.0, 0.0, 0.0)
        line, reference = self.parted[task]
        ours, theirs = [side for side, _ in self.parted.values()], [side for _, side in self.parted.values()]
        at = list(self.parted).index(task)
        return _chance(ours, theirs, at), _chance(theirs, ours, at), float(line.flat != reference.flat)

    def levels(self, averaged: Sequence[str], together: float) -> dict[int, Difference]:
        """The average as it were without the gains of tasks on which the line (0), or the reference (1), is flat: for
        each of the two that is so somewhere.
        """
        levels: dict[int, Difference] = {}
        for at in (0, 1):
            flat = self._flat(averaged, at)
            if flat:
                parts = {task: self._difference(task) for task in averaged}
                of_tasks = [_level(part) if task in flat else part for task, part in parts.items()]
                levels[at] = average(of_tasks, together)
        return levels

    def chances_without(
        self, averaged: Sequence[str], together: float, without: Mapping[int, float]
    ) -> tuple[float, float, float]:
        """`Tested.chances` of the average, of whose `levels` these are the p-values."""
        paired, chances = self._paired(averaged), []
        for at in (0, 1):
            flat = self._flat(averaged, at)
            if not flat:
                chances.append((0.0, 0.0))
                continue
            parts = {task: self._difference(task) for task in averaged}
            whole = average(list(parts.values()), together)
            sign = -1 if at == 0 else 1
            gains = [sign * parts[task].tested.mean for task in flat]
            line = [self.parted[task][at] for task in paired]
            guard = min(flukes(line, _needed(gains, sign * whole.tested.mean * len(averaged))), without[at])
            chances.append((guard, flukes(line, 1)))
        (of_line, line_alone), (of_reference, reference_alone) = chances
        return of_line, of_reference, max(line_alone, reference_alone)

    def _flat(self, averaged: Sequence[str], at: int) -> list[str]:
        """The averaged tasks on which one of the two is flat and the other is not."""
        pairs = {task: self.parted[task] for task in self._paired(averaged)}
        return [task for task, pair in pairs.items() if pair[at].flat and not pair[1 - at].flat]

    def _paired(self, averaged: Sequence[str]) -> list[str]:
        """The averaged tasks that both lines have runs on."""
        return [task for task in averaged if task in self.parted]

    def _difference(self, task: str) -> Difference:
        if task not in self._differences:
            self._differences[task] = difference(*self._pairs.get(task, (None, None)))
        return self._differences[task]


def chances_of(
    blocks: Sequence[Block], task: str, averaged: Sequence[str], together: float
) -> list[tuple[float, float, float]]:
    """`Tested.chances` of each block, on a task or on the average."""
    if task == AVERAGE:
        return average_chances(blocks, averaged, together)
    return [block.task_chances(task) for block in blocks]


def average_chances(
    blocks: Sequence[Block], averaged: Sequence[str], together: float
) -> list[tuple[float, float, float]]:
    """`Tested.chances` of each block's average. The p-values of all are searched at once: one by one, those of the
    pairs of a hundred lines are most of a report.
    """
    levels = [block.levels(averaged, together) for block in blocks]
    tested = iter(orders([level for of_block in levels for level in of_block.values()]))
    without = [{at: float(next(tested)[1 - at]) for at in of_block} for of_block in levels]
    return [block.chances_without(averaged, together, each) for block, each in zip(blocks, without, strict=True)]


def _level(of_task: Difference) -> Difference:
    """The difference as if the two were level."""
    return replace(of_task, parts=replace(of_task.parts, mean=0.0, variances=(0.0,) * len(of_task.parts.variances)))


def _chance(line: Sequence[Parted], reference: Sequence[Parted], at: int) -> float:
    return chance(line, reference, at) if line[at].flat and not reference[at].flat else 0.0


def _needed(gains: Sequence[float], total: float) -> int:
    """How many of these gains, the largest first, a sum must lose to be above 0 no more; all if they are too few."""
    count = 0
    for gain in sorted(gains, reverse=True):
        if total > 0 or not count:
            total, count = total - gain, count + 1
    return count


def _families(questions: Sequence[Question], p: Array, averaged: Sequence[str]) -> tuple[Array, Array]:
    """(N, 3) adjusted p-values and raw levels. The average over one task is that task's test."""
    averages = np.array([question.task == AVERAGE for question in questions], dtype=bool)
    again = averages & (len(averaged) == 1)
    adjusted, levels = np.full(p.shape, np.nan), np.full(p.shape, np.nan)
    lines = [(question.model, question.label) for question in questions]
    numbers = {line: at for at, line in enumerate(dict.fromkeys(lines))}
    gates = np.full(len(numbers), np.nan)
    firsts = np.flatnonzero(averages & ~again)
    if len(firsts):
        family = holm(p[firsts], ALPHA)
        adjusted[firsts], levels[firsts] = family.p, family.levels
        for at in firsts:
            gates[numbers[lines[at]]] = adjusted[at, :2].min()
    tasks = np.flatnonzero(~averages)
    if len(tasks):
        blocks = [numbers[lines[at]] for at in tasks]
        family = two_doors(p[tasks], gates, ALPHA, blocks) if len(firsts) else holm(p[tasks], ALPHA)
        adjusted[tasks], levels[tasks] = family.p, family.levels
    place = {(question.task, question.model, question.label): at for at, question in enumerate(questions)}
    for at in np.flatnonzero(again):
        same = place.get((averaged[0], *lines[at]))
        if same is not None:
            adjusted[at], levels[at] = adjusted[same], levels[same]
    return adjusted, levels


def _judgement(ways: tuple[Tested, ...], adjusted: Array, levels: Array) -> Judgement:
    """`ways`: with the runs in doubt and, where there are any in the suite, without them; it must hold both ways."""
    tested = ways[0]
    answer = verdict(*adjusted)
    above, below, near = map(float, levels)
    level = {"matches": near, "better": above, "worse": below}.get(answer, min(above, below, near))
    ends = [held(way.difference.tested, level) for way in ways]
    low, high = float(np.min([low for low, _ in ends])), float(np.max([high for _, high in ends]))
    compared = tested.difference
    if answer == "undecided" and not low <= 0 <= high and low == low:  # what is not shown is that it is no chance
        low = high = float("nan")
        compared = replace(compared, notes=(*compared.notes, TOO_FEW))
    return Judgement(compared, (adjusted[0], adjusted[1], adjusted[2]), 1 - 2 * level, low, high, answer, tested.about)


def verdict(not_above: float, not_below: float, not_near: float) -> str:
    """From the adjusted p-values against the difference being 0 or less, 0 or more, at least the margin from 0."""
    if not_near <= ALPHA:
        return "matches"
    if not_above <= ALPHA:
        return "better"
    return "worse" if not_below <= ALPHA else "undecided"
