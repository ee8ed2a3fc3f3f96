"""AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2) for many lanes at once, as torch's takes a step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bench.train.segment import Segment

BETAS, EPSILON = (0.9, 0.999), 1e-8


class AdamW:
    """Moves the rows of `values` (S, N) by those of `gradients`; every lane has its own learning rate and decay."""

    def __init__(self, segments: Sequence[Segment], values: Tensor, gradients: Tensor) -> None:
        self._values, self._gradients = values, gradients
        self._mean, self._square = torch.zeros_like(values), torch.zeros_like(values)
        self._spans = _spans(segments, values.shape[1])
        self._scales = Scales(1 + 2 * len(self._spans), len(values), values.device)

    def prepare(self, step: int, factors: Sequence[float], decays: Sequence[float]) -> None:
        """For a step, the first being 1, at each lane's learning rate times its factor."""
        scales = [[math.sqrt(1 - BETAS[1] ** step)] * len(factors)]
        for _, _, base in self._spans:
            rates = [rate * factor for rate, factor in zip(base, factors, strict=True)]
            scales.append([1 - rate * decay for rate, decay in zip(rates, decays, strict=True)])
            scales.append([-rate / (1 - BETAS[0] ** step) for rate in rates])
        self._scales.send(scales)

    def move(self) -> None:
        """Take the step that was prepared."""
        scales = self._scales.values[..., None]
        self._mean.lerp_(self._gradients, 1 - BETAS[0])
        self._square.mul_(BETAS[1]).addcmul_(self._gradients, self._gradients, value=1 - BETAS[1])
        updates = self._mean / self._square.sqrt().div_(scales[0]).add_(EPSILON)
        for at, (first, last, _) in enumerate(self._spans):
            self._values[:, first:last].mul_(scales[1 + 2 * at]).add_(updates[:, first:last] * scales[2 + 2 * at])


class FusedAdamW:
    """The same by torch's own, in one kernel a lane and without copies: for a lane that has the backbone to itself, and
    on a processor, where lanes share no kernel anyway.
    """

    def __init__(self, segments: Sequence[Segment], values: Tensor, gradients: Tensor) -> None:
        self._spans = _spans(segments, values.shape[1])
        self._scales = Scales(len(self._spans), len(values), values.device)
        self._on_gpu = values.device.type == "cuda"
        groups = []
        for at, (first, last, _) in enumerate(self._spans):
            for lane in range(len(values)):
                parameter = torch.nn.Parameter(values[lane, first:last])
                parameter.grad = gradients[lane, first:last]
                groups.append({"params": [parameter], "lr": self._scales.values[at, lane] if self._on_gpu else 0.0})
        self._optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=EPSILON, fused=True, capturable=self._on_gpu)

    def prepare(self, step: int, factors: Sequence[float], decays: Sequence[float]) -> None:
        """For a step, the first being 1, at each lane's learning rate times its factor."""
        rates = [[rate * factor for rate, factor in zip(base, factors, strict=True)] for _, _, base in self._spans]
        self._scales.send(rates)
        of_groups = [(rate, decay) for of_span in rates for rate, decay in zip(of_span, decays, strict=True)]
        for group, (rate, decay) in zip(self._optimizer.param_groups, of_groups, strict=True):
            group["weight_decay"] = decay
            if not self._on_gpu:
                group["lr"] = rate

    def move(self) -> None:
        """Take the step that was prepared."""
        self._optimizer.step()


class Scales:
    """Numbers of a step, (rows, lanes), on the device, where they stay from step to step."""

    def __init__(self, rows: int, lanes: int, device: torch.device) -> None:
        self.values = torch.zeros(rows, lanes, device=device)

    def send(self, numbers: Sequence[Sequence[float]]) -> None:
        """Without waiting for the device."""
        matrix = torch.tensor(numbers)
        on_gpu = self.values.device.type == "cuda"
        self.values.copy_(matrix.pin_memory() if on_gpu else matrix, non_blocking=on_gpu)


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
