"""Optimizer, schedule and clipping of a lane whose weights a team of processes divides (bench.model.sharded).

AdamW moves each number by that number's own history, so that a process moves its shards alone; what clips them is the
norm over all processes. Adafactor's means of rows and columns reach across shards: it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.ranks import Ranks
from bench.train.adamw import BETAS, EPSILON
from bench.train.optim import TINY, Moved, schedule_factor
from bench.train.segment import Segment
from bench.tuning import Method


def check_optimizer(method: Method) -> None:
    """UsageError for a method whose optimizer cannot move shards."""
    if method.optimizer != "adamw":
        raise UsageError(
            f"--shard: {method.name} is moved by {method.optimizer}, whose means of rows and columns reach across "
            f"shards; give --set {method.name}.optimizer=adamw, or run it without --shard"
        )


class ShardedOptimization:
    """What bench.train.optim.Optimization is, of one lane: its shards here, and what every process has whole."""

    def __init__(self, lane: Moved, ranks: Ranks) -> None:
        check_optimizer(lane.method)
        self.lanes, self.step = [lane], 0
        self._ranks, self._groups = ranks, lane.groups()
        self._parameters = [parameter for members, _ in self._groups for parameter in members]
        self._optimizer: torch.optim.AdamW | None = None
        self._held: list[nn.Parameter] = []  # what is here of each parameter, in its own memory
        self._factor = 0.0

    def part(self, tensor: Tensor) -> Segment | None:
        """None: nothing of it lies in matrices of lanes."""
        return None

    def clear(self) -> None:
        """Forget the last step's gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def prepare(self, active: Sequence[bool] | None = None) -> None:
        """Before a step: how far it moves the lane."""
        (lane,) = self.lanes
        self._factor = schedule_factor(lane.method, self.step, lane.num_steps)
        self.step += 1

    @torch.no_grad()
    def move(self) -> None:
        """Clip the gradients by the norm of all of them, and take the step."""
        if self._optimizer is None:
            self._optimizer = self._begin()
        for held, parameter in zip(self._held, self._parameters, strict=True):
            held.grad = None if parameter.grad is None else self._ranks.part(parameter.grad)
        shards, replicas = self._gradients(True), self._gradients(False)
        squares = self._ranks.total(_squares(shards, self._held[0].device)) + _squares(replicas, self._held[0].device)
        factor = (self.lanes[0].method.clip / (squares.sqrt() + TINY)).clamp(max=1.0)
        torch._foreach_mul_([*shards, *replicas], factor)
        for group, (_, rate) in zip(self._optimizer.param_groups, self._groups, strict=True):
            group["lr"] = rate * self._factor
        self._optimizer.step()

    def _begin(self) -> torch.optim.AdamW:
        """Made after the first passes, from which on shards stay where they are."""
        self._held = [nn.Parameter(self._ranks.part(parameter)) for parameter in self._parameters]
        held, groups = iter(self._held), []
        for members, rate in self._groups:
            groups.append({"params": [next(held) for _ in members], "lr": rate})
        decay = self.lanes[0].method.weight_decay
        return torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON, weight_decay=decay, fused=True)

    def _gradients(self, divided: bool) -> list[Tensor]:
        pairs = zip(self._held, self._parameters, strict=True)
        of_kind = [held.grad for held, parameter in pairs if self._ranks.divides(parameter) == divided]
        return [gradient for gradient in of_kind if gradient is not None and gradient.numel()]


def _squares(tensors: list[Tensor], device: torch.device) -> Tensor:
    """The sum of the squares of all numbers, without waiting for the device."""
    if not tensors:
        return torch.zeros((), device=device)
    return torch.stack(torch._foreach_norm(tensors)).square().sum()
