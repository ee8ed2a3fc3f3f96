"""Adafactor as prompt tuning was published with it (Lester et al. 2021, appendix; its configuration of t5x).

The rule is Shazeer and Stern 2018 (arXiv:1804.04235), algorithm 4 for large matrices and 5 for everything else, without
momentum and without scaling by the parameter. A matrix is factored only where both of its sides have 128 entries: a
prompt of 100 vectors keeps a second moment for each number. transformers' Adafactor factors every matrix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

SMALLEST_FACTORED = 128  # entries of a side; t5x: min_dim_size_to_factor
DECAY_EXPONENT = 0.8  # the second moment's decay at step t is 1 - t^-0.8
EPSILON = 1e-30  # added to squared gradients
LARGEST_RMS = 1.0  # of an update before it is multiplied by the learning rate


class Adafactor(Optimizer):
    """Steps of lr · g / √v, v the decaying mean of g² or its factors, cut to a root mean square of at most lr.

    `weight_decay` is the share of a parameter lost in each step, whatever the learning rate, as in t5x.
    """

    def __init__(
        self, params: Iterable[nn.Parameter] | Iterable[dict[str, Any]], lr: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["weight_decay"])

    def _move(self, parameter: nn.Parameter, learning_rate: float, weight_decay: float) -> None:
        gradient = parameter.grad.float()  # type: ignore[union-attr]
        state = self.state[parameter]
        if not state:
            state |= _empty(gradient)
        state["step"] += 1
        decay = 1 - state["step"] ** -DECAY_EXPONENT
        update = gradient * _inverse_root(state, gradient.square().add_(EPSILON), decay)
        update /= (_rms(update) / LARGEST_RMS).clamp(min=1.0)
        value = parameter.float() * (1 - weight_decay) - learning_rate * update
        parameter.copy_(value)


def is_factored(shape: torch.Size) -> bool:
    """Whether a tensor of this shape keeps row and column means alone; of more than two sides the last two count."""
    return len(shape) >= 2 and min(shape[-2:]) >= SMALLEST_FACTORED


def _empty(gradient: Tensor) -> dict[str, Any]:
    if not is_factored(gradient.shape):
        return {"step": 0, "square": torch.zeros_like(gradient)}
    return {"step": 0, "rows": torch.zeros_like(gradient[..., :1]), "columns": torch.zeros_like(gradient[..., :1, :])}


def _inverse_root(state: dict[str, Any], squares: Tensor, decay: float) -> Tensor:
    """1/√v after this step's squared gradients have come into the state."""
    if "square" in state:
        return state["square"].lerp_(squares, 1 - decay).rsqrt()  # type: ignore[no-any-return]
    rows = state["rows"].lerp_(squares.mean(dim=-1, keepdim=True), 1 - decay)
    columns = state["columns"].lerp_(squares.mean(dim=-2, keepdim=True), 1 - decay)
    inverse: Tensor = (rows / rows.mean(dim=-2, keepdim=True)).rsqrt() * columns.rsqrt()
    return inverse


def _rms(tensor: Tensor) -> Tensor:
    return tensor.square().mean().sqrt()
