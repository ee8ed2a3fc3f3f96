"""Losses of items from scores and targets, each batched over a whole micro-batch.

Sums have one order whatever a micro-batch is padded to, and no kernel takes another way where there is more padding.

Shape legend: I items, V scores of an item, C classes or columns.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.model.rows import summed


def class_losses(scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of the classes at each position, (I, V, C), summed over an item's positions: (I,)."""
    wanted = targets.long().masked_fill(~given, 0)
    losses = cross_entropy(scores.flatten(0, 1), wanted.flatten(), reduction="none").view(given.shape)
    return summed(losses.masked_fill(~given, 0.0))


def squared_losses(scores: Tensor, targets: Tensor) -> Tensor:
    """Squared difference of each item's one score, (I, 1, 1), from the number wanted: (I,)."""
    return (scores[:, 0, 0] - targets[:, 0]).square()


def competing_losses(scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
    """Minus the log of the probability of all positions that are right, mean over columns, of each item: (I,).

    `scores` (I, V, C); bit c of a target is set where column c should point there. An item with no right position in a
    column (possible only where nothing trains on it) adds 0.
    """
    columns = torch.arange(scores.shape[2], device=scores.device)
    right = (((targets.long()[..., None] >> columns) & 1) == 1) & given[..., None]
    right = right.transpose(1, 2)  # (I, C, V)
    beyond = ~given & given.any(dim=1, keepdim=True)  # of padding nothing is left out, so that it stays finite
    by_item = scores.transpose(1, 2).masked_fill(beyond[:, None], -torch.inf)
    known = right.any(dim=2, keepdim=True)
    among_right = by_item.masked_fill(~right & known, -torch.inf)  # where nothing is right all stand in: the loss is 0
    losses = _log_sum(by_item) - _log_sum(among_right)  # (I, C)
    return summed(losses) / losses.shape[1]


def _log_sum(scores: Tensor) -> Tensor:
    """The log of the sum of exponentials over the last dimension. Not torch's, whose order depends on the padding."""
    largest = scores.detach().amax(dim=-1, keepdim=True)
    return summed((scores - largest).exp(), dim=-1).log() + largest[..., 0]
