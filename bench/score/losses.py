"""Losses of items from scores and targets, each batched over a whole micro-batch.

Shape legend: R positions read, C classes, K columns, N items.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.data.cutting import bucket
from bench.data.rows import Item


def class_losses(scores: Tensor, counts: list[int], items: Sequence[Item]) -> Tensor:
    """Cross-entropy of the classes at each position, (R, C), summed over an item's positions: (N,)."""
    losses = cross_entropy(scores, _targets(items, torch.long, scores), reduction="none")
    if all(count == 1 for count in counts):
        return losses
    return added(losses, torch.tensor(counts, device=scores.device))


def squared_losses(scores: Tensor, items: Sequence[Item]) -> Tensor:
    """Squared difference of each item's one score, (R, 1) with R = N, from the number wanted: (N,)."""
    return (scores[:, 0] - _targets(items, scores.dtype, scores)).square()


def competing_losses(scores: Tensor, counts: list[int], items: Sequence[Item]) -> Tensor:
    """Minus the log of the probability of all positions that are right, mean over columns, of each item: (N,).

    `scores` (R, K). An item with no right position in a column (possible only where nothing trains on it) adds 0.
    Items of one width at a time, and by softmax over the last dimension, whose kernels take a row as a row: a sum over
    a padded dimension is rounded as the longest neighbour has it.
    """
    targets = _targets(items, torch.long, scores)
    starts = [sum(counts[:at]) for at in range(len(counts))]
    widths: dict[int, list[int]] = {}
    for at, count in enumerate(counts):
        widths.setdefault(bucket(count, 4), []).append(at)
    losses: list[Tensor] = []
    for width, alike in widths.items():
        places = torch.tensor([[starts[at] + min(number, counts[at] - 1) for number in range(width)] for at in alike])
        beyond = torch.tensor([[number >= counts[at] for number in range(width)] for at in alike])
        losses += _of_width(scores, targets, places.to(scores.device), beyond.to(scores.device)).unbind()
    order = [at for alike in widths.values() for at in alike]
    return torch.stack([losses[order.index(at)] for at in range(len(counts))] if len(widths) > 1 else losses)


def _of_width(scores: Tensor, targets: Tensor, places: Tensor, beyond: Tensor) -> Tensor:
    """The losses of n items: places (n, W) of their positions among the R, beyond (n, W) where there is none."""
    columns = scores.shape[1]
    by_item = scores[places].masked_fill(beyond[..., None], -torch.inf).transpose(1, 2)  # (n, K, W)
    right = (targets[places][..., None] >> torch.arange(columns, device=scores.device)) & 1 & ~beyond[..., None]
    right = right.transpose(1, 2) == 1  # (n, K, W)
    known = right.any(dim=2, keepdim=True)
    first = right.int().argmax(dim=2, keepdim=True)
    among_right = by_item.masked_fill(~right & known, -torch.inf)  # where nothing is right all stand in: the loss is 0
    # log of the sum over right positions, minus that over all: both relative to the first right one's score
    losses = among_right.log_softmax(dim=2).gather(2, first) - by_item.log_softmax(dim=2).gather(2, first)  # (n, K, 1)
    return torch.stack(losses[..., 0].unbind(dim=1)).mean(dim=0)


def added(values: Tensor, counts: Tensor) -> Tensor:
    """Sums of `counts[i]` values each, in their order: (N,) of (R, …). index_add has no fixed order on a GPU."""
    owner = torch.repeat_interleave(counts)
    return values.new_zeros(len(counts), *values.shape[1:]).index_put((owner,), values, accumulate=True)


def _targets(items: Sequence[Item], dtype: torch.dtype, scores: Tensor) -> Tensor:
    """(R,) what is wanted; of this type where there are none too."""
    wanted = [target for item in items for target in item.targets]
    return torch.tensor(wanted, dtype=dtype, device=scores.device)
