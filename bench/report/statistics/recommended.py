"""Which method to use: per model the lines held against the best one, on the average and on each task.

How lines are held against a best one that the same scores have chosen stands in statistics.contest. Each model's answer
on the average is wrong with a probability of at most 5 %, and so is one answer or more of its answers on tasks, which
are tested at 5 % over their number. Lines of one budget are compared only, as everywhere. The reference plays no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Literal

import numpy as np
import pandas as pd

from bench.report.statistics.contest import Chances, Contest, contest
from bench.report.statistics.differences import Side, Sides
from bench.report.statistics.equal_budgets import within_budgets
from bench.report.statistics.intervals import CONFIDENCE
from bench.report.statistics.judging import Block, chances_of
from bench.report.statistics.needed import Need, contest_needs
from bench.report.statistics.pairs import Lines, average_of, lines_of
from bench.report.statistics.samples import AVERAGE

Standing = Literal["best", "within", "undecided", "worse"]


@dataclass(frozen=True)
class Candidate:
    """A line against the best: `score` is the mean of its runs that trained, `num_seeds` the fewest of these on a task.

    `best` has the highest score, and is shown to be `within` the margin of the best or is not; the others are shown to
    be within it, shown to be below the best and not to be within, or neither. `below` is the most that it is below the
    best line, whichever that is (95 % for all lines at once); NaN where no such number is known. `needs` is what would
    decide; `runs` and `collapsed` are those on tasks where some trained; `flat`: it is not shown to learn anywhere.
    """

    label: str
    score: float
    standing: Standing
    within: bool
    below: float
    num_seeds: int
    needs: Need | None = None
    runs: int = 0
    collapsed: int = 0
    flat: bool = False


@dataclass(frozen=True)
class Recommendation:
    """Of a suite's lines with one model and budget on a task or the average: the candidates, the highest score first.

    `alone` are lines with a score and no spread, which cannot be compared, as pairs of label and score; `unfinished`
    those that lack cells. `level` is the probability that anything of it is wrong.
    """

    suite: str
    task: str
    model: str
    budget: str
    margin: float
    level: float
    candidates: tuple[Candidate, ...]
    alone: tuple[tuple[str, float], ...] = ()
    unfinished: tuple[str, ...] = ()


def recommendations(
    frame: pd.DataFrame, known: Mapping[str, Sides], averaged: Mapping[str, Sequence[str]], margin: float
) -> tuple[Recommendation, ...]:
    """Of all suites, models and budgets; of each the average first and then, where it has several, its tasks."""
    found: list[Recommendation] = []
    for suite, tasks in averaged.items():
        of_suite = frame[(frame["suite"] == suite) & frame["main"]]
        asked = of_suite[["model", "label", "budget"]].drop_duplicates()
        for of_budget in within_budgets(known[suite], of_suite):
            for model in sorted({model for _, model, _ in of_budget.of}):
                budget = _budget(of_suite, of_budget, model)
                lines = asked[(asked["model"] == model) & (asked["budget"] == budget)]["label"]
                place = _Place(suite, model, budget, margin, of_budget, tuple(sorted(lines)))
                found.append(place.answer(AVERAGE, tuple(tasks), 1 - CONFIDENCE))
                if len(tasks) > 1:
                    found += [place.answer(task, (task,), (1 - CONFIDENCE) / len(tasks)) for task in tasks]
    return tuple(found)


def _budget(rows: pd.DataFrame, known: Sides, model: str) -> str:
    task, _, label = next(place for place in known.of if place[1] == model)
    of_line = rows[(rows["task"] == task) & (rows["model"] == model) & (rows["label"] == label)]
    return str(of_line["budget"].iloc[0])


@dataclass(frozen=True)
class _Place:
    """The lines of a suite with one model and budget."""

    suite: str
    model: str
    budget: str
    margin: float
    known: Sides
    lines: tuple[str, ...]
    blocks: dict[tuple[str, str], Block] = field(default_factory=dict)  # of pairs, as they were asked for

    def answer(self, task: str, tasks: tuple[str, ...], level: float) -> Recommendation:
        """Of the average over these tasks, or of the task that they are."""
        ways = [way for way in (self.known, self.known.without) if way is not None]
        scored = [line for line in self.lines if all((name, self.model, line) in self.known.of for name in tasks)]
        spread = [line for line in scored
                  if all(way.of[name, self.model, line].known for way in ways for name in tasks)]  # fmt: skip
        of_ways = [self._lines(way, spread, tasks) for way in ways] if spread else []
        held = contest(of_ways, self.margin, level, self._chances(spread, task, tasks)) if spread else None
        means = {line: float(np.mean([self._side(name, line).mean for name in tasks])) for line in scored}
        return Recommendation(
            self.suite, task, self.model, self.budget, self.margin, level,
            self._candidates(spread, means, held, tasks, level),
            tuple((line, means[line]) for line in scored if line not in spread),
            tuple(line for line in self.lines if line not in scored),
        )  # fmt: skip

    def _side(self, task: str, line: str) -> Side:
        return self.known.of[task, self.model, line]

    def _lines(self, way: Sides, lines: Sequence[str], tasks: Sequence[str]) -> Lines:
        of_tasks = [lines_of([way.of[task, self.model, line] for line in lines]) for task in tasks]
        return average_of(of_tasks, way.together) if len(tasks) > 1 else of_tasks[0]

    def _chances(self, lines: Sequence[str], task: str, tasks: Sequence[str]) -> Chances:
        """What guards the pairs in which a line is at the trivial score as a whole."""
        chances = Chances.none(len(lines))
        flat = [any(self._side(name, line).parted.flat for name in tasks) for line in lines]
        pairs = [(i, j) for i, j in permutations(range(len(lines)), 2) if flat[i] or flat[j]]
        blocks = [self._block(lines[i], lines[j]) for i, j in pairs]
        for (i, j), tested in zip(pairs, chances_of(blocks, task, tasks, self.known.together), strict=True):
            chances.above[i, j], chances.near[i, j] = tested[1:]
        return chances

    def _block(self, line: str, other: str) -> Block:
        if (line, other) not in self.blocks:
            self.blocks[line, other] = Block(self.known, self.model, line, other)
        return self.blocks[line, other]

    def _candidates(
        self, lines: Sequence[str], means: Mapping[str, float], held: Contest | None, tasks: Sequence[str], level: float
    ) -> tuple[Candidate, ...]:  # fmt: skip
        """The highest score first."""
        if held is None:
            return ()
        order = sorted(range(len(lines)), key=lambda at: (-means[lines[at]], lines[at]))
        best, share = lines[order[0]], level / max(len(lines) - 1, 1)
        candidates = []
        for at in order:
            line, within = lines[at], bool(held.within[at])
            standing: Standing = "undecided" if held.contenders[at] else "worse"
            standing = "best" if line == best else "within" if within else standing
            needs = None
            if standing == "undecided":
                pairs = [(self._side(task, line), self._side(task, best)) for task in tasks]
                needs = contest_needs(pairs, self.known.together, self.margin, share)
            sides = [self._side(task, line) for task in tasks]
            trained = [side.parted for side in sides if not side.parted.flat]
            candidates.append(Candidate(
                line, means[line], standing, within, float(held.below[at]),
                num_seeds=min(side.num_runs for side in sides), needs=needs,
                runs=sum(parted.num_runs for parted in trained),
                collapsed=sum(parted.num_collapsed for parted in trained), flat=not trained,
            ))  # fmt: skip
        return tuple(candidates)
