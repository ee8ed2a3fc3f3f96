"""Span: the answer to a question is a piece of a context, or the context has none."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.data.asked_rows import asked_rows, recognised_questions
from bench.data.found import Asked, Found
from bench.data.kind import LayOut, LayoutSpec, ReadRow
from bench.data.located import Located
from bench.data.mapping import Fields
from bench.data.recognised import Recognised
from bench.data.row_fields import blank, example_of, field, sentence, text
from bench.data.squad import is_article
from bench.data.tally import Tally
from bench.data.values import name_of, whole_number
from bench.errors import UsageError
from bench.kind import task_kind
from bench.score.kind import TaskKind
from bench.score.predicted import Prediction
from bench.task import Answer, Example, Task

if TYPE_CHECKING:
    from torch import Tensor

    from bench.data.rows import Item
    from bench.score.answers import ScoredAnswer, Scores
    from bench.score.metric import Metric

BLANK_ANSWER = "an answer without a text, left out"


@task_kind("span")
class Span(TaskKind):
    """A row's fields: `question`, `context`, `answers`: a list of {"text", "start"}, empty when the context has no
    answer.
    """

    metric_names = ("em", "f1")
    has_forms = False
    pairs_texts = True
    reads = "{pooled} for no answer, and every token of the context; columns are start and end"
    reads_tokens = True
    positions_compete = True
    inputs = ("question", "context")
    wants = "a question, its context and the answers in it, as SQuAD has them"

    def recognised(self, found: Found, asked: Asked) -> Recognised | None:
        return recognised_questions(found, asked)

    def has_own_layout(self, row: Mapping[str, Any]) -> bool:
        return is_article(row)

    def mapped(self, task: Task, row: Fields, labelled: bool = True) -> Iterable[Fields]:
        return asked_rows(task.fields, row, labelled)

    def columns(self, num_classes: int) -> int:
        return 2  # start and end

    def mended(self, task: Task, rows: list[Located], repaired: Tally) -> list[Located]:
        """Without the answers that have no text: by them a prediction of nothing would be right."""
        return [_without_blank_answers(row, repaired) for row in rows]

    def reader(self, task: Task) -> ReadRow:
        def read(row: Located, index: int) -> tuple[str, Example]:
            texts = {name: text(task, row, name) for name in self.fields(task)}
            if not texts["context"].strip():
                raise UsageError(f"{row.place}: the context is empty (task {task.name!r})")
            given = _answers(task, row)
            if not given and not task.answerless:
                name = name_of(row.fields.get("idx"))
                which = f" {name!r}" if name else ""
                lacking = f"the question{which} has no answer, which task {task.name!r} does not allow"
                raise UsageError(f"{row.place}: {lacking}")
            answers = tuple(_placed(texts["context"], *answer) for answer in given)
            example = example_of(row, index, texts=texts, answers=answers, labels=(int(bool(answers)),))
            lost = bool(answers) and all(answer.start < 0 for answer in answers)
            return blank(texts, ("question",)) or ("an answer is not in its context" if lost else ""), example

        return read

    def stand_in(self, task: Task, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The first word of the context."""
        words = str(fields.get("context")).split()
        return {"answers": [{"text": words[0], "start": 0}] if words else []}

    def layout(self, task: Task, spec: LayoutSpec) -> LayOut:
        """One item per window of the context."""
        from bench.data.sequences import windows

        return lambda examples: list(windows(spec, examples, task.stride))

    def fields(self, task: Task) -> tuple[str, ...]:
        return "question", "context"

    def made_up(self, task: Task, number: int, words: Sequence[str], rng: random.Random) -> dict[str, Any]:
        before, answer, after = sentence(words, rng), sentence(words, rng, 4), sentence(words, rng)
        context = f"{before} {answer} {after}"
        lacking = task.answerless and number % 3 == 0
        answers = [] if lacking else [{"text": answer, "start": context.index(answer)}]
        return {"question": sentence(words, rng, 4), "context": context, "answers": answers}

    def centre(self, example: Example) -> Mapping[str, int]:
        return {"context": max(0, example.answers[0].start) if example.answers else 0}

    def metrics(self) -> Mapping[str, Metric]:
        from bench.score.text_metrics import text_em, text_f1

        return dict(zip(self.metric_names, (text_em, text_f1), strict=True))

    def right(self, task: Task, example: Example) -> list[str]:
        return list(dict.fromkeys(answer.text for answer in example.answers))

    def named(self, task: Task, example: Example, prediction: Prediction) -> list[str]:
        assert isinstance(prediction, str)
        return [prediction]

    def is_right(self, label: Sequence[str], predicted: Sequence[str]) -> bool | None:
        """Any of the right answers, as SQuAD compares texts, or none where there is none."""
        from bench.score.texts import normalise

        if len(predicted) != 1:
            return list(label) == list(predicted)
        return normalise(predicted[0]) in {normalise(answer) for answer in label or [""]}

    def answer(self, task: Task, example: Example, items: Sequence[Item], scores: Sequence[Scores]) -> ScoredAnswer:
        from bench.score.answers import best_span

        return best_span(task, example, items, scores)

    def prediction(self, answer: ScoredAnswer, null_threshold: float) -> Prediction:
        from bench.score.answers import with_threshold

        return with_threshold(answer, null_threshold)

    def told(self, task: Task, example: Example, answer: ScoredAnswer, prediction: Prediction) -> dict[str, Any]:
        """The text ("" says that there is no answer), its characters in the context, and its probability among the best
        spans. Where a question may have no answer, `null_score` is by how much that scores better than the best span.
        """
        from bench.score.answers import plain

        start, end = answer.places if prediction and answer.places else (None, None)
        share = answer.probabilities[0 if prediction or not task.answerless else -1]
        told = {"prediction": prediction, "start": start, "end": end, "probability": plain(share)}
        margin = answer.null_margin
        return told | ({"null_score": None if margin is None else plain(margin)} if task.answerless else {})

    def trivial(
        self, task: Task, metric: Metric, train: Sequence[Example], scored: Sequence[Example]
    ) -> list[Prediction]:
        """No answer."""
        return [""] * len(scored)

    def item_losses(self, scores: Tensor, given: Tensor, targets: Tensor) -> Tensor:
        from bench.score.losses import competing_losses

        return competing_losses(scores, given, targets)


def _answers(task: Task, row: Located) -> list[tuple[str, int]]:
    """Texts and starts, as the source gives them; an answer without a text is none (see `mended`)."""
    given = field(task, row, "answers")
    answers = []
    for answer in given if isinstance(given, list) else [None]:
        fields = answer if isinstance(answer, dict) else {}
        given_text, start = fields.get("text"), whole_number(fields.get("start"))
        if not isinstance(given_text, str) or start is None:
            expected = 'a list of {"text": …, "start": a number of a character}'
            raise UsageError(f"{row.place}: 'answers' must be {expected} (task {task.name!r})")
        answers.append((given_text, start))
    return answers


def _without_blank_answers(row: Located, repaired: Tally) -> Located:
    given = row.fields.get("answers")
    if not isinstance(given, list):
        return row
    kept = [answer for answer in given if not _is_blank(answer)]
    if len(kept) == len(given):
        return row
    repaired.note(BLANK_ANSWER, row.place, len(given) - len(kept))
    return replace(row, fields={**row.fields, "answers": kept})


def _is_blank(answer: Any) -> bool:
    value = answer.get("text") if isinstance(answer, dict) else None
    return isinstance(value, str) and not value.strip()


def _placed(context: str, answer: str, start: int) -> Answer:
    """The answer at the place nearest to the given one where its text stands; -1 where it stands nowhere."""
    if start < 0 or not context.startswith(answer, start):
        places = [match.start() for match in re.finditer(f"(?={re.escape(answer)})", context)]
        start = min(places, key=lambda place: abs(place - start), default=-1)
    return Answer.model_construct(text=answer, start=start)
