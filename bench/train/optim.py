"""What moves an attachment and its head: optimizer and schedule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers.optimization import get_constant_schedule_with_warmup, get_linear_schedule_with_warmup

from bench.model.attachment import Attachment
from bench.train.adafactor import Adafactor
from bench.tuning import Method


class Optimization:
    """An optimizer with its schedule, and the steps both have taken. Lanes that train one attachment share it."""

    def __init__(self, method: Method, attachment: Attachment, head: nn.Module, num_steps: int) -> None:
        self.optimizer = build_optimizer(method, attachment, head)
        self.schedule = build_schedule(method, self.optimizer, num_steps)
        self.step = 0
        self._clip = method.clip

    def clear(self) -> None:
        """Forget the last step's gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def apply(self, tensors: Iterable[Tensor]) -> None:
        """Clip the gradients of these tensors, and step."""
        torch.nn.utils.clip_grad_norm_(tensors, self._clip)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1


def build_optimizer(method: Method, attachment: Attachment, head: nn.Module) -> Optimizer:
    """AdamW (betas 0.9 / 0.999, eps 1e-8), or Adafactor as in Lester et al. 2021."""
    parts = [parameter for part in (attachment, head) for parameter in part.parameters() if parameter.requires_grad]
    weights = list(attachment.weights().values())
    groups: list[dict[str, Any]] = [
        {"params": list(parameters), "lr": rate} for parameters, rate in attachment.learning_rates()
    ]
    grouped = {id(parameter) for group in groups for parameter in group["params"]}
    for parameters in (weights, parts):  # in front, so that parts come first
        ungrouped = [parameter for parameter in parameters if id(parameter) not in grouped]
        groups.insert(0, {"params": ungrouped, "lr": method.learning_rate})
        grouped.update(map(id, ungrouped))
    groups = [group for group in groups if group["params"]]
    if method.optimizer == "adafactor":
        return Adafactor(groups, lr=method.learning_rate, weight_decay=method.weight_decay)
    return AdamW(groups, lr=method.learning_rate, weight_decay=method.weight_decay)


def build_schedule(method: Method, optimizer: Optimizer, num_steps: int) -> LRScheduler:
    """Linear warm-up over the method's share of the steps, then linear decay to 0 or a constant rate."""
    warmup = round(method.warmup * num_steps)
    if method.schedule == "linear":
        schedule: LRScheduler = get_linear_schedule_with_warmup(optimizer, warmup, num_steps)
    else:
        schedule = get_constant_schedule_with_warmup(optimizer, warmup)
    return schedule
