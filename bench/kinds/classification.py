"""Classification: a text, or a pair of texts, is of one class."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.data.kind import LayOut, LayoutSpec, ReadRow
from bench.data.located import Located
from bench.data.row_fields import blank, example_of, field, fields_of, sentence, text, unknown_value
from bench.data.values import label_text
from bench.kind import task_kind
from bench.score.class_kind import ClassKind
from bench.score.predicted import Prediction
from bench.task import CANDIDATE, Example, Task

if TYPE_CHECKING:
    from bench.score.answers import ScoredAnswer
    from bench.score.metric import Metric


@task_kind("classification")
class Classification(ClassKind):
    """A row's fields: those of `plain` and `pattern`, and `label`: one of `classes`."""

    metric_names = ("accuracy", "macro_f1", "f1a", "em")
    cloze = "words"

    def reader(self, task: Task) -> ReadRow:
        names, needed = fields_of(task.plain, task.pattern), self.fields(task)
        place_of = _labels(task.classes)

        def read(row: Located, index: int) -> tuple[str, Example]:
            texts = {name: text(task, row, name) for name in names}
            label = label_text(field(task, row, "label"))
            place = place_of(label)
            if place is None:
                raise unknown_value(task, row, "label", label, task.classes)
            return blank(texts, needed), example_of(row, index, texts=texts, labels=(place,))

        return read

    def layout(self, task: Task, spec: LayoutSpec) -> LayOut:
        from bench.data.forms import whole_texts

        return whole_texts(task, spec, lambda example: example.labels)

    def made_up(self, task: Task, number: int, words: Sequence[str], rng: random.Random) -> dict[str, Any]:
        texts = {name: sentence(words, rng) for name in fields_of(task.plain, task.pattern)}
        return {**texts, "label": task.classes[number % len(task.classes)]}

    def solved(self, task: Task, example: Example) -> dict[str, str]:
        return {**example.texts, CANDIDATE: task.words[task.classes[example.labels[0]]]}

    def metrics(self) -> Mapping[str, Metric]:
        from bench.score import label_metrics as labels

        fitting = (labels.class_accuracy, labels.macro_f1, labels.f1a, labels.question_em)
        return dict(zip(self.metric_names, fitting, strict=True))

    def told(self, task: Task, example: Example, answer: ScoredAnswer, prediction: Prediction) -> dict[str, Any]:
        """The class, its probability, and that of each class."""
        from bench.score.answers import plain

        shares = [plain(share) for share in answer.probabilities]
        (name,) = self.named(task, example, prediction)
        of_each = {f"p({other})": share for other, share in zip(task.classes, shares, strict=True)}
        return {"prediction": name, "probability": of_each[f"p({name})"], **of_each}

    def trivial(
        self, task: Task, metric: Metric, train: Sequence[Example], scored: Sequence[Example]
    ) -> list[Prediction]:
        def value(label: int) -> float:
            return metric.score(task, self.rows(task, train, [[label]] * len(train)))

        return [[max(range(len(task.classes)), key=value)]] * len(scored)


def _labels(classes: Sequence[str]) -> Callable[[str], int | None]:
    """Tells the class a label means: capitals aside where that is one class; 0 and 1 are truths, truths are 0 and 1."""
    exact = {name.strip(): place for place, name in enumerate(classes)}
    times = Counter(name.casefold() for name in exact)
    folded = {name.casefold(): place for name, place in exact.items() if times[name.casefold()] == 1}
    for numbers, truths in ((("0", "1"), ("false", "true")), (("false", "true"), ("0", "1"))):
        if {name.casefold() for name in classes} == set(truths):
            folded |= {number: folded[name] for number, name in zip(numbers, truths, strict=True)}
    return lambda label: exact.get(label, folded.get(label.casefold()))
