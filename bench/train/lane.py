"""A cell while it trains: attachment + head + optimizer + its own stream of batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.cell import Cell
from bench.data.context import Context
from bench.data.cutting import Ticket
from bench.data.rows import Item
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.heads import build_head
from bench.model.label_words import LabelWords
from bench.model.prompts import Prompts
from bench.model.searched import Searched
from bench.score.evaluate import Predictions
from bench.seeds import derive
from bench.store.record import CurvePoint
from bench.task import Example, Task
from bench.train.optim import build_optimizer, build_schedule
from bench.tuning import Method


@dataclass(frozen=True)
class LaneData:
    """Items of one cell with the examples they came from. Under protocol `paper`, selection is the dev split.

    A trial has nothing in `scored`.
    """

    train: Sequence[Item]
    selection: Sequence[Item]
    scored: Sequence[Item]
    train_examples: Sequence[Example]
    selection_examples: Sequence[Example]
    scored_examples: Sequence[Example]
    train_left_out: int = 0
    train_repaired: int = 0
    scored_repaired: int = 0
    context: Context = field(default_factory=Context)


@dataclass
class Ledger:
    """What a lane has used so far."""

    tokens: int = 0
    forward_passes: int = 0  # sequences through the backbone while training
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    joint_steps: int = 0
    joint_tokens: int = 0
    joint_seconds: float = 0.0
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

    def __init__(
        self,
        cell: Cell,
        method: Method,
        task: Task,
        backbone: Backbone,
        data: LaneData,
        attachment: Attachment | None = None,  # one that other lanes train too
    ) -> None:
        self.cell, self.method, self.task, self.data = cell, method, task, data
        # initial values come from torch's default generator, seeded for the purpose and then put back; the head has
        # a seed of its own, so that every method starts from the same head
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive("init", cell.stream_seed("init"), "attachment"))
            self.attachment: Attachment = attachment or method.attach(backbone, task).to(backbone.device)
            torch.manual_seed(derive("init", cell.stream_seed("init"), "head"))
            self.head: nn.Module = build_head(method.head, backbone, task, method.num_label_words).to(backbone.device)
        self.status: Literal["running", "done", "failed", "diverged"] = "running"
        self.reason: str | None = None
        self.step = 0
        budget = cell.budget
        self.steps_per_epoch = max(1, math.ceil(len(data.train) / budget.batch_size))
        self.num_steps = (budget.steps or budget.epochs * self.steps_per_epoch) if method.trains else 0
        if method.trains:
            self.attachment.begin(self.num_steps)
        if method.trains and not self.searches:
            self.optimizer = build_optimizer(method, self.attachment, self.head)
            self.schedule = build_schedule(method, self.optimizer, self.num_steps)
        self.ledger = Ledger()
        self.best: Best | None = None
        self.null_threshold: float | None = None  # of "no answer", once the best weights are back
        self._order = torch.Generator().manual_seed(derive("order", cell.stream_seed("order"), cell.task))
        self._queue: list[int] = []
        self.last_loss = math.nan
        self._losses: list[float] = []
        self._leaves = Prompts()
        self._graph = Prompts()
        self._evaluate_at = _evaluation_steps(self.num_steps, self.steps_per_epoch, cell)

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

    def fail(self, status: Literal["failed", "diverged"], reason: str) -> None:
        self.status, self.reason = status, reason

    def training_tensors(self) -> dict[str, nn.Parameter]:
        """Every tensor that should train, by a name a user can follow."""
        own = {f"attachment.{name}": value for name, value in self.attachment.named_parameters()}
        head = {f"head.{name}": value for name, value in self.head.named_parameters()}
        weights = {f"backbone.{name}": value for name, value in self.attachment.weights().items()}
        return {**own, **head, **weights}

    def next_tickets(self, lane_index: int) -> list[Ticket]:
        """The items of the next step, each with the seed of its dropout. The last batch of an epoch may be short."""
        if not self._queue:
            self._queue = torch.randperm(len(self.data.train), generator=self._order).tolist()
        size = self.cell.budget.batch_size
        chosen, self._queue = self._queue[:size], self._queue[size:]
        base = derive("dropout", self.cell.stream_seed("dropout"), self.cell.task, self.step)
        return [Ticket(lane_index, self.data.train[at], base + place) for place, at in enumerate(chosen)]

    def open_step(self) -> Prompts:
        """Make this step's prompts; micro-batches add up gradients in the leaves that are returned."""
        if not self.searches:
            self.optimizer.zero_grad(set_to_none=True)
        self._graph = self.attachment.prompts()
        self._leaves = self._graph.leaves()
        return self._leaves

    def close_step(self, loss: float) -> None:
        """Carry the prompts' gradients to the parameters. The optimizer's step is separate (`apply`)."""
        for whole, leaf in ((self._graph.slots, self._leaves.slots), (self._graph.prefixes, self._leaves.prefixes)):
            if whole is not None and leaf is not None and leaf.grad is not None and whole.requires_grad:
                whole.backward(leaf.grad)  # type: ignore[no-untyped-call]
        self._graph = Prompts()
        self._losses.append(loss)
        self.last_loss = loss

    @property
    def slot_gradient(self) -> Tensor | None:
        """(P, H) the gradient at the slots of the step that was closed last; None without slots."""
        return self._leaves.slots.grad if self._leaves.slots is not None else None

    def apply(self) -> None:
        """Clip and step."""
        torch.nn.utils.clip_grad_norm_(self.training_tensors().values(), self.method.clip)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1

    @property
    def due(self) -> bool:
        """Whether the step just taken is one after which the lane is evaluated."""
        return self.step in self._evaluate_at

    def note(self, found: Predictions) -> None:
        """Add a point to the curve; keep the weights when it is the best so far (the loss decides between equals)."""
        mean_loss = sum(self._losses) / len(self._losses) if self._losses else None
        self._losses.clear()
        self.ledger.curve.append(
            CurvePoint(step=self.step, epoch=round(self.epoch, 3), train_loss=mean_loss, scores=found.scores)
        )
        rank = (found.scores[self.task.main_metric], -found.loss)
        if self.best is None or rank > self.best.rank:
            values = {name: value.detach().clone() for name, value in self.training_tensors().items()}
            self.best = Best(rank, self.step, values, found.null_threshold)

    def return_to_best(self) -> None:
        """Put back the weights of the best point of the curve."""
        if self.best is None:
            return
        with torch.no_grad():
            for name, value in self.training_tensors().items():
                value.copy_(self.best.values[name])
        self.null_threshold = self.best.null_threshold

    def found(self) -> dict[str, Any]:
        """What a person can read of the result: a trigger's tokens, label words that were searched for."""
        return self.attachment.found() | (self.head.found() if isinstance(self.head, LabelWords) else {})

    def stored(self) -> dict[str, Tensor]:
        """What must be kept: finished prompts or changed weights, and the head."""
        with torch.no_grad():
            kept = self.attachment.stored()
        return {**kept, **{f"head.{name}": value.detach().clone() for name, value in self.head.named_parameters()}}


def _evaluation_steps(num_steps: int, steps_per_epoch: int, cell: Cell) -> frozenset[int]:
    """Steps after which a lane is evaluated: every epoch, or `evaluations` evenly spaced ones; always the last."""
    count = cell.budget.evaluations
    if count is None and cell.budget.steps is None:
        return frozenset([*range(steps_per_epoch, num_steps, steps_per_epoch), num_steps])
    count = min(count or 10, num_steps)
    return frozenset(round(num_steps * (at + 1) / count) for at in range(count))
