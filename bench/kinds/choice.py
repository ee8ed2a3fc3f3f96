"""Choice: one of a row's own candidates is right, or several are."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.data.candidates import candidate_row, recognised_candidates
from bench.data.found import Asked, Found
from bench.data.kind import LayOut, LayoutSpec, ReadRow
from bench.data.located import Located
from bench.data.mapping import Fields, text_cell, texts_of
from bench.data.recognised import Recognised
from bench.data.row_fields import blank, example_of, field, fields_of, sentence, text, unknown_value
from bench.data.values import whole_number
from bench.errors import UsageError
from bench.kind import task_kind
from bench.score.kind import TaskKind
from bench.score.predicted import Prediction
from bench.task import CANDIDATE, Answer, Example, Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.rows import Item
    from bench.score.answers import ScoredAnswer, Scores
    from bench.score.metric import Metric

NUM_MADE_UP = 2  # candidates of a made-up row


@task_kind("choice")
class Choice(TaskKind):
    """A row's fields: those of the forms; `choices`: a list of candidates, each a dict of more fields, `choice` among
    them (its text); `label`: the number of the right one, or a list of numbers; `answers`: more texts that are right.
    """

    metric_names = ("accuracy", "em", "f1")
    cloze = "candidates"
    reads = "{whole} of each candidate's row"
    scores_rows = True
    positions_compete = True
    inputs = ("choices",)
    wants = "a question, its candidates (a list, or columns like choice1 and choice2) and which is right"

    def recognised(self, found: Found, asked: Asked) -> Recognised | None:
        return recognised_candidates(found, asked)

    def mapped(self, task: Task, row: Fields, labelled: bool = True) -> Iterable[Fields]:
        texts = {name: text_cell(task.fields, row, name) for name in texts_of(task) if name != CANDIDATE}
        return [candidate_row(task.fields, row, texts, labelled)]

    def columns(self, num_classes: int) -> int:
        return 1  # of each candidate

    def reader(self, task: Task) -> ReadRow:
        names, needed = fields_of(task.plain, task.pattern), self.fields(task)

        def read(row: Located, index: int) -> tuple[str, Example]:
            choices = field(task, row, "choices")
            if (
                not isinstance(choices, list)
                or len(choices) < 2
                or not all(isinstance(fields, dict) for fields in choices)
            ):
                raise UsageError(f"{row.place}: a choice needs a list of at least two candidates (task {task.name!r})")
            theirs = {name for fields in choices for name in fields} | {CANDIDATE}
            texts = {name: text(task, row, name) for name in names if name not in theirs}
            of_each = (CANDIDATE, *(name for name in names if name in theirs))  # what one candidate has, each must have
            candidates = tuple(
                {name: text(task, Located(row.place, fields), name) for name in dict.fromkeys((*of_each, *fields))}
                for fields in choices
            )
            right = _right(task, row, len(choices))
            answers = _listed(task, row)
            labels = tuple(dict.fromkeys(right))
            example = example_of(row, index, texts=texts, choices=candidates, labels=labels, answers=answers)
            lacking = (blank(fields, (CANDIDATE,)) for fields in candidates)
            empty = blank(texts, needed) or next(filter(None, lacking), "")
            return empty or ("" if right else "no candidate is right"), example

        return read

    def layout(self, task: Task, spec: LayoutSpec) -> LayOut:
        """A row for every candidate; those of an example make one item."""
        from bench.data.forms import FormLayout
        from bench.data.rows import Item

        form = FormLayout.of_task(task, spec)

        def lay(examples: Sequence[Example]) -> list[Item]:
            texts = [{**example.texts, **fields} for example in examples for fields in example.choices]
            laid = iter(form.lay(texts))
            items = []
            for number, example in enumerate(examples):
                rows, cuts = zip(*[next(laid) for _ in example.choices], strict=True)
                targets = [int(at in example.labels) for at in range(len(rows))]
                items.append(Item(number, rows, targets, list(range(len(rows))), any(cuts)))
            return items

        return lay

    def made_up(self, task: Task, number: int, words: Sequence[str], rng: random.Random) -> dict[str, Any]:
        texts = {name: sentence(words, rng) for name in fields_of(task.plain, task.pattern) if name != CANDIDATE}
        choices = [{CANDIDATE: sentence(words, rng, 4)} for _ in range(NUM_MADE_UP)]
        return {**texts, "choices": choices, "label": number % NUM_MADE_UP}

    def solved(self, task: Task, example: Example) -> dict[str, str]:
        return {**example.texts, **example.choices[example.labels[0]]}

    def metrics(self) -> Mapping[str, Metric]:
        from bench.score.label_metrics import candidate_accuracy
        from bench.score.text_metrics import text_em, text_f1

        return dict(zip(self.metric_names, (candidate_accuracy, text_em, text_f1), strict=True))

    def right(self, task: Task, example: Example) -> list[str]:
        """The texts of the right candidates, and answers that the example lists besides."""
        texts = [example.choices[at][CANDIDATE] for at in example.labels]
        return list(dict.fromkeys([*texts, *(answer.text for answer in example.answers)])) if example.answers else texts

    def named(self, task: Task, example: Example, prediction: Prediction) -> list[str]:
        assert isinstance(prediction, Sequence)
        return [example.choices[int(at)][CANDIDATE] for at in prediction]

    def answer(self, task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
        from bench.score.answers import ScoredAnswer, softmax

        (of_candidates,) = (values[:, 0] for values in scores)
        texts = tuple(fields[CANDIDATE] for fields in example.choices)
        return ScoredAnswer((int(of_candidates.argmax()),), probabilities=softmax(of_candidates), candidates=texts)

    def told(self, task: Task, example: Example, answer: ScoredAnswer, prediction: Prediction) -> dict[str, Any]:
        """The candidate's text, its number from 0, its probability, and that of each candidate."""
        from bench.score.answers import plain

        (number,) = answer.labels
        shares = [plain(share) for share in answer.probabilities]
        of_each = {"candidates": list(answer.candidates), "probabilities": shares}
        return {"prediction": answer.candidates[number], "choice": number, "probability": shares[number], **of_each}

    def trivial(
        self, task: Task, metric: Metric, train: Sequence[Example], scored: Sequence[Example]
    ) -> list[Prediction]:
        """The same number in every row, the last candidate where a row has fewer."""
        number = self._best_number(task, metric, train)
        return [[min(number, len(example.choices) - 1)] for example in scored]

    def _best_number(self, task: Task, metric: Metric, train: Sequence[Example]) -> int:
        """Every metric of a choice is a mean over examples, so that each (example, candidate) is scored only once.

        Scoring every number on all of train would cost the longest row's candidates for each row; rows have 2 to over
        60.
        """
        import numpy as np

        from bench.score.metric import SumMetric

        assert isinstance(metric, SumMetric)
        counts = [len(example.choices) for example in train]
        pairs = [(example, number) for example, count in zip(train, counts, strict=True) for number in range(count)]
        rows = self.rows(task, [example for example, _ in pairs], [[number] for _, number in pairs])
        credits = metric.combine(metric.terms(task, rows))
        totals = np.zeros(max(counts))
        for scores in np.split(credits, np.cumsum(counts)[:-1]):
            totals[: len(scores)] += scores
            totals[len(scores) :] += scores[-1]
        return int(totals.round(6).argmax())  # rounded: sums that differ by the order of adding alone are ties

    def row_scores(self, scores: Tensor, is_read: Tensor) -> Tensor:
        """The mean over the positions read in a row, e.g. over a candidate's tokens."""
        from bench.model.rows import summed

        counts = is_read.sum(dim=1).clamp(min=1)
        return summed(scores.masked_fill(~is_read[..., None], 0.0)) / counts[:, None]

    def item_losses(self, scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
        from bench.score.losses import competing_losses

        return competing_losses(scores, given, targets)


def _right(task: Task, row: Located, num_choices: int) -> list[int]:
    """The numbers of the right candidates, as the row lists them. UsageError for one that is none."""
    label = field(task, row, "label")
    numbers = [whole_number(at) for at in (label if isinstance(label, list) else [label])]
    right = [at for at in numbers if at is not None and 0 <= at < num_choices]
    if len(right) < len(numbers):
        raise unknown_value(task, row, "label", str(label), list(map(str, range(num_choices))))
    return right


def _listed(task: Task, row: Located) -> tuple[Answer, ...]:
    given = row.fields.get("answers", [])
    if not isinstance(given, list) or not all(isinstance(answer, str) for answer in given):
        raise UsageError(f"{row.place}: a choice's 'answers' must be a list of texts (task {task.name!r})")
    return tuple(Answer.model_construct(text=answer, start=-1) for answer in given)
