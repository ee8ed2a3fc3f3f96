"""What kinds of task have in common in which classes compete: for a whole text, or at each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.score.kind import TaskKind
from bench.score.predicted import Prediction
from bench.task import Example, Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.rows import Item
    from bench.score.answers import ScoredAnswer, Scores


class ClassKind(TaskKind):
    """A kind whose labels and predictions are numbers of the task's classes."""

    needs_classes = True

    def right(self, task: Task, example: Example) -> list[str]:
        return [task.classes[at] for at in example.labels]

    def named(self, task: Task, example: Example, prediction: Prediction) -> list[str]:
        assert isinstance(prediction, Sequence)
        return [task.classes[int(at)] for at in prediction]

    def answer(self, task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
        """The best class at each position; what was not read is outside."""
        from bench.score.answers import labels_at

        return labels_at(task, example, items, scores)

    def item_losses(self, scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy."""
        from bench.score.losses import class_losses

        return class_losses(scores, given, targets)
