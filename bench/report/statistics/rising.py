"""Selection curves, and which still rise where the budget ends: a longer one may change what a table says of lines.

A curve that rises in one seed may be noise, and one that rose early may be level by now. So the last third of the
evaluations is looked at, in all seeds: their slopes must be above 0 by a one-sided t-test at 5 %, the gain must be
worth a point, and the best evaluation must be among the last fifth. One seed has no spread: there Kendall's exact test
is asked whether the last half of the evaluations is in rising order.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kendalltau
from scipy.stats import t as student

from bench.report.read.names import model_names
from bench.report.read.outcomes import Outcome
from bench.report.statistics.samples import AVERAGE

LineKey = tuple[str, str, str, str]  # suite, task, model, label
SIGNIFICANCE = 0.05
LEAST_GAIN = 1.0  # points over the window: less would not change a verdict at the usual margin
FEWEST = 4  # evaluations that a curve must have
MOST_NAMED = 8
LINE_RISES, REFERENCE_RISES = "still rising at its end", "the reference still rising at its end"
MEANING = (
    "Still rising at its end: the selection score gains a point or more over the last third of the evaluations, in all "
    "seeds together beyond their spread (one-sided t-test at 5 %; of one seed the order of the last half, Kendall's "
    "test), and its best is among the last fifth. A longer budget may change such a comparison."
)


@dataclass(frozen=True)
class Rise:
    """What a line still gains: points over its last third (one seed: half) of evaluations, the mean over its seeds."""

    gain: float
    num_seeds: int


@dataclass(frozen=True)
class SelectionCurves:
    """Scores on the rows that steps are chosen on, main metric, 0 to 100: of S seeds at the E steps of evaluations."""

    steps: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]  # (S, E)

    @property
    def num_points(self) -> int:
        return len(self.steps)

    @property
    def means(self) -> tuple[float, ...]:
        """Over the seeds, at each step."""
        return tuple(float(score) for score in np.mean(self.scores, axis=0))


def selection_curves(outcomes: Sequence[Outcome], frame: pd.DataFrame) -> dict[LineKey, SelectionCurves]:
    """The curves of each line by suite, task, model and label as in the `frame` of the outcomes; of its seeds those
    that were evaluated at the steps at which most were.
    """
    cells = zip(frame["id"], frame["suite"], strict=True)
    labels = dict(zip(cells, map(str, frame["label"]), strict=True))
    found: dict[LineKey, list[tuple[tuple[int, ...], tuple[float, ...]]]] = defaultdict(list)
    for outcome in outcomes:
        record, cell = outcome.record, outcome.cell
        label = labels.get((cell.id, cell.suite))
        if label is None or record is None or record.status != "done":
            continue
        points = [(point.step, point.scores[record.main_metric]) for point in record.curve
                  if record.main_metric in point.scores]  # fmt: skip
        found[cell.suite, cell.task, cell.model, label].append(
            (tuple(step for step, _ in points), tuple(score for _, score in points))
        )
    curves = {}
    for line, of_seeds in found.items():
        usual = Counter(steps for steps, _ in of_seeds).most_common(1)[0][0]
        curves[line] = SelectionCurves(usual, tuple(scores for steps, scores in of_seeds if steps == usual))
    return curves


def rising(curves: Mapping[LineKey, SelectionCurves]) -> dict[LineKey, Rise]:
    """The lines that still rise at their end."""
    risen = {line: rise(of_line.scores) for line, of_line in curves.items()}
    return {line: found for line, found in risen.items() if found}


def rise(curves: Sequence[Sequence[float]]) -> Rise | None:
    """What curves (S seeds, E evaluations) of one line still gain, or None where that cannot be told from level."""
    scores = np.array(curves, dtype=float)
    num_seeds, num_points = scores.shape if scores.ndim == 2 else (0, 0)
    if num_points < FEWEST or not np.isfinite(scores).all():
        return None
    if int(scores.mean(axis=0).argmax()) < num_points - math.ceil(num_points / 5):
        return None
    last = scores[:, -math.ceil(num_points / (3 if num_seeds > 1 else 2)) :]
    if last.shape[1] < 3:
        last = scores[:, -3:]
    places = np.arange(last.shape[1]) - (last.shape[1] - 1) / 2
    gains = (last @ places) / (places @ places) * (last.shape[1] - 1)  # least squares, per seed
    gain = float(gains.mean())
    if gain < LEAST_GAIN or _chance(gains, last) > SIGNIFICANCE:
        return None
    return Rise(gain, num_seeds)


def _chance(gains: np.ndarray, last: np.ndarray) -> float:
    """The p-value against: level or falling."""
    if len(gains) == 1:
        return float(kendalltau(np.arange(last.shape[1]), last[0], alternative="greater").pvalue)
    error = float(gains.std(ddof=1)) / math.sqrt(len(gains))
    return float(student.sf(gains.mean() / error, len(gains) - 1)) if error > 0 else 0.0


def noted(compared: pd.DataFrame, rises: Mapping[LineKey, Rise], averaged: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The comparisons (statistics.verdicts) with a note where one of the two lines still rises at its end."""
    if compared.empty or not rises:
        return compared
    notes = []
    for row in compared.to_dict("records"):
        suite, task, model = (str(row[name]) for name in ("suite", "task", "model"))
        parts = []
        for label, words in ((str(row["label"]), LINE_RISES), (str(row["reference"]), REFERENCE_RISES)):
            tasks = [name for name in (averaged[suite] if task == AVERAGE else [task])
                     if (suite, name, model, label) in rises]  # fmt: skip
            if tasks:
                parts.append(words + (f" on {', '.join(tasks)}" if task == AVERAGE else ""))
        notes.append((*row["note"], *parts))
    return compared.assign(note=pd.Series(notes, index=compared.index, dtype=object))


def is_noted(compared: pd.DataFrame) -> bool:
    """Whether any of the comparisons has such a note."""
    return any("still rising" in text for note in compared["note"] for text in note)


def rising_text(rises: Mapping[LineKey, Rise], suite: str) -> tuple[str, ...]:
    """The lines of a suite that still rise, as a note; empty where none does."""
    of_suite = sorted((line, rise) for line, rise in rises.items() if line[0] == suite)
    if not of_suite:
        return ()
    models = model_names(model for (_, _, model, _), _ in of_suite)
    named = [
        f"{label} on {task}" + (f" with {models[model]}" if len(models) > 1 else "") + f" (+{rise.gain:.1f})"
        for (_, task, model, label), rise in sorted(of_suite, key=lambda pair: -pair[1].gain)[:MOST_NAMED]
    ]
    more = f" and {len(of_suite) - MOST_NAMED} more" if len(of_suite) > MOST_NAMED else ""
    return (f"Selection curves that still rise where the budget ends: {', '.join(named)}{more}. {MEANING}",)
