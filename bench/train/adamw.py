"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2) for many lanes at once, as torch's takes a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from bench.train.optim import Segment

BETAS, EPSILON = (0.9, 0.999), 1e-8


class AdamW:
    """Moves the rows of `values` (S, N) by those of `gradients`; every lane has its own learning rate and decay."""

    def __init__(self, segments: Sequence[Segment], values: Tensor, gradients: Tensor) -> None:
        self._values, self._gradients = values, gradients
        self._mean, self._square = torch.zeros_like(values), torch.zeros_like(values)
        self._spans = _spans(segments, values.shape[1])

    def move(self, step: int, factors: Sequence[float], decays: Sequence[float]) -> None:
        """Take a step, the first being 1, at each lane's learning rate times its factor."""
        self._mean.lerp_(self._gradients, 1 - BETAS[0])
        self._square.mul_(BETAS[1]).addcmul_(self._gradients, self._gradients, value=1 - BETAS[1])
        roots = self._square.sqrt().div_(math.sqrt(1 - BETAS[1] ** step)).add_(EPSILON)
        for first, last, base in self._spans:
            rates = [rate * factor for rate, factor in zip(base, factors, strict=True)]
            kept = [1 - rate * decay for rate, decay in zip(rates, decays, strict=True)]
            sizes = [-rate / (1 - BETAS[0] ** step) for rate in rates]
            scales = sent([kept, sizes], self._values.device)
            part = self._values[:, first:last]
            part.mul_(scales[0][:, None])
            part.add_(self._mean[:, first:last] / roots[:, first:last] * scales[1][:, None])


class FusedAdamW:
    """The same for a lane that has the backbone to itself: torch's own, in one kernel and without copies."""

    def __init__(self, segments: Sequence[Segment], values: Tensor, gradients: Tensor) -> None:
        self._spans = _spans(segments, values.shape[1])
        groups = []
        for first, last, _ in self._spans:
            parameter = torch.nn.Parameter(values[0, first:last])
            parameter.grad = gradients[0, first:last]
            groups.append({"params": [parameter]})
        self._optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON, fused=True)

    def move(self, step: int, factors: Sequence[float], decays: Sequence[float]) -> None:
        """Take a step, the first being 1, at the lane's learning rate times its factor."""
        for group, (_, _, rates) in zip(self._optimizer.param_groups, self._spans, strict=True):
            group["lr"], group["weight_decay"] = rates[0] * factors[0], decays[0]
        self._optimizer.step()


def sent(numbers: Sequence[Sequence[float]], device: torch.device) -> Tensor:
    """A small matrix on the device, without waiting for it."""
    matrix = torch.tensor(numbers)
    return matrix.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else matrix.to(device)


def _spans(segments: Sequence[Segment], width: int) -> list[tuple[int, int, tuple[float, ...]]]:
    """Neighbouring segments of the same rates as one: first and last column, and the rates."""
    spans: list[tuple[int, int, tuple[float, ...]]] = []
    for at, segment in enumerate(segments):
        last = segments[at + 1].start if at + 1 < len(segments) else width
        if spans and spans[-1][2] == segment.rates:
            spans[-1] = (spans[-1][0], last, segment.rates)
        else:
            spans.append((segment.start, last, segment.rates))
    return spans
