"""Adapters whose ranks are allotted while they train (package `peft`; AdaLoRA, Zhang et al. 2023, arXiv:2303.10512).

Shape legend: n modules whose shapes are alike, r rank, I and O a module's input and output sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.injected import ADAPTER, Injected
from bench.model.row_adapter import RowAdapter
from bench.task import Task


class RankAllocation:
    """The singular values of least importance are set to 0, down to a budget of ranks.

    A schedule over the steps (section 3.3) leaves all ranks alone at first, then lowers the budget, then leaves it
    where it is; `initial` and `final` are the shares of the steps of the first and the last part, where the config's
    own `tinit` and `tfinal`, in steps, do not say it. The numbers are those of PEFT's RankAllocator; no step waits for
    the device.
    """

    def __init__(self, config: Any, weights: Mapping[str, nn.Parameter], initial: float | None, final: float | None):
        self.config, self._initial, self._final = config, initial, final
        self._alike = _alike(weights)
        # one after another as `_importance` takes them apart
        self._weights = [weight for alike in self._alike for part in alike.parts for weight in part]
        self._sensitivity: Tensor | None = None
        self._uncertainty: Tensor | None = None
        self._lost: list[Tensor] = []  # (n, r) of each of the alike, where a rank is lost; empty before any is

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
        norms = []
        for alike in self._alike:
            for products in (_gram(torch.stack(alike.right)), _gram(torch.stack(alike.left).transpose(1, 2))):
                identity = torch.eye(products.shape[-1], device=products.device)
                norms.append(torch.linalg.norm(products - identity, dim=(1, 2)))
        total: Tensor = self.config.orth_reg_weight * torch.cat(norms).mean()
        return total

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Take note of a step's gradients, and allot ranks where the schedule says so."""
        last = self.config.total_step - self.config.tfinal
        if step < last:
            self._note()
        budget = self._budget(step, last)
        if budget is not None:
            self._lost = self._least(budget)
        if budget is not None or step > last:
            for alike, lost in zip(self._alike, self._lost, strict=True):
                for values, of_module in zip(alike.values, lost, strict=True):
                    values.masked_fill_(of_module[:, None], 0.0)

    def _note(self) -> None:
        """Sensitivity |w · ∂w| and its uncertainty, smoothed over the steps (equations 8 to 10)."""
        values = torch.cat([weight.flatten() for weight in self._weights])
        gradients = torch.cat([_gradient(weight).flatten() for weight in self._weights])
        now, config = (values * gradients).abs(), self.config
        if self._sensitivity is None or self._uncertainty is None:
            self._sensitivity, self._uncertainty = torch.zeros_like(now), torch.zeros_like(now)
        self._sensitivity = config.beta1 * self._sensitivity + (1 - config.beta1) * now
        off = (now - self._sensitivity).abs()
        self._uncertainty = config.beta2 * self._uncertainty + (1 - config.beta2) * off

    def _budget(self, step: int, last: int) -> int | None:
        """How many ranks all modules together keep after this step; None where none are allotted (section 3.3)."""
        config = self.config
        if not config.tinit < step <= last or (step < last and step % config.deltaT):
            return None
        num_modules = sum(len(alike.values) for alike in self._alike)
        first, target = sum(self._num_ranks), config.target_r * num_modules
        left = 1 - (step - config.tinit) / (last - config.tinit)
        return int((first - target) * left**3 + target)

    def _least(self, budget: int) -> list[Tensor]:
        """(n, r) of each of the alike: True at the ranks of least importance, all but `budget` of them."""
        assert self._sensitivity is not None
        assert self._uncertainty is not None
        elements = torch.split(self._sensitivity * self._uncertainty, [weight.numel() for weight in self._weights])
        parts, importance = iter(elements), []
        for alike in self._alike:
            right, left, values = (
                torch.stack([next(parts).view_as(weight) for weight in part]) for part in alike.parts
            )  # fmt: skip
            importance.append(values[..., 0] + (right.mean(2) + left.mean(1)))
        ranked = torch.cat([ranks.flatten() for ranks in importance]).sort().values
        threshold = ranked[sum(self._num_ranks) - budget - 1]  # on the device, as it is compared there
        return [ranks <= threshold for ranks in importance]

    @property
    def _num_ranks(self) -> list[int]:
        return [len(values) for alike in self._alike for values in alike.values]


@dataclass(frozen=True)
class _Alike:
    """Modules whose tensors are of equal shapes."""

    right: list[Tensor]  # Q of each, (r, I)
    left: list[Tensor]  # P, (O, r)
    values: list[Tensor]  # Λ, (r, 1)

    @property
    def parts(self) -> Sequence[list[Tensor]]:
        return (self.right, self.left, self.values)


def _alike(weights: Mapping[str, nn.Parameter]) -> list[_Alike]:
    by_shape: dict[tuple[torch.Size, ...], _Alike] = {}
    for name in weights:
        if f".lora_A.{ADAPTER}" in name:
            parts = [weights[name.replace(".lora_A.", f".{part}.")] for part in ("lora_A", "lora_B", "lora_E")]
            alike = by_shape.setdefault(tuple(part.shape for part in parts), _Alike([], [], []))
            for of_module, of_alike in zip(parts, alike.parts, strict=True):
                of_alike.append(of_module)
    return list(by_shape.values())


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def _gram(rows: Tensor) -> Tensor:
    """(n, r, I) -> (n, r, r)."""
    return torch.matmul(rows, rows.transpose(1, 2))


class _Allotted(Attachment):
    """An adapter's part in every step, which is that of its `allocation`."""

    allocation: RankAllocation

    def begin(self, num_steps: int) -> None:
        self.allocation.begin(num_steps)

    def penalty(self) -> Tensor | None:
        return self.allocation.penalty()

    def after_step(self, step: int) -> None:
        self.allocation.after_step(step)


class RankAllocated(_Allotted, Injected):
    """An injected adapter P·Λ·Q whose ranks are allotted (RankAllocation)."""

    def __init__(
        self, backbone: Backbone, task: Task, config: Any, initial: float | None = None, final: float | None = None
    ) -> None:
        super().__init__(backbone, task, config)
        self.allocation = RankAllocation(config, self.weights(), initial, final)


class RowRankAllocated(_Allotted, RowAdapter):
    """The same by row, over a backbone that lanes share."""

    def __init__(
        self, backbone: Backbone, task: Task, config: Any, initial: float | None = None, final: float | None = None
    ) -> None:
        super().__init__(backbone, task, config)
        self.allocation = RankAllocation(config, dict(self.adapter.named_parameters()), initial, final)
