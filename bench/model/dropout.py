"""Dropout that belongs to a row: drawn from the row's own seed, so that it does not depend on who shares the batch."""

from __future__ import annotations

import torch
from torch import Tensor


def keep_mask(seed: int, rate: float, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Multipliers of the given shape: 0 with probability `rate`, else 1 / (1 - rate)."""
    if not rate:
        return torch.ones(shape, device=device)
    generator = torch.Generator(device=device).manual_seed(seed)
    return torch.empty(shape, device=device).bernoulli_(1 - rate, generator=generator).div_(1 - rate)
