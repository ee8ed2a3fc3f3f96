"""From a head's scores to a loss and to what is kept of them, as the task's kind has it.

Shape legend: B rows, K positions read of a row, I items, V scores of an item, C columns of the head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.data.rows import Item
from bench.score.kind import TaskKind, kind_of
from bench.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.batches import MicroBatch


def num_terms(task: Task, item: Item) -> int:
    """How many losses an item brings to the mean of a batch: one, but one per word that is tagged."""
    return kind_of(task).num_terms(item)


def item_scores(kind: TaskKind, batch: MicroBatch, scores: Tensor) -> tuple[Tensor, Tensor]:
    """From a head's scores (B, K, C) to those that targets are about, (I, V, C) in fp32, and which are there (I, V)."""
    scores = scores.float()
    if kind.scores_rows:
        return kind.row_scores(scores, batch.is_read)[batch.rows], batch.has_row
    return scores, batch.is_read  # every item is a row


def item_losses(kind: TaskKind, batch: MicroBatch, scores: Tensor, given: Tensor) -> Tensor:
    """The loss of each item, summed over its terms (see num_terms): (I,); `scores`, `given` are item_scores'."""
    return kind.item_losses(scores, given, batch.targets)
