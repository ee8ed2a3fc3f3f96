"""What moves attachments and their heads: optimizer, schedule and clipping, for many lanes in the same few kernels.

Every lane's parameters, gradients and moments are one row of a matrix, and each lane's own tensors are views into it.
A lane's numbers are those of its row alone: sums over a row have one order, whatever stands beside it.

Shape legend: S lanes, N parameters of a lane (each tensor's followed by zeros up to a multiple of ALIGNED).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.model.attachment import Attachment
from bench.model.rows import summed
from bench.train.adafactor import Adafactor
from bench.train.adamw import AdamW, FusedAdamW
from bench.train.segment import Segment
from bench.tuning import Method

ALIGNED = 4  # numbers; a GPU reads as many at once
TINY = 1e-6  # added to a norm before it divides, as torch's clip_grad_norm_ does


@dataclass(frozen=True)
class Moved:
    """What one lane has that moves: the method whose settings say how, and the modules."""

    method: Method
    attachment: Attachment
    heads: Sequence[nn.Module]
    num_steps: int

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Parameters with the learning rate they begin to be moved by; the backbone's own weights come last."""
        parts = [self.attachment, *self.heads]
        parameters = [parameter for part in parts for parameter in part.parameters() if parameter.requires_grad]
        ungrouped = {id(parameter): parameter for parameter in [*parameters, *self.attachment.weights().values()]}
        groups = []
        for members, rate in self.attachment.learning_rates():
            groups.append(([ungrouped.pop(id(member)) for member in members], rate))
        groups.insert(0, (list(ungrouped.values()), self.method.learning_rate))
        return [group for group in groups if group[0]]


class Optimization:
    """Optimizer and schedules of lanes that are alike, and the steps they have taken."""

    def __init__(self, lanes: Sequence[Moved], apart: bool | None = None) -> None:
        """`apart`: each lane by kernels of its own; by default on a processor, and where the backbone trains."""
        self.lanes, self.step = list(lanes), 0
        self.segments, self.values, self.gradients = _laid(self.lanes)
        rows = [[parameter for members, _ in lane.groups() for parameter in members] for lane in self.lanes]
        self._parts = {id(parameter): part for row in rows for parameter, part in zip(row, self.segments, strict=True)}
        by_itself = bool(self.lanes[0].attachment.weights()) or self.values.device.type == "cpu"
        self._apart = by_itself if apart is None else apart
        adamw = FusedAdamW if self._apart else AdamW
        kind = Adafactor if self.lanes[0].method.optimizer == "adafactor" else adamw
        self._optimizer = kind(self.segments, self.values, self.gradients)
        device = self.values.device
        self._clips = torch.tensor([lane.method.clip for lane in self.lanes], device=device)
        self._decays = [lane.method.weight_decay for lane in self.lanes]

    def part(self, tensor: Tensor) -> Segment | None:
        """The segment that a lane's parameter is in; None for what is none of its parameters."""
        return self._parts.get(id(tensor))

    def clear(self) -> None:
        """Forget the last step's gradients, which stay where they are."""
        self.gradients.zero_()

    def prepare(self, active: Sequence[bool] | None = None) -> None:
        """Before a step: how far it moves each lane; one that is not active stays as it is."""
        moving = [True] * len(self.lanes) if active is None else list(active)
        factors = [
            schedule_factor(lane.method, self.step, lane.num_steps) if moves else 0.0
            for lane, moves in zip(self.lanes, moving, strict=True)
        ]
        decays = [decay if moves else 0.0 for decay, moves in zip(self._decays, moving, strict=True)]
        self.step += 1
        self._optimizer.prepare(self.step, factors, decays)

    @torch.no_grad()
    def move(self) -> None:
        """Clip the gradients, each lane's together, and take the step. Nothing here is of one step alone."""
        if self._apart:  # each lane by itself, and no copies
            norms = torch.stack([torch.linalg.vector_norm(of_lane) for of_lane in self.gradients])
        else:
            norms = summed(self.gradients.square()).sqrt()
        self.gradients *= (self._clips / (norms + TINY)).clamp(max=1.0)[:, None]
        self._optimizer.move()


def schedule_factor(method: Method, step: int, num_steps: int) -> float:
    """By what the learning rate of a step, the first being 0, is multiplied: linear warm-up over the method's share of
    the steps, then linear decay to 0 or a constant rate.
    """
    warmup = round(method.warmup * num_steps)
    if step < warmup:
        return step / max(1, warmup)
    if method.schedule == "constant":
        return 1.0
    return max(0.0, (num_steps - step) / max(1, num_steps - warmup))


def _laid(lanes: Sequence[Moved]) -> tuple[list[Segment], Tensor, Tensor]:
    """Segments, values (S, N) and gradients (S, N); from now on the lanes' parameters are views into these."""
    rows = [[(parameter, rate) for members, rate in lane.groups() for parameter in members] for lane in lanes]
    segments, start = [], 0
    for tensors in zip(*rows, strict=True):
        shape = tensors[0][0].shape
        segments.append(Segment(start, shape, tuple(rate for _, rate in tensors)))
        start += -(-shape.numel() // ALIGNED) * ALIGNED
    device = rows[0][0][0].device
    values = torch.zeros(len(lanes), start, device=device)
    gradients = torch.zeros_like(values)
    with torch.no_grad():
        for at, of_lane in enumerate(rows):
            for segment, (parameter, _) in zip(segments, of_lane, strict=True):
                place = values[at, segment.start : segment.end].view(segment.shape)
                place.copy_(parameter)
                parameter.data = place
                parameter.grad = gradients[at, segment.start : segment.end].view(segment.shape)
    return segments, values, gradients
