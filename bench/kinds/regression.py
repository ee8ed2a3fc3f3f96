"""Regression: a text, or a pair of texts, has a number."""

from __future__ import annotations

import random
import warnings
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import fsum
from typing import TYPE_CHECKING, Any

from bench.data.found import Asked, Found
from bench.data.kind import LayOut, LayoutSpec, ReadRow
from bench.data.located import Located
from bench.data.recognised import MANY_NUMBERS, Recognised, forms, length_of, text_and_label
from bench.data.row_fields import blank, example_of, field, sentence, text
from bench.data.tally import Tally
from bench.data.values import finite_number
from bench.errors import UsageError
from bench.kind import task_kind
from bench.score.kind import TaskKind
from bench.score.predicted import Prediction
from bench.task import Example, Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.rows import Item
    from bench.score.answers import ScoredAnswer, Scores
    from bench.score.metric import Metric

LARGE = 10.0  # labels beyond it are far from what heads begin with and learning rates are made for
HIGHEST = 5.0  # of the numbers that large ones are trained as, from 0
NUM_STRATA = 10  # of about as many train rows each: a slice held out has the same numbers as the rest


@task_kind("regression")
class Regression(TaskKind):
    """A row's fields: those of `plain`, and `label`: a finite number, or text that reads as one.

    The head has one column, and the loss is the squared difference from the label in the label's own unit, as the field
    fine-tunes STS-B (0 to 5): neither labels nor scores are standardised by the train rows, so that the head says the
    number itself, but for a task with `origin` and `unit`, whose loss counts in that unit from there. Another whose
    numbers are far from that range is warned of, and should bring them there in its `rows`.
    There is no cloze form: a method that needs one is skipped, another takes the linear head.
    """

    metric_names = ("pearson", "spearman")
    signed_metrics = metric_names
    wants = "a text, or several, and a number"

    def recognised(self, found: Found, asked: Asked) -> Recognised | None:
        """Where the label is a number that is not whole, or one of more than 20; fewer whole ones may be classes."""
        texts, label = text_and_label(found, asked)
        column = found.columns[label]
        if not column.is_numbers:
            return None
        whole = column.labels is not None and all(float(text).is_integer() for text in column.labels)
        many = not whole or len(column.labels or ()) > MANY_NUMBERS
        fields, plain = forms(texts)
        return Recognised(
            rank=2 if many else 0,
            fields={**fields, "label": label},
            metrics=("pearson", "spearman"),
            label=f"the number in {label!r}",
            plain=plain,
            max_length=length_of(found, texts),
        )

    def settled(self, task: Task, train: Sequence[Example]) -> Task:
        """Large numbers of a user's own are trained on as 0 to 5: heads and learning rates are made for such."""
        values = [_value(example) for example in train]
        if max(map(abs, values)) <= LARGE:
            return task
        lowest, highest = min(values), max(values)
        return task.model_copy(update={"origin": lowest, "unit": (highest - lowest) / HIGHEST or 1.0})

    def columns(self, num_classes: int) -> int:
        return 1

    def mended(self, task: Task, rows: list[Located], repaired: Tally) -> list[Located]:
        """The rows as they are; a warning where their numbers are large, since the loss would be."""
        numbers = (finite_number(row.fields.get("label")) for row in rows)
        largest = max((abs(number) for number in numbers if number is not None), default=0.0)
        if largest > LARGE and not task.is_data:
            hint = "the loss is its square; `rows` of the task can bring them to about 0 to 5"
            warnings.warn(f"task {task.name!r}: a label is as large as {largest:g}, and {hint}", stacklevel=2)
        return rows

    def reader(self, task: Task) -> ReadRow:
        names = self.fields(task)

        def read(row: Located, index: int) -> tuple[str, Example]:
            texts = {name: text(task, row, name) for name in names}
            label = field(task, row, "label")
            value = finite_number(label)
            if value is None:
                raise UsageError(f"{row.place}: label {label!r} is no finite number (task {task.name!r})")
            return blank(texts, names), example_of(row, index, texts=texts, labels=(), value=value)

        return read

    def layout(self, task: Task, spec: LayoutSpec) -> LayOut:
        from bench.data.forms import whole_texts

        return whole_texts(task, spec, lambda example: ((_value(example) - task.origin) / task.unit,))

    def made_up(self, task: Task, number: int, words: Sequence[str], rng: random.Random) -> dict[str, Any]:
        return {**{name: sentence(words, rng) for name in self.fields(task)}, "label": float(number % 6)}

    def strata(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Tenths of the rows by their numbers, equal ones together."""
        values = sorted(map(_value, examples))
        cuts = [values[len(values) * part // NUM_STRATA] for part in range(1, NUM_STRATA)]
        return [(bisect_right(cuts, _value(example)),) for example in examples]

    def metrics(self) -> Mapping[str, Metric]:
        from bench.score.correlations import pearson, spearman

        return dict(zip(self.metric_names, (pearson, spearman), strict=True))

    def right(self, task: Task, example: Example) -> list[str]:
        return [repr(_value(example))]

    def named(self, task: Task, example: Example, prediction: Prediction) -> list[str]:
        assert isinstance(prediction, float)
        return [repr(prediction)]

    def is_right(self, label: Sequence[str], predicted: Sequence[str]) -> bool | None:
        """A number is near, not right."""
        return None

    def answer(self, task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
        from bench.score.answers import ScoredAnswer

        (score,) = (values[0, 0] for values in scores)
        value = float(str(score))  # the shortest text that gives the same single-precision number
        return ScoredAnswer(value=value * task.unit + task.origin)

    def prediction(self, answer: ScoredAnswer, null_threshold: float) -> Prediction:
        assert answer.value is not None
        return answer.value

    def told(self, task: Task, example: Example, answer: ScoredAnswer, prediction: Prediction) -> dict[str, Any]:
        """The number."""
        return {"prediction": prediction}

    def trivial(
        self, task: Task, metric: Metric, train: Sequence[Example], scored: Sequence[Example]
    ) -> list[Prediction]:
        """The mean of the train rows. A constant correlates with nothing: both metrics give it 0."""
        return [fsum(map(_value, train)) / len(train)] * len(scored)

    def item_losses(self, scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
        from bench.score.losses import squared_losses

        return squared_losses(scores, targets)


def _value(example: Example) -> float:
    assert example.value is not None
    return example.value
