"""Score against what it costs, as numbers: a point per model and line, and which of them no other one beats.

A point is on the Pareto front when no other scores at least as high for at most the same cost, and better in one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.report.read.names import model_names

GIB = 2**30
COSTS = (
    ("stored_parameters", "stored parameters per task", 1, "mean", False),
    ("alone_peak_bytes", "peak memory, GiB", GIB, "max", True),
    ("alone_seconds", "time of a training, s", 1, "mean", False),
)  # column of the frame, what the axis says, its unit, how tasks are put together, whether its axis begins at 0


@dataclass(frozen=True)
class Spot:
    """A model and line with its cost in the panel's unit, and its score with the interval over seeds."""

    model: str
    label: str
    method: str
    cost: float
    score: float
    low: float
    high: float
    size: float  # of the backbone, in parameters; NaN when unknown
    on_front: bool

    @property
    def name(self) -> str:
        return f"{self.model} · {self.label}"


@dataclass(frozen=True)
class CostPanel:
    """One cost. `spots` go by cost, `trivial` is what a constant answer scores; `lacking` have a score and no cost.

    An axis `from_zero` is linear: of memory a share is told from a glance, and a factor of three is not rare.
    """

    x_label: str
    spots: tuple[Spot, ...]
    trivial: float
    lacking: tuple[str, ...]
    from_zero: bool = False


def cost_panels(frame: pd.DataFrame, averages: pd.DataFrame, averaged: Sequence[str]) -> list[CostPanel]:
    """A panel per cost in which at least two points differ; `frame` and `averages` hold one suite.

    Scores are the averages over the `averaged` tasks. Parameters and seconds are means over tasks and seeds, memory is
    the most over them. What is not finished on every averaged task has no point.
    """
    scored = averages[averages["mean"].notna()]
    models = model_names(averages["model"])
    cells = frame[frame["main"].astype(bool) & frame["task"].isin(averaged) & (frame["status"] == "done")]
    trivial = float(averages["trivial"].mean()) if len(averages) else math.nan
    panels = []
    for column, x_label, unit, how, from_zero in COSTS:
        per_task = cells.groupby(["model", "label", "task"])[column].agg(how)
        costs = per_task.groupby(["model", "label"]).agg(how) / unit
        spots, lacking = [], []
        for row in scored.to_dict("records"):
            cost = float(costs.get((row["model"], row["label"]), math.nan))
            score, low, high, size = (float(row[name]) for name in ("mean", "low", "high", "backbone_parameters"))
            spot = Spot(models[row["model"]], row["label"], row["method"], cost, score, low, high, size, False)
            if cost > 0:  # a cost of zero was not measured, and has no place on a logarithmic axis
                spots.append(spot)
            else:
                lacking.append(spot.name)
        if len({spot.cost for spot in spots}) > 1:
            panels.append(CostPanel(x_label, _with_front(spots), trivial, tuple(lacking), from_zero))
    return panels


def front(costs: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """For each point whether it is on the Pareto front of low costs and high scores; equal points both are."""
    points = list(zip(costs, scores, strict=True))
    return [not any(c <= cost and s >= score and (c < cost or s > score) for c, s in points) for cost, score in points]


def _with_front(spots: Sequence[Spot]) -> tuple[Spot, ...]:
    marks = front([spot.cost for spot in spots], [spot.score for spot in spots])
    marked = [replace(spot, on_front=mark) for spot, mark in zip(spots, marks, strict=True)]
    return tuple(sorted(marked, key=lambda spot: (spot.cost, spot.score, spot.name)))
