"""Adapters whose ranks are allotted while they train (package `peft`; AdaLoRA, Zhang et al. 2023, arXiv:2303.10512)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.injected import Injected
from bench.task import Task


class RankAllocated(Injected):
    """An injected adapter P·Λ·Q that loses the singular values of least importance, down to a budget of ranks.

    A schedule over the steps (section 3.3) leaves all ranks alone at first, then lowers the budget, then leaves it
    where it is; `initial` and `final` are the shares of the steps of the first and the last part, where the config's
    own `tinit` and `tfinal`, in steps, do not say it.
    """

    def __init__(
        self, backbone: Backbone, task: Task, config: Any, initial: float | None = None, final: float | None = None
    ) -> None:
        super().__init__(backbone, task, config)
        self._initial, self._final = initial, final
        weights = self.weights().items()
        self._right = [weight for name, weight in weights if ".lora_A." in name]  # (rank, in)
        self._left = [weight for name, weight in weights if ".lora_B." in name]  # (out, rank)

    def begin(self, num_steps: int) -> None:
        """UsageError when no step is left between the two parts, or no rank to be lost."""
        config = self.config
        if self._final is not None:
            config.tfinal = max(0, min(round(self._final * num_steps), num_steps - 2))
        last = num_steps - config.tfinal  # the step at which ranks are allotted for good, by what those before it told
        if self._initial is not None:
            config.tinit = max(0, min(round(self._initial * num_steps), last - 1))
        config.total_step = num_steps
        if last <= max(config.tinit, 1):
            raise UsageError(
                f"no step is left to allot ranks in: {config.tinit} at first and {config.tfinal} at last of {num_steps}"
            )
        if config.target_r >= config.init_r:
            raise UsageError(f"target_r={config.target_r} must be less than init_r={config.init_r}")

    def penalty(self) -> Tensor | None:
        """How far P and Q are from orthogonal: the mean of ‖PᵀP − I‖ and ‖QQᵀ − I‖ over all of them (equation 4)."""
        if not self.config.orth_reg_weight:
            return None
        products = [q @ q.T for q in self._right] + [p.T @ p for p in self._left]
        norms = [torch.linalg.norm(product - torch.eye(len(product), device=product.device)) for product in products]
        total: Tensor = self.config.orth_reg_weight * torch.stack(norms).mean()
        return total

    def after_step(self, step: int) -> None:
        self._tuner[0].update_and_allocate(step)
