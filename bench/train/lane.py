"""A cell while it trains: attachment + head + optimizer + its own stream of batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.cell import Budget, Cell
from bench.data.rows import Item
from bench.model.backbone import Backbone
from bench.model.label_words import LabelWords
from bench.model.searched import Searched
from bench.resolved import ResolvedCell
from bench.score.evaluate import Evaluation, Predictions
from bench.seeds import derive
from bench.store.record import CurvePoint
from bench.task import Example
from bench.train.run_data import LaneData
from bench.train.start import Start
from bench.train.trainable import Trainable, trainable


@dataclass
class Ledger:
    """What a lane has used so far."""

    tokens: int = 0
    forward_passes: int = 0  # sequences through the backbone while training
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.train_seconds + self.evaluate_seconds


@dataclass(frozen=True)
class Best:
    """The best point of the curve so far."""

    rank: tuple[float, float]  # main metric, minus loss
    step: int
    values: dict[str, Tensor]
    null_threshold: float | None


class Lane:
    """One training run. Everything random comes from the cell's named streams; nothing from its neighbours."""

    def __init__(self, resolved: ResolvedCell, data: LaneData, trained: Trainable, start: Start | None = None) -> None:
        cell = resolved.cell
        self.cell, self.method, self.task, self.data = cell, resolved.method, resolved.task, data
        self.attachment, self.head, self.num_steps = trained.attachment, trained.head, trained.num_steps
        self.start = start
        self.status: Literal["running", "done", "failed", "diverged"] = "running"
        self.reason: str | None = None
        self.step = 0
        self.steps_per_epoch = steps_per_epoch(cell.budget, data)
        self.ledger = Ledger()
        self.best: Best | None = None
        self.null_threshold: float | None = None  # of "no answer", once the best weights are back
        self._order = torch.Generator().manual_seed(derive("order", cell.stream_seed("order"), cell.task))
        self._queue: list[int] = []
        self.last_loss = math.nan
        self.losses_read = 0
        self._losses: list[float] = []
        self._evaluate_at = _evaluation_steps(self.num_steps, self.steps_per_epoch, cell)
        if start is not None and start.trouble is not None:
            self.fail(*start.trouble)

    @classmethod
    def alone(cls, resolved: ResolvedCell, backbone: Backbone, data: LaneData, start: Start | None = None) -> Lane:
        """A lane with an attachment and a head of its own, for the steps of its budget. UsageError as `trainable`."""
        num_steps = budget_steps(resolved.cell.budget, data) if resolved.method.trains else 0
        return cls(resolved, data, trainable(resolved, backbone, num_steps, start), start)

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def searches(self) -> bool:
        """Whether its prompts are searched for (bench.train.search), without an optimizer."""
        return isinstance(self.attachment, Searched)

    @property
    def epoch(self) -> float:
        return self.step / self.steps_per_epoch

    @property
    def curve(self) -> Sequence[CurvePoint]:
        return self.ledger.curve

    def fail(self, status: Literal["failed", "diverged"], reason: str) -> None:
        self.status, self.reason = status, reason

    def training_tensors(self) -> dict[str, nn.Parameter]:
        """Every tensor that should train, by a name a user can follow."""
        added = {f"attachment.{name}": value for name, value in self.attachment.named_parameters()}
        head = {f"head.{name}": value for name, value in self.head.named_parameters()}
        weights = {f"backbone.{name}": value for name, value in self.attachment.weights().items()}
        return {**added, **head, **weights}

    def next_batch(self) -> tuple[list[int], int]:
        """The numbers of the next step's items, and the seed of their dropout; an epoch's last batch may be short."""
        if not self._queue:
            self._queue = torch.randperm(len(self.data.train), generator=self._order).tolist()
        size = self.cell.budget.batch_size
        batch, self._queue = self._queue[:size], self._queue[size:]
        return batch, derive("dropout", self.cell.stream_seed("dropout"), self.cell.task, self.step)

    def saw_loss(self, loss: float) -> None:
        """Keep the loss of a step for the curve."""
        self._losses.append(loss)
        self.last_loss = loss
        self.losses_read += 1

    @property
    def due(self) -> bool:
        """Whether the step just taken is one after which the lane is evaluated."""
        return self.step in self._evaluate_at

    def selection(self) -> Evaluation:
        """What its steps are chosen by."""
        return self._evaluation(self.data.selection, self.data.selection_examples)

    def scored(self) -> Evaluation:
        """What its scores are from; nothing for a trial."""
        return self._evaluation(self.data.scored, self.data.scored_examples)

    def _evaluation(self, items: Sequence[Item], examples: Sequence[Example]) -> Evaluation:
        with torch.no_grad():
            prompts = self.attachment.prompts()
        fixed = not self.attachment.weights()
        return Evaluation(self.task, prompts, self.head, items, examples, self.null_threshold, fixed)

    def note(self, predictions: Predictions) -> None:
        """Add a point to the curve; keep the weights when it is the best so far (the loss decides between equals)."""
        mean_loss = sum(self._losses) / len(self._losses) if self._losses else None
        self._losses.clear()
        self.ledger.curve.append(
            CurvePoint(step=self.step, epoch=round(self.epoch, 3), train_loss=mean_loss, scores=predictions.scores)
        )
        rank = (predictions.scores[self.task.main_metric], -predictions.loss)
        if self.best is None or rank > self.best.rank:
            self.best = Best(rank, self.step, self._kept(), predictions.null_threshold)

    def _kept(self) -> dict[str, Tensor]:
        """The values as they are: in the place of what was kept before, since two copies of a large model would not
        fit, and at the end, which nothing comes after, the tensors themselves.
        """
        values = {name: value.detach() for name, value in self.training_tensors().items()}
        if self.step >= self.num_steps:
            return values
        before = self.best.values if self.best else {}
        return {
            name: before[name].copy_(value) if name in before and before[name].shape == value.shape else value.clone()
            for name, value in values.items()
        }

    def return_to_best(self) -> None:
        """Put back the weights of the best point of the curve."""
        if self.best is None:
            return
        with torch.no_grad():
            for name, value in self.training_tensors().items():
                value.copy_(self.best.values[name])
        self.null_threshold = self.best.null_threshold

    def found(self) -> dict[str, Any]:
        """What a person can read of a lane that is done: a trigger's tokens, label words that were searched for."""
        return self.attachment.found() | (self.head.found() if isinstance(self.head, LabelWords) else {})

    def stored(self) -> dict[str, Tensor]:
        """What must be kept: finished prompts or changed weights, and the head."""
        with torch.no_grad():
            tensors = self.attachment.stored()
        return {**tensors, **{f"head.{name}": value.detach().clone() for name, value in self.head.named_parameters()}}


def steps_per_epoch(budget: Budget, data: LaneData) -> int:
    """Steps that go once through the items a lane trains on."""
    return max(1, math.ceil(len(data.train) / budget.batch_size))


def budget_steps(budget: Budget, data: LaneData) -> int:
    """Steps that a budget gives a lane: its own number, or its epochs."""
    return budget.steps or budget.epochs * steps_per_epoch(budget, data)


def _evaluation_steps(num_steps: int, steps_per_epoch: int, cell: Cell) -> frozenset[int]:
    """Steps after which a lane is evaluated: every epoch, or `evaluations` evenly spaced ones; always the last."""
    count = cell.budget.evaluations
    if count is None and cell.budget.steps is None:
        return frozenset([*range(steps_per_epoch, num_steps, steps_per_epoch), num_steps])
    count = min(count or 10, num_steps)
    return frozenset(round(num_steps * (at + 1) / count) for at in range(count))
