"""The training loop: many lanes over one backbone, from their first step to their best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.cell import Cell
from bench.model.backbone import Backbone
from bench.model.compiled import compile_seconds
from bench.store.record import CurvePoint
from bench.train.lane import Lane
from bench.train.search import find_label_words
from bench.train.training import Training


class Running(Protocol):
    """Of a lane what tells how far it is. `losses_read` is the step whose loss was read last, 0 before the first."""

    @property
    def cell(self) -> Cell: ...
    @property
    def step(self) -> int: ...
    @property
    def num_steps(self) -> int: ...
    @property
    def losses_read(self) -> int: ...
    @property
    def curve(self) -> Sequence[CurvePoint]: ...


@dataclass(frozen=True)
class LaneAt:
    """How far a lane is that trains in another process."""

    cell: Cell
    step: int
    num_steps: int
    losses_read: int
    curve: Sequence[CurvePoint]

    @classmethod
    def of(cls, lane: Running) -> LaneAt:
        return cls(lane.cell, lane.step, lane.num_steps, lane.losses_read, tuple(lane.curve))


@dataclass(frozen=True)
class Progress:
    """What the loop tells after each step: losses are those that were read last."""

    lanes: Sequence[Running]
    losses: Sequence[float]
    tokens: int
    seconds: float


def fit(
    backbone: Backbone, lanes: Sequence[Lane], token_budget: int, tell: Callable[[Progress], None] = lambda _: None
) -> Training:
    """Train every lane to the end of its budget, evaluating along the way; one that trains nothing is evaluated once.

    A lane that diverges or does not train is marked and leaves the loop; the others go on. Lanes end in status
    "done" with their best weights in place, "diverged", or "failed".
    """
    training = Training(backbone, lanes, token_budget)
    _evaluate([lane for lane in lanes if lane.running and not lane.num_steps], training)
    _finish(lanes)
    find_label_words(lanes, training.passes)
    while active := [lane for lane in lanes if lane.running]:
        started = time.perf_counter() - compile_seconds()
        tokens = training.step(active)
        due = training.due(active)
        if due:
            training.read()
        seconds = time.perf_counter() - compile_seconds() - started
        if due:
            training.watches.check(active)
            _evaluate([lane for lane in active if lane.running and lane.due], training)
            _finish(active)
        tell(Progress(active, [lane.last_loss for lane in active], tokens, seconds))
    return training


def _finish(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        if lane.running and lane.step >= lane.num_steps:
            lane.return_to_best()
            lane.status = "done"


def _evaluate(lanes: Sequence[Lane], training: Training) -> None:
    if not lanes:
        return
    started = time.perf_counter() - compile_seconds()
    outcomes = training.predictor.predict([lane.selection() for lane in lanes])
    seconds = time.perf_counter() - compile_seconds() - started
    for lane, predictions in zip(lanes, outcomes, strict=True):
        lane.ledger.evaluate_seconds += seconds / len(lanes)
        if not math.isfinite(predictions.loss):
            lane.fail("diverged", f"the selection loss was {predictions.loss} after step {lane.step}")
            continue
        lane.note(predictions)
