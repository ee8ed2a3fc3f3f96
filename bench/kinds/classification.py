"""Classification: a text, or a pair of texts, is of one class."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.data.found import Asked, Column, Found
from bench.data.kind import LayOut, LayoutSpec, ReadRow
from bench.data.located import Located
from bench.data.recognised import MANY_NUMBERS, MOST_CLASSES, Recognised, forms, length_of, text_and_label
from bench.data.row_fields import blank, example_of, field, fields_of, sentence, text, unknown_value
from bench.data.values import finite_number, label_text
from bench.errors import UsageError
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

    metric_names = ("accuracy", "macro_f1", "f1", "f1a", "em", "matthews")
    signed_metrics = ("matthews",)
    cloze = "words"
    wants = "a text, or several, and a label"

    def recognised(self, found: Found, asked: Asked) -> Recognised | None:
        """Any table with texts and a label is: of numbers that are not whole, or many, another kind knows more."""
        texts, label = text_and_label(found, asked)
        fields, plain = forms(texts)
        return Recognised(
            rank=1,
            fields={**fields, "label": label},
            metrics=("accuracy", "macro_f1"),
            label=f"the class in {label!r}",
            plain=plain,
            classes=_classes(found, found.columns[label]),
            max_length=length_of(found, texts),
            notes=tuple(_notes(found.columns[label])),
        )

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

        fitting = (
            labels.class_accuracy, labels.macro_f1, labels.positive_f1, labels.positive_f1, labels.question_em,
            labels.matthews,
        )  # fmt: skip
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


def _classes(found: Found, column: Column) -> tuple[str, ...]:
    """The labels that stand in a column, by the alphabet or as numbers. UsageError where they are none."""
    where, rows = f"{found.source}: label column {column.name!r}", column.num_values
    if not rows:
        raise UsageError(f"{where} is empty in all {len(found.rows)} rows")
    if {"list", "object"} & set(column.types):
        raise UsageError(f"{where} holds lists or objects, like {column.example!r}; a label is a text or a number")
    if column.labels is None or len(column.labels) > max(MANY_NUMBERS, min(MOST_CLASSES, rows // 2)):
        number = "too many" if column.labels is None else str(len(column.labels))
        raise UsageError(
            f"{where} has {number} different values in {rows} rows, like {column.example!r}: are they ids, dates or "
            "free text? Give the column of the classes as --label, or --kind regression for numbers"
        )
    if len(column.labels) < 2:
        (only,) = column.labels
        raise UsageError(f"{where} has one class, {only!r}, in all {rows} rows; there is nothing to tell apart")
    if all(finite_number(name) is not None for name in column.labels):
        return tuple(sorted(column.labels, key=float))
    return tuple(sorted(column.labels))


def _notes(column: Column) -> Iterator[str]:
    """What of the labels a user may not have meant."""
    labels = column.labels or Counter()
    missing = sorted(name for name in labels if name.casefold() in ("nan", "na", "n/a", "null", "none"))
    if missing:
        rows = f"{missing[0]!r} is a class ({labels[missing[0]]} rows)"
        yield f"{rows}; if it means that the label is missing, empty the cell"
    folded = Counter(name.casefold() for name in labels)
    alike = sorted(name for name in labels if folded[name.casefold()] > 1)
    if alike:
        yield f"classes that differ in capitals alone: {', '.join(alike[:6])}"
    if len(column.types) > 1:
        types = (f"{count} × {name}" for name, count in sorted(column.types.items()))
        yield f"labels of several types: {', '.join(types)}"
    few = sorted(name for name, count in labels.items() if count < 5)
    if few:
        shown = ", ".join(f"{name} {labels[name]}" for name in few[:6])
        yield f"{len(few)} of {len(labels)} classes have fewer than 5 rows: {shown}"
