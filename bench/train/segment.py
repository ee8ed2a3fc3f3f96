"""Where a tensor of lanes stands in the matrices that an optimizer moves.

Shape legend: S lanes, N parameters of a lane.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """One tensor of every lane: where it stands in a row, its shape, and each lane's learning rate for it."""

    start: int
    shape: torch.Size
    rates: tuple[float, ...]

    @property
    def end(self) -> int:
        return self.start + self.shape.numel()

    def of(self, rows: Tensor) -> Tensor:
        """(S, N) -> (S, *shape)."""
        return rows[:, self.start : self.end].view(len(rows), *self.shape)
