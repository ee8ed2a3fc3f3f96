"""From a head's scores to a loss and to what is kept of them, by what competes with what.

Of classification and tagging the classes compete at each position read. Of choices and spans the positions of an item
compete, in each column: candidates with candidates, and tokens with tokens to be the start and the end.

Shape legend: R positions read, C classes, K columns, N items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.data.batches import ReadPositions
from bench.data.cutting import bucket
from bench.data.rows import Item
from bench.task import Task


def num_terms(task: Task, item: Item) -> int:
    """How many losses an item brings to the mean of a batch: one, but one per word that is tagged."""
    return 1 if task.positions_compete else len(item.targets)


def item_scores(task: Task, read: ReadPositions, scores: Tensor) -> tuple[Tensor, list[int]]:
    """The scores in fp32 that targets are about, and how many of them belong to each item.

    Those of a choice are one per row: the mean over the positions read in it, e.g. over a candidate's tokens.
    """
    scores = scores.float()
    if task.kind != "choice":
        return scores, read.per_item
    counts = torch.tensor(read.per_row, device=scores.device)
    return _added(scores, counts) / counts[:, None], [len(ticket.item.rows) for ticket in read.tickets]


def item_losses(task: Task, scores: Tensor, counts: list[int], items: list[Item]) -> Tensor:
    """Cross-entropy of each item, summed over its terms (see num_terms): (N,); `scores`, `counts` are item_scores'."""
    wanted = [target for item in items for target in item.targets]
    targets = torch.tensor(wanted, dtype=torch.long, device=scores.device)  # long where there are none too
    if task.positions_compete:
        return _competing(scores, targets, counts)
    losses = cross_entropy(scores, targets, reduction="none")
    if all(count == 1 for count in counts):
        return losses
    return _added(losses, torch.tensor(counts, device=scores.device))


def summed_loss(task: Task, scores: Tensor, items: list[Item], counts: list[int]) -> Tensor:
    """The items' losses together."""
    return item_losses(task, scores, counts, items).sum()


def _competing(scores: Tensor, targets: Tensor, counts: list[int]) -> Tensor:
    """Minus the log of the probability of all positions that are right, mean over columns, of each item: (N,).

    `scores` (R, K). An item with no right position in a column (possible only where nothing trains on it) adds 0.
    Items of one width at a time, and by softmax over the last dimension, whose kernels take a row as a row: a sum over
    a padded dimension is rounded as the longest neighbour has it.
    """
    starts = [sum(counts[:at]) for at in range(len(counts))]
    widths: dict[int, list[int]] = {}
    for at, count in enumerate(counts):
        widths.setdefault(bucket(count, 4), []).append(at)
    losses: list[Tensor] = []
    for width, alike in widths.items():
        places = torch.tensor([[starts[at] + min(each, counts[at] - 1) for each in range(width)] for at in alike])
        beyond = torch.tensor([[each >= counts[at] for each in range(width)] for at in alike])
        losses += _of_width(scores, targets, places.to(scores.device), beyond.to(scores.device)).unbind()
    order = [at for alike in widths.values() for at in alike]
    return torch.stack([losses[order.index(at)] for at in range(len(counts))] if len(widths) > 1 else losses)


def _of_width(scores: Tensor, targets: Tensor, places: Tensor, beyond: Tensor) -> Tensor:
    """The losses of n items: places (n, W) of their positions among the R, beyond (n, W) where there is none."""
    columns = scores.shape[1]
    own = scores[places].masked_fill(beyond[..., None], -torch.inf).transpose(1, 2)  # (n, K, W)
    right = (targets[places][..., None] >> torch.arange(columns, device=scores.device)) & 1 & ~beyond[..., None]
    right = right.transpose(1, 2) == 1  # (n, K, W)
    known = right.any(dim=2, keepdim=True)
    first = right.int().argmax(dim=2, keepdim=True)
    among_right = own.masked_fill(~right & known, -torch.inf)  # where nothing is right all stand in: the loss is then 0
    # log of the sum over right positions, minus that over all: both relative to the first right one's score
    found = among_right.log_softmax(dim=2).gather(2, first) - own.log_softmax(dim=2).gather(2, first)  # (n, K, 1)
    return torch.stack(found[..., 0].unbind(dim=1)).mean(dim=0)


def _added(values: Tensor, counts: Tensor) -> Tensor:
    """Sums of `counts[i]` values each, in their order: (N,) of (R, …). index_add has no fixed order on a GPU."""
    owner = torch.repeat_interleave(counts)
    return values.new_zeros(len(counts), *values.shape[1:]).index_put((owner,), values, accumulate=True)
