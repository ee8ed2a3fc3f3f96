"""A table's entries as samples: the scores of some seeds, and for each the draws over examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.report.statistics.draws import CellDraws

if TYPE_CHECKING:
    import pandas as pd  # a plan says what seeds can show, and need not wait for it

AVERAGE = "average"  # the task's name in the rows of averages
MAIN = "main"  # the metric's name there
SampleKey = tuple[str, str, str, str, str]  # suite, task, model, label, metric
Samples = Mapping[SampleKey, "Sample"]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Finished seeds of one line on one task, or of its average. S seeds, B draws.

    `scores` (S,); `draws` (S, B), None where there are no predictions to draw from; `num_units` the groups of examples
    drawn from, the fewest of any task; `examples` names them: samples with the same ones are paired. `trivial` is the
    task's trivial score, NaN where nobody knows it; `diverged` and `failed` are seeds that came to no score.
    """

    seeds: tuple[int, ...]
    scores: Array
    draws: Array | None = None
    num_units: int = 0
    examples: frozenset[str] = frozenset()
    trivial: float = math.nan
    diverged: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()

    def take(self, seeds: Sequence[int]) -> Sample:
        """These finished seeds alone, in this order."""
        at = [self.seeds.index(seed) for seed in seeds]
        draws = self.draws[at] if self.draws is not None else None
        return replace(self, seeds=tuple(seeds), scores=self.scores[at], draws=draws)

    @property
    def every_run(self) -> Array:
        """The scores of all runs that came to an end: one that diverged or failed counts as the trivial score.

        Where that is not known, those that finished.
        """
        lost = len(self.diverged) + len(self.failed)
        return np.append(self.scores, np.full(0 if math.isnan(self.trivial) else lost, self.trivial))


def samples(
    frame: pd.DataFrame, averaged: Mapping[str, Sequence[str]], draws: CellDraws | None = None
) -> dict[SampleKey, Sample]:
    """Every entry of a table that has a finished seed, and per suite the averages over its `averaged` tasks.

    Averages go by the names AVERAGE and MAIN; they have the seeds at which every averaged task is finished, and
    means over tasks as scores.
    """
    draws = draws or CellDraws()
    done = frame[frame["score"].notna()].sort_values("seed", kind="stable")
    entries: dict[SampleKey, Sample] = {}
    mains: dict[tuple[str, str, str], dict[str, Sample]] = {}
    lost = _lost(frame)
    for key, rows in done.groupby(["suite", "task", "model", "label", "metric"], sort=True):
        suite, task, model, label, metric = map(str, key)
        sample = replace(
            _finished(rows, metric, draws),
            trivial=float(rows["trivial"].mean()),
            diverged=lost.get((suite, task, model, label, metric, "diverged"), ()),
            failed=lost.get((suite, task, model, label, metric, "failed"), ()),
        )
        entries[suite, task, model, label, metric] = sample
        if rows["main"].iloc[0] and task in averaged.get(suite, ()):
            mains.setdefault((suite, model, label), {})[task] = sample
    for (suite, model, label), of_tasks in mains.items():
        if len(of_tasks) == len(averaged[suite]):
            average = mean_sample([of_tasks[task] for task in averaged[suite]])
            if average.seeds:
                entries[suite, AVERAGE, model, label, MAIN] = average
    return entries


def main_metrics(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    """The main metric by (suite, task)."""
    rows = frame[frame["main"].astype(bool) & (frame["metric"] != "")].drop_duplicates(["suite", "task"])
    return {(str(suite), str(task)): str(metric) for suite, task, metric in zip(
        rows["suite"], rows["task"], rows["metric"], strict=True)}  # fmt: skip


def _lost(frame: pd.DataFrame) -> dict[tuple[str, ...], tuple[int, ...]]:
    """The seeds that diverged or failed, by sample and status."""
    rows = frame[frame["status"].isin(["diverged", "failed"])]
    keys = ["suite", "task", "model", "label", "metric", "status"]
    return {tuple(map(str, key)): tuple(sorted(map(int, seeds))) for key, seeds in rows.groupby(keys)["seed"]}


def _finished(rows: pd.DataFrame, metric: str, of_cells: CellDraws) -> Sample:
    seeds, ids = tuple(map(int, rows["seed"])), list(map(str, rows["id"]))
    scores = rows["score"].to_numpy(dtype=float)
    examples = frozenset(of_cells.examples.get(cell_id, "") for cell_id in ids)
    draws = [of_cells.draws.get((cell_id, metric)) for cell_id in ids]
    known = [draw for draw in draws if draw is not None]
    if len(known) < len(draws) or len(examples) > 1:
        return Sample(seeds, scores)
    return Sample(seeds, scores, np.array(known, dtype=float), of_cells.units[ids[0]], examples)


def mean_sample(parts: Sequence[Sample]) -> Sample:
    """The mean over tasks within a seed, for the seeds that all have."""
    common = sorted(set.intersection(*(set(part.seeds) for part in parts)))
    parts = [part.take(common) for part in parts]
    scores = np.mean([part.scores for part in parts], axis=0)
    known = [part.draws for part in parts if part.draws is not None]
    if len(known) < len(parts):
        return Sample(tuple(common), scores)
    examples = frozenset().union(*(part.examples for part in parts))
    return Sample(tuple(common), scores, np.mean(known, axis=0), min(part.num_units for part in parts), examples)
