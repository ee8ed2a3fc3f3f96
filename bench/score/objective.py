"""From a head's scores to a loss and to what is kept of them, as the task's kind has it.

Shape legend: R positions read, C columns of the head, N items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.data.rows import Item
from bench.score.kind import kind_of
from bench.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.batches import ReadPositions


def num_terms(task: Task, item: Item) -> int:
    """How many losses an item brings to the mean of a batch: one, but one per word that is tagged."""
    return kind_of(task).num_terms(item)


def item_scores(task: Task, read: ReadPositions, scores: Tensor) -> tuple[Tensor, list[int]]:
    """From a head's scores (R, C) to those in fp32 that targets are about, and how many belong to each item."""
    return kind_of(task).item_scores(read, scores)


def item_losses(task: Task, scores: Tensor, counts: list[int], items: list[Item]) -> Tensor:
    """The loss of each item, summed over its terms (see num_terms): (N,); `scores`, `counts` are item_scores'."""
    return kind_of(task).item_losses(scores, counts, items)
