"""What a kind of task is as a whole: from a head's scores to answers, losses and metrics. Loads no torch, no numpy.

Shape legend: B rows, K positions read of a row, C columns of the head, I items, V scores of an item.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.data.kind import KindData
from bench.score.predicted import PredictedRows, Prediction
from bench.task import Example, Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.rows import Item
    from bench.score.answers import ScoredAnswer, Scores
    from bench.score.metric import Metric


class TaskKind(KindData):
    """A kind of task. Beside the facts (bench.kind) and the reading of rows (bench.data.kind) it is:

    - its objective: `row_scores`, `item_losses` and `num_terms`, the first two over a whole micro-batch;
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

    def told(self, task: Task, example: Example, answer: ScoredAnswer, prediction: Prediction) -> dict[str, Any]:
        """What somebody who asked is told, by names of columns: `prediction`, and how sure it is."""
        return {"prediction": " ".join(self.named(task, example, prediction)), "probabilities": answer.probabilities}

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
            [example.subset for example in examples] if any(example.subset for example in examples) else (),
        )

    def num_terms(self, item: Item) -> int:
        """How many losses an item brings to the mean of a batch: one, or one per position where classes compete."""
        return 1 if self.positions_compete else len(item.targets)

    def row_scores(self, scores: Tensor, is_read: Tensor) -> Tensor:
        """Where an item `scores_rows`: from a head's scores (B, K, C) in fp32 to those of each row, (B, C)."""
        raise NotImplementedError

    @abstractmethod
    def item_losses(self, scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
        """The loss of each item, summed over its terms: (I,), on the device, without waiting for it.

        `scores` (I, V, C) are in fp32, V being the rows of an item that `scores_rows`, else the positions read of its
        one row; `given` (I, V) tells which are there, `targets` (I, V) what is wanted. The items' losses are added up
        by the caller; an item with nothing given is padding, whose loss must be finite and without a gradient.
        """


def kind_of(task: Task) -> TaskKind:
    """The task's kind. TypeError for one that lacks what TaskKind asks."""
    kind = task.facts
    if not isinstance(kind, TaskKind):
        raise TypeError(f"kind {task.kind!r} ({type(kind).__module__}) is no bench.score.kind.TaskKind")
    return kind


def same_text(label: Sequence[str], predicted: Sequence[str]) -> bool:
    """Whether the text predicted is one of the right ones; of several or none, whether they are the same."""
    return predicted[0] in label if len(predicted) == 1 else list(label) == list(predicted)
