"""What a kind of task is as a whole: from a head's scores to answers, losses and metrics. Loads no torch, no numpy.

Shape legend: R positions read, C columns of the head, N items.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.data.kind import KindData
from bench.score.predicted import PredictedRows, Prediction
from bench.task import Example, Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.batches import ReadPositions
    from bench.data.rows import Item
    from bench.score.answers import ScoredAnswer, Scores
    from bench.score.metric import Metric


class TaskKind(KindData):
    """A kind of task. Beside the facts (bench.kind) and the reading of rows (bench.data.kind) it is:

    - its objective: `item_scores`, `item_losses` and `num_terms`, each over a whole batch, in fp32, on the device;
    - its answer: `answer` and `prediction`;
    - its predictions as texts, as records and pages have them: `right`, `named`, `is_right`;
    - its metrics, and the `trivial` answer that has learned nothing.
    """

    @abstractmethod
    def metrics(self) -> Mapping[str, Metric]:
        """Those that fit, by name; the names are `metric_names`."""

    @abstractmethod
    def right(self, task: Task, example: Example) -> list[str]:
        """What is right, as text: several where any of them is, none where there is nothing to be said."""

    @abstractmethod
    def named(self, task: Task, example: Example, prediction: Prediction) -> list[str]:
        """A prediction as text, in the form of `right`. Metrics read it, so that it must say all that they ask."""

    @abstractmethod
    def answer(self, task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
        """The answer to an example from all its items and their scores, (positions, C) each."""

    def prediction(self, answer: ScoredAnswer, null_threshold: float) -> Prediction:
        """What an answer says, where no answer must be better than the best one by more than the threshold."""
        return list(answer.labels)

    def kept_probabilities(self, task: Task, answer: ScoredAnswer) -> list[float]:
        """The probabilities of an answer that a record keeps."""
        return list(answer.probabilities)

    @abstractmethod
    def trivial(
        self, task: Task, metric: Metric, train: Sequence[Example], scored: Sequence[Example]
    ) -> list[Prediction]:
        """For each scored example the one answer that does best on train by this metric; of equal ones the first."""

    def is_right(self, label: Sequence[str], predicted: Sequence[str]) -> bool | None:
        """Whether a whole prediction is right, texts being those of `named`; None where it may be near, not right."""
        return same_text(label, predicted)

    def rows(self, task: Task, examples: Sequence[Example], predictions: Sequence[Prediction]) -> PredictedRows:
        """Examples and predictions as text, one of each per example."""
        return PredictedRows(
            [self.right(task, example) for example in examples],
            [self.named(task, example, prediction) for example, prediction in zip(examples, predictions, strict=True)],
            [example.group for example in examples],
            [example.query for example in examples],
        )

    def num_terms(self, item: Item) -> int:
        """How many losses an item brings to the mean of a batch: one, or one per position where classes compete."""
        return 1 if self.positions_compete else len(item.targets)

    def item_scores(self, read: ReadPositions, scores: Tensor) -> tuple[Tensor, list[int]]:
        """From a head's scores (R, C) to those in fp32 that targets are about, and how many belong to each item."""
        return scores.float(), read.per_item

    @abstractmethod
    def item_losses(self, scores: Tensor, counts: list[int], items: Sequence[Item]) -> Tensor:
        """The loss of each item, summed over its terms: (N,); `scores` and `counts` are item_scores'."""


def kind_of(task: Task) -> TaskKind:
    """The task's kind. TypeError for one that lacks what TaskKind asks."""
    kind = task.facts
    if not isinstance(kind, TaskKind):
        raise TypeError(f"kind {task.kind!r} ({type(kind).__module__}) is no bench.score.kind.TaskKind")
    return kind


def same_text(label: Sequence[str], predicted: Sequence[str]) -> bool:
    """Whether the text predicted is one of the right ones; of several or none, whether they are the same."""
    return predicted[0] in label if len(predicted) == 1 else list(label) == list(predicted)
