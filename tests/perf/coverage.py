"""How often intervals hold the truth, and how often verdicts are wrong, over simulated grids.

    python tests/perf/coverage.py [2000] [processes]

A grid has a reference and five methods, some seeds, and groups of examples that all score. An answer is right when

    method's quality + this run's seed + group's difficulty + method's gift for the group + noise > 0,

all normal, so that the true accuracy over new seeds and new groups is known in closed form. The methods' true
differences are 0, inside the margin, exactly at it on either side, and outside it. Every grid goes through the report's
own functions from metric terms on: bootstrap, entries, differences, intervals, tests, verdicts (what becomes of them
where runs collapse is tests/perf/verdict_worlds.py). With 2,000 grids a rate
of 95 % has a standard error of 0.5 points. Stated: intervals cover at 95 ± 2 %, and at most 5 % of grids have a wrong
verdict or more.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtri

from bench.report.statistics.bootstrap import bootstrap
from bench.report.statistics.differences import sides
from bench.report.statistics.intervals import estimate, interval
from bench.report.statistics.judging import Question, judge
from bench.report.statistics.samples import Sample
from bench.score.metric import Sums, share

REFERENCE = 70.0  # points
MARGIN = 5.0
SHARED = 50  # neighbouring grids share what the draws of examples are, which is most of the work


@dataclass(frozen=True)
class World:
    """Standard deviations beside the noise's 1; groups of `size` examples that share difficulty and gift."""

    name: str
    seed: float
    difficulty: float
    gift: float
    groups: int = 300
    size: int = 1


WORLDS = (
    World("seeds alike", 0.02, 1.0, 0.3),
    World("seeds and examples", 0.1, 1.0, 0.3),
    World("seeds far apart", 0.25, 1.0, 0.0),
    World("passages of 4", 0.1, 0.7, 0.3, groups=80, size=4),
)
SEEDS = (3, 5, 10)
TRUTHS = {"none": 0.0, "inside": MARGIN / 2, "at +": MARGIN, "at -": -MARGIN, "outside": 3 * MARGIN}
RIGHT = {
    "none": {"matches", "undecided"},
    "inside": {"matches", "better", "undecided"},
    "at +": {"better", "undecided"},
    "at -": {"worse", "undecided"},
    "outside": {"better", "undecided"},
}


def simulate(world: World, num_seeds: int, grids: range) -> Counter[str]:
    """What came of some grids, as counts: `mean NAME`, `difference NAME` intervals that hold the truth, verdicts
    `NAME VERDICT`, and `wrong`: grids with one wrong verdict or more.
    """
    counts: Counter[str] = Counter()
    for grid in grids:
        entries = draw(world, num_seeds, grid)
        reference = entries.pop("reference")
        lines = {("task", "model", name): entry for name, entry in {"reference": reference, **entries}.items()}
        questions = [Question("task", "model", name, "reference") for name in entries]
        judged = judge(questions, sides(lines, ["task"]), ["task"], MARGIN)
        verdicts = [one.verdict for one in judged]
        for (name, entry), one, said in zip(entries.items(), judged, verdicts, strict=True):
            low, high = interval(estimate(entry))
            counts[f"mean {name}"] += low <= REFERENCE + TRUTHS[name] <= high
            low, high = interval(one.difference.tested)
            counts[f"difference {name}"] += low <= TRUTHS[name] <= high
            counts[f"{name} {said}"] += 1
        counts["wrong"] += any(said not in RIGHT[name] for name, said in zip(entries, verdicts, strict=True))
    return counts


def draw(world: World, num_seeds: int, grid: int) -> dict[str, Sample]:
    """One grid's entries, by the names of TRUTHS, and the reference."""
    generator = np.random.default_rng([grid, num_seeds, WORLDS.index(world)])
    spread = np.sqrt(1 + world.seed**2 + world.difficulty**2 + world.gift**2)
    difficulty = generator.normal(0, world.difficulty, world.groups)
    entries = {}
    for name, difference_in_points in {"reference": 0.0, **TRUTHS}.items():
        quality = spread * ndtri((REFERENCE + difference_in_points) / 100)
        of_group = quality + difficulty + generator.normal(0, world.gift, world.groups)
        of_seed = generator.normal(0, world.seed, num_seeds)
        noise = generator.normal(0, 1, (num_seeds, world.groups, world.size))
        right = (of_seed[:, None, None] + of_group[:, None] + noise > 0).sum(axis=2)
        terms = np.stack([right.T, np.full(right.T.shape, world.size)], axis=-1).astype(float)  # (groups, seeds, 2)
        draws = bootstrap(Sums(terms, share), np.arange(len(terms)), f"draws of {grid // SHARED}").T.astype(float)
        scores = share(terms.sum(axis=0))
        examples = frozenset({str(grid)})
        entries[name] = Sample(tuple(range(num_seeds)), scores, draws, world.groups, examples)
    return entries


def main() -> None:
    num_grids = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    start = time.perf_counter()
    print(f"{num_grids} grids each; true differences {TRUTHS}, margin {MARGIN:g}; in % of grids")
    print(f"{'world':20}{'seeds':>6}{'means':>14}{'differences':>14}{'wrong':>7}   verdicts by true difference")
    with ProcessPoolExecutor(processes) as pool:
        for world in WORLDS:
            for num_seeds in SEEDS:
                edges = np.linspace(0, num_grids, processes + 1).astype(int).tolist()
                parts = [range(*ends) for ends in pairwise(edges)]
                counts = sum(
                    pool.map(simulate, *zip(*((world, num_seeds, part) for part in parts), strict=True)), Counter()
                )
                print(_line(world, num_seeds, counts, num_grids), flush=True)
    print(f"{time.perf_counter() - start:.0f} s")


def _line(world: World, num_seeds: int, counts: Counter[str], num_grids: int) -> str:
    share = {key: 100 * count / num_grids for key, count in counts.items()}
    ranges = []
    for what in ("mean", "difference"):
        covered = [share.get(f"{what} {name}", 0.0) for name in TRUTHS]
        ranges.append(f"{min(covered):.1f} to {max(covered):.1f}")
    decided = []
    for name in TRUTHS:
        said = {one: share[f"{name} {one}"] for one in ("matches", "better", "worse") if f"{name} {one}" in share}
        decided.append(f"{name}: " + ", ".join(f"{one} {value:.1f}" for one, value in said.items()))
    columns = f"{world.name:20}{num_seeds:>6}{ranges[0]:>14}{ranges[1]:>14}{share.get('wrong', 0.0):>7.1f}"
    return f"{columns}   {'; '.join(decided)}"


if __name__ == "__main__":
    main()
