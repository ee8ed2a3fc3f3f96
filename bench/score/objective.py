"""From a head's scores to a loss and to what is kept of them, by what competes with what.

Of classification and tagging the classes compete at each position read. Of choices and spans the positions of an item
compete, in each column: candidates with candidates, and tokens with tokens to be the start and the end.

Shape legend: R positions read, C classes, K columns, N items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from bench.data.batches import Reading
from bench.data.rows import Item
from bench.spec import Task


def num_terms(task: Task, item: Item) -> int:
    """How many losses an item brings to the mean of a batch: one, but one per word that is tagged."""
    return 1 if task.positions_compete else len(item.targets)


def item_scores(task: Task, reading: Reading, scores: Tensor) -> tuple[Tensor, list[int]]:
    """The scores in fp32 that targets are about, and how many of them belong to each item.

    Those of a choice are one per row: the mean over the positions read in it, e.g. over a candidate's tokens.
    """
    scores = scores.float()
    if task.kind != "choice":
        return scores, reading.per_item
    counts = torch.tensor(reading.per_row, device=scores.device)
    owner = torch.repeat_interleave(torch.arange(len(counts), device=scores.device), counts)
    means = scores.new_zeros(len(counts), scores.shape[1]).index_add(0, owner, scores) / counts[:, None]
    return means, [len(ticket.item.rows) for ticket in reading.tickets]


def summed_loss(task: Task, scores: Tensor, items: list[Item], counts: list[int]) -> Tensor:
    """Cross-entropy, summed over the items' terms (see num_terms); `scores` and `counts` are item_scores'."""
    wanted = [target for item in items for target in item.targets]
    targets = torch.tensor(wanted, dtype=torch.long, device=scores.device)  # long where there are none too
    if not task.positions_compete:
        return cross_entropy(scores, targets, reduction="sum")
    return _competing(scores, targets, counts)


def _competing(scores: Tensor, targets: Tensor, counts: list[int]) -> Tensor:
    """Minus the log of the probability of all positions that are right, mean over columns, summed over items.

    `scores` (R, K). An item with no right position in a column (possible only where nothing trains on it) adds 0.
    """
    device, columns = scores.device, scores.shape[1]
    sizes = torch.tensor(counts, device=device)
    item = torch.repeat_interleave(torch.arange(len(counts), device=device), sizes)
    place = torch.arange(len(item), device=device) - (sizes.cumsum(0) - sizes)[item]
    empty = scores.new_full((len(counts), int(max(counts)), columns), -torch.inf)
    log_all = empty.index_put((item, place), scores).logsumexp(dim=1)  # (N, K)
    right = (targets[:, None] >> torch.arange(columns, device=device)) & 1  # (R, K)
    wanted = empty.index_put((item, place), scores.masked_fill(right == 0, -torch.inf))
    known = wanted.amax(dim=1) > -torch.inf  # (N, K)
    # where nothing is right, the sum over all stands in, so that no infinity meets a gradient
    log_right = torch.where(known[:, None, :], wanted, empty.index_put((item, place), scores)).logsumexp(dim=1)
    return (log_all - log_right).mean(dim=1).sum()
