"""Tagging: each word of a sentence has a tag, in BIO."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bench.data.found import Asked, Found
from bench.data.kind import LayOut, LayoutSpec, ReadRow
from bench.data.layout import with_layout
from bench.data.located import Located
from bench.data.mapping import Fields
from bench.data.recognised import Recognised
from bench.data.row_fields import example_of, field, sentence, unknown_value
from bench.data.tagged_columns import is_of_column_file, recognised_tags, tagged_row
from bench.data.tags import to_bio
from bench.data.tally import Tally
from bench.errors import UsageError
from bench.kind import task_kind
from bench.score.class_kind import ClassKind
from bench.score.predicted import Prediction
from bench.task import Example, Task

if TYPE_CHECKING:
    from bench.score.answers import ScoredAnswer
    from bench.score.metric import Metric


@task_kind("tagging")
class Tagging(ClassKind):
    """A row's fields: `words`; `tags`: IOB1, IOB2, BIOES or BILOU, made BIO (IOB2) when read as conlleval reads them;
    `marks`: numbers of words to mark by position.

    Sentences of column files have `columns` and `word_column`, the place of the words among them; `tag_column`, where
    one holds tags of `classes`; `document`, where the file marks documents.
    """

    metric_names = ("accuracy", "macro_f1", "entity_f1", "argument_f1", "argument_f1_with_v")
    has_forms = False
    reads = "the first token of each word"
    reads_tokens = True
    inputs = ("words",)
    wants = "a column file of words and tags, or a column of lists of words and one of their tags"

    def recognised(self, found: Found, asked: Asked) -> Recognised | None:
        return recognised_tags(found, asked)

    def has_own_layout(self, row: Mapping[str, Any]) -> bool:
        return is_of_column_file(row)

    def mapped(self, task: Task, row: Fields, labelled: bool = True) -> Iterable[Fields]:
        return [tagged_row(task.fields, row, labelled)]

    def arranged(self, task: Task, rows: list[Located], answered: bool = True) -> list[Located]:
        if task.is_data:
            return rows
        laid = with_layout(rows, task.classes)
        return laid if answered else [replace(row, fields=_tagged(row.fields, task)) for row in laid]

    def mended(self, task: Task, rows: list[Located], repaired: Tally) -> list[Located]:
        """The rows with their tags in BIO, after a look at the lists of words and tags."""
        for row in rows:
            _check_lists(task, row)
        in_bio = []
        for _, group in groupby(rows, key=lambda row: row.source):
            of_file = list(group)
            tags = to_bio([row.fields["tags"] for row in of_file], _Places(of_file), repaired)
            pairs = zip(of_file, tags, strict=True)
            in_bio += [replace(row, fields={**row.fields, "tags": tags}) for row, tags in pairs]
        return in_bio

    def counted(self, rows: Sequence[Located]) -> str:
        return "propositions" if any("marks" in row.fields for row in rows) else "sentences"

    def reader(self, task: Task) -> ReadRow:
        places = {name: index for index, name in enumerate(task.classes)}

        def read(row: Located, index: int) -> tuple[str, Example]:
            words, tags, marks = row.fields["words"], row.fields["tags"], row.fields.get("marks", [])
            if not isinstance(marks, list) or not all(_is_number(at) and 0 <= at < len(words) for at in marks):
                raise UsageError(f"{row.place}: marks {marks!r} are not all words of a sentence of {len(words)}")
            try:
                labels = tuple([places[tag] for tag in tags])
            except KeyError as error:
                at = tags.index(error.args[0])
                raise unknown_value(task, Located(row.of_word(at), {}), "tag", tags[at], task.classes) from None
            return "", example_of(row, index, words=tuple(words), labels=labels, marks=tuple(marks))

        return read

    def stand_in(self, task: Task, fields: Mapping[str, Any]) -> dict[str, Any]:
        """No entity."""
        words = fields.get("words")
        return {"tags": [task.classes[task.outside]] * len(words)} if isinstance(words, list) else {}

    def layout(self, task: Task, spec: LayoutSpec) -> LayOut:
        from bench.data.sequences import tagged

        return lambda examples: list(tagged(spec, examples))

    def made_up(self, task: Task, number: int, words: Sequence[str], rng: random.Random) -> dict[str, Any]:
        """One word of a sentence, or two, have a tag of the class whose turn it is."""
        outside = task.classes[task.outside]
        tag = task.classes[number % len(task.classes)]
        span = [f"B-{tag[2:]}", tag] if tag.startswith("I-") else [tag]
        texts = sentence(words, rng).split()
        tags = [outside] * len(texts)
        at = rng.randrange(len(texts) - len(span) + 1)
        tags[at : at + len(span)] = span
        return {"words": texts, "tags": tags}

    def metrics(self) -> Mapping[str, Metric]:
        from bench.score import label_metrics as labels

        fitting = (
            labels.tag_accuracy, labels.macro_f1, labels.entity_f1, labels.argument_f1, labels.argument_f1_with_v,
        )  # fmt: skip
        return dict(zip(self.metric_names, fitting, strict=True))

    def is_right(self, label: Sequence[str], predicted: Sequence[str]) -> bool | None:
        return list(label) == list(predicted)

    def kept_probabilities(self, task: Task, answer: ScoredAnswer) -> list[float]:
        """The best class's alone at each word that was read. All of them would be words x classes, gigabytes for a grid
        of semantic roles.
        """
        import numpy as np

        by_word = np.array(answer.probabilities).reshape(-1, len(task.classes))
        return by_word.max(axis=1).tolist()  # type: ignore[no-any-return]

    def told(self, task: Task, example: Example, answer: ScoredAnswer, prediction: Prediction) -> dict[str, Any]:
        """A tag for each word, its probability (None of a word that was cut off), and the spans that the tags make: of
        each its type, text, first word and the word after its last, from 0.
        """
        from bench.score.answers import plain
        from bench.score.spans import spans

        tags = self.named(task, example, prediction)
        shares: list[float | None] = [None] * len(tags)
        for place, share in zip(answer.places, self.kept_probabilities(task, answer), strict=True):
            shares[place] = plain(share)
        found = [
            {"type": name, "text": " ".join(example.words[first : last + 1]), "start": first, "end": last + 1}
            for first, last, name in spans(tags)
        ]
        return {"words": list(example.words), "prediction": tags, "probabilities": shares, "spans": found}

    def trivial(
        self, task: Task, metric: Metric, train: Sequence[Example], scored: Sequence[Example]
    ) -> list[Prediction]:
        """No entity."""
        return [[task.outside] * len(example.labels) for example in scored]


def _tagged(fields: dict[str, Any], task: Task) -> dict[str, Any]:
    """The fields of a source's row; where they are words alone, with a tag of no entity for each."""
    columns, words = fields.get("columns"), fields.get("words", fields.get("tokens"))
    outside = task.classes[task.outside]
    if isinstance(columns, list) and len(columns) == 1:
        return {**fields, "columns": [*columns, [outside] * len(columns[0])]}
    if isinstance(words, list) and not fields.keys() & {"tags", "ner_tags"}:
        return {**fields, "tags": [outside] * len(words)}
    return fields


class _Places:
    """Where a word of a sentence stands."""

    def __init__(self, rows: Sequence[Located]) -> None:
        self._rows = rows

    def __call__(self, number: int, at: int) -> str:
        return self._rows[number].of_word(at)


def _check_lists(task: Task, row: Located) -> None:
    words, tags = field(task, row, "words"), field(task, row, "tags")
    for name, value in (("words", words), ("tags", tags)):
        if not isinstance(value, list) or set(map(type, value)) != {str}:  # faster than isinstance() of each
            raise UsageError(f"{row.place}: {name!r} must be a list of texts that is not empty")
    if len(words) != len(tags):
        raise UsageError(f"{row.place}: {len(words)} words but {len(tags)} tags")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
