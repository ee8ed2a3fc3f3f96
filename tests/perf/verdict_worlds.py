"""How often verdicts are wrong, and how often they decide, in worlds where runs collapse.

    python -m tests.perf.verdict_worlds [SUITES] [--before] [--worlds TEXT] [--seeds 3,5]

A world is a suite: some tasks of 300 rows, some models, a reference and four methods that differ from it by 0, by a
little inside the margin, exactly by the margin, and by far, in the accuracy of runs that trained. A run trains or
collapses, then it answers as the trivial answer does: right in 53 of 100. A run that trained is right where

    ease of its task, model and method + this run's luck + row's difficulty + method's gift for the row + noise > 0,

all normal. Every suite goes through the report's own functions from scores and examples on. Rows stand in for bootstrap
draws: of a mean their second moments are those of endless draws.

A verdict is *wrong* in the sense in which it is given: about runs that trained, when the true accuracies of such runs
differ otherwise; about all runs, when the true means over all runs do, collapsed ones among them. There are two kinds
of families: the averages of a suite, and the tasks of a line with a model.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.report.statistics.collapse import part
from bench.report.statistics.differences import Difference, SideKey, directions, sides
from bench.report.statistics.intervals import Estimate, estimate
from bench.report.statistics.judging import ALL, TRAINED, Judgement, Question, judge, verdict
from bench.report.statistics.multiplicity import holm
from bench.report.statistics.samples import AVERAGE, Sample, mean_sample

TRIVIAL = 53.0
SEEDS = (3, 5, 10, 20)
REFERENCE = "reference"
Array = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """Standard deviations beside the noise's 1; `truths` are the methods' points above the reference.

    `collapse` and `reference_collapse` are rates. `spreads` multiply the luck of runs of the methods in turn, `rows`
    are the tasks'. With `everywhere` false a difference is on the first task alone. `shared` is the part of a run's
    luck that its seed has on all tasks.
    """

    name: str
    collapse: float = 0.0
    reference_collapse: float = 0.0
    truths: Mapping[str, float] = field(default_factory=lambda: {"none": 0.0, "at": 3.0, "below": -3.0, "far": -10.0})
    margin: float = 3.0
    tasks: int = 5
    models: int = 3
    rows: tuple[int, ...] = (300,)
    level: float = 86.0
    luck: float = 0.06
    spreads: tuple[float, ...] = (1.0,)
    uneven: float = 0.0  # of the log of the luck, cell by cell
    difficulty: float = 1.0
    gift: float = 0.3
    shared: float = 0.0
    everywhere: bool = True
    untrained: tuple[str, ...] = ()  # methods that never train
    diverges: bool = False  # a run that collapses diverges, and has no score
    fewer: int = 0  # seeds that the reference has fewer than the methods


def difference_on(world: World, name: str, task: int) -> float:
    """The true points above the reference, of runs that trained."""
    return world.truths[name] if world.everywhere or task == 0 else 0.0


def draw(world: World, num_seeds: int, generator: np.random.Generator) -> dict[SideKey, Sample]:
    """One suite's entries by task, model and label."""
    found = {}
    names = [REFERENCE, *world.truths]
    seed_luck = {name: generator.normal(0, 1, num_seeds) for name in names}
    for task in range(world.tasks):
        num_rows = world.rows[task % len(world.rows)]
        for model in range(world.models):
            difficulty = generator.normal(0, world.difficulty, num_rows)
            for at, name in enumerate(names):
                luck = world.luck * world.spreads[at % len(world.spreads)]
                luck *= np.exp(world.uneven * generator.normal())
                level = world.level + (0.0 if name == REFERENCE else difference_on(world, name, task))
                spread = np.sqrt(1 + luck**2 + world.difficulty**2 + world.gift**2)
                ease = spread * ndtri(level / 100) + difficulty + generator.normal(0, world.gift, num_rows)
                own = np.sqrt(1 - world.shared) * generator.normal(0, 1, num_seeds)
                of_run = luck * (own + np.sqrt(world.shared) * seed_luck[name])
                right = ease + of_run[:, None] + generator.normal(0, 1, (num_seeds, num_rows)) > 0
                lost = generator.random(num_seeds) < rate_of(world, name)
                guessed = generator.random((num_seeds, num_rows)) < TRIVIAL / 100
                right = np.where(lost[:, None], guessed, right)
                one = entry(right, f"{task} {model}")
                if world.diverges:
                    one = replace(
                        one.take(np.flatnonzero(~lost).tolist()), diverged=tuple(np.flatnonzero(lost).tolist())
                    )
                if name == REFERENCE and world.fewer:
                    one = one.take(one.seeds[world.fewer :])
                if one.seeds:
                    found[str(task), str(model), name] = one
    return found


def entry(right: NDArray[np.bool_], examples: str) -> Sample:
    """From (S, G) answers. Rows are scaled so that the variance over them is that over draws of the mean."""
    num_seeds, num_rows = right.shape
    points = 100.0 * right
    scores = points.mean(axis=1)
    draws = scores[:, None] + (points - scores[:, None]) * np.sqrt((num_rows - 1) / num_rows / num_rows)
    return Sample(tuple(range(num_seeds)), scores, draws, num_rows, frozenset({examples}), TRIVIAL)


def is_wrong(world: World, question: Question, found: Judgement, entries: Mapping[SideKey, Sample]) -> bool:
    """Whether the verdict is not so, in the sense in which it is given."""
    tasks = [str(task) for task in range(world.tasks)] if question.task == AVERAGE else [question.task]
    truth = float(np.mean([_truth(world, question, found, task, entries) for task in tasks]))
    truth = round(truth, 9)
    return {"better": truth <= 0, "worse": truth >= 0, "matches": abs(truth) >= world.margin}.get(found.verdict, False)


def _truth(world: World, question: Question, found: Judgement, task: str, entries: Mapping[SideKey, Sample]) -> float:
    """The true difference on a task: of runs that trained, or of all runs where the verdict is about them."""
    levels = {REFERENCE: world.level, question.label: world.level + difference_on(world, question.label, int(task))}
    for name, level in levels.items():
        one = entries.get((task, question.model, name))
        flat = found.about != TRAINED and one is not None and part(one).flat
        if found.about == ALL or flat:
            rate = rate_of(world, name)
            levels[name] = (1 - rate) * level + rate * TRIVIAL
    return levels[question.label] - levels[REFERENCE]


def rate_of(world: World, name: str) -> float:
    """The true rate of collapse."""
    if name in world.untrained:
        return 1.0
    return world.reference_collapse if name == REFERENCE else world.collapse


def paired(one: Sample, other: Sample) -> Sample:
    """The difference seed by seed and draw by draw, of entries with the same seeds."""
    assert one.seeds == other.seeds
    draws = None if one.draws is None or other.draws is None else one.draws - other.draws
    units = min(one.num_units, other.num_units)
    return Sample(one.seeds, one.scores - other.scores, draws, units, one.examples | other.examples)


def paired_rule(
    questions: Sequence[Question], entries: Mapping[SideKey, Sample], averaged: Sequence[str], margin: float
) -> list[Judgement]:
    """The verdicts of before: means over the seeds that both finished, paired by seed, Holm over the averages and over
    all tasks.
    """
    differences = []
    for one in questions:
        tasks = averaged if one.task == AVERAGE else [one.task]
        parts = [entries.get((task, one.model, name)) for name in (one.label, REFERENCE) for task in tasks]
        known = [_projected(part, task) for part, task in zip(parts, [*tasks, *tasks], strict=True) if part]
        common = set.intersection(*(set(part.seeds) for part in known))
        if len(known) < len(parts) or len(common) < 2:
            differences.append(Difference(Estimate(float("nan")), 0))
            continue
        known = [part.take(sorted(common)) for part in known]
        line, other = mean_sample(known[: len(tasks)]), mean_sample(known[len(tasks) :])
        differences.append(Difference(estimate(paired(line, other)), len(common)))
    p = directions(differences, margin)
    averages = np.array([one.task == AVERAGE for one in questions])
    for family in (averages, ~averages):
        p[family] = holm(p[family], 0.05).p
    return [
        Judgement(found, (row[0], row[1], row[2]), 0.95, 0.0, 0.0, verdict(*row), ALL)
        for found, row in zip(differences, p, strict=True)
    ]


def _projected(entry: Sample, task: str) -> Sample:
    """The same with 300 draws, of whatever number of rows: tasks can then be averaged draw by draw."""
    assert entry.draws is not None
    if entry.num_units == 300:
        return entry
    weights = np.random.default_rng([int(task), entry.num_units]).normal(0, 1, (entry.num_units, 300))
    apart = entry.draws - entry.scores[:, None]
    return replace(entry, draws=entry.scores[:, None] + apart @ weights / np.sqrt(entry.num_units - 1))


def simulate(world: World, num_seeds: int, suites: int, before: bool = False, seed: int = 0) -> Counter[str]:
    """Counts over some suites: `averages` and `tasks`, families with a wrong verdict; `families`, those of tasks;
    `average NAME VERDICT` and `task NAME VERDICT` (of the first task), verdicts.
    """
    counts: Counter[str] = Counter()
    for suite in range(suites):
        generator = np.random.default_rng([seed, suite, num_seeds, *world.name.encode()])
        entries = draw(world, num_seeds, generator)
        averaged = [str(task) for task in range(world.tasks)]
        questions = [
            Question(task, str(model), name, REFERENCE)
            for task in (*averaged, AVERAGE) for model in range(world.models) for name in world.truths
        ]  # fmt: skip
        if before:
            found = paired_rule(questions, entries, averaged, world.margin)
        else:
            found = judge(questions, sides(entries, averaged), averaged, world.margin)
        wrong: dict[tuple[str, str, str], bool] = {}
        for question, one in zip(questions, found, strict=True):
            average = question.task == AVERAGE
            family = ("", "", "") if average else ("task", question.model, question.label)
            wrong[family] = wrong.get(family, False) or is_wrong(world, question, one, entries)
            if average or question.task == "0":
                counts[f"{'average' if average else 'task'} {question.label} {one.verdict}"] += 1
        counts["averages"] += wrong.pop(("", "", ""))
        counts["tasks"] += sum(wrong.values())
        counts["families"] += len(wrong)
        counts["suites"] += 1
    return counts


SAME = dict.fromkeys(
    ("a", "b", "c", "d", "e"), -6.6
)  # over all runs the level of a reference at 86 that, in a fifth, is at 53
WORLDS = (
    World("no collapse"),
    *(World(f"collapse {rate} in methods", rate, 0.0) for rate in (0.05, 0.2, 0.4)),
    *(World(f"collapse {rate} in reference", 0.0, rate) for rate in (0.05, 0.2, 0.4)),
    *(World(f"collapse {rate} in all", rate, rate) for rate in (0.05, 0.2, 0.4)),
    World("equal means over all runs", 0.0, 0.2, truths=SAME, tasks=1, models=1, margin=1.0),
    World("one task and model", tasks=1, models=1),
    World("one task, collapse 0.2 in all", 0.2, 0.2, tasks=1, models=1),
    World("one task, collapse 0.4 in all", 0.4, 0.4, tasks=1, models=1),
    World("difference on one task", everywhere=False),
    World("lines of other spreads", spreads=(1.0, 4.0, 1.0, 3.0, 6.0)),
    World("cells of other spreads", uneven=0.7),
    World("tasks of 56 to 2000 rows", rows=(300, 56, 2000)),
    World("seeds alike on all tasks", luck=0.25, shared=0.8),
    World("near the trivial score", level=62.0, truths={"none": 0.0, "at": 3.0, "below": -3.0, "far": 10.0}),
    World("near it, collapse 0.2", 0.2, 0.2, level=66.0),
    World("far never trains", untrained=("far",)),
    World("far never trains, 0.2 in all", 0.2, 0.2, untrained=("far",)),
    World("lost runs diverge, 0.4 in methods", 0.4, 0.0, diverges=True),
    World("reference with a seed less", 0.2, 0.2, fewer=1),
    World("all of it", 0.2, 0.2, uneven=0.7, spreads=(1.0, 3.0), rows=(300, 100, 1000)),
)


def line_of(world: World, num_seeds: int, counts: Counter[str]) -> str:
    """A row of the table: percentages of families with a wrong verdict, and of verdicts by true difference."""
    shown = counts["suites"] * world.models
    decided = []
    for kind in ("average", "task"):
        by_name = []
        for name, truth in world.truths.items():
            said = {one: counts[f"{kind} {name} {one}"] for one in ("matches", "better", "worse")}
            texts = [
                f"{sign}{100 * count / shown:.0f}" for sign, count in zip("=><", said.values(), strict=True) if count
            ]
            by_name.append(f"{truth:+g}: {' '.join(texts) or '0'}")
        decided.append("; ".join(dict.fromkeys(by_name)))
    wrong = f"{100 * counts['averages'] / counts['suites']:>9.1f}{100 * counts['tasks'] / counts['families']:>7.1f}"
    return f"{world.name:34}{num_seeds:>5}{wrong}   {decided[0]:44} {decided[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="?", type=int, default=200)
    parser.add_argument("--before", action="store_true", help="by the rule of before: paired by seed, over all seeds")
    parser.add_argument("--worlds", default="", help="those whose name contains this")
    parser.add_argument("--seeds", default="3,5")
    asked = parser.parse_args()
    start = time.perf_counter()
    print(f"{asked.suites} suites each; wrong: % of families with a wrong verdict or more")
    print(f"{'world':34}{'seeds':>5}{'averages':>9}{'tasks':>7}   by true difference: % = matches, > better, < worse")
    for world in WORLDS:
        for num_seeds in map(int, asked.seeds.split(",")) if asked.worlds in world.name else ():
            print(line_of(world, num_seeds, simulate(world, num_seeds, asked.suites, asked.before)), flush=True)
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
