"""A finished cell answers new rows of its task: the model as it was trained, loaded once, and rows in chunks.

What is asked for a row is what was asked for each row of the cell's scored split, by the same code; the same rows have
the same answers on the same device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from bench.data.encode import encode
from bench.data.located import Located
from bench.data.tagged_columns import is_of_column_file
from bench.data.tokens import TokenStore
from bench.data.unanswered import Question, Questions
from bench.errors import UsageError
from bench.model.passes import Passes
from bench.predicting.restored import Restored
from bench.score.evaluate import Evaluation, Predictor
from bench.score.kind import kind_of
from bench.score.metrics import score
from bench.score.predicted import Prediction
from bench.task import Example

CHUNK = 4096  # rows that are in memory at once: enough for rows of like lengths to go together
FEW = 64  # a source's rows that are read at once; one may stand for hundreds of questions


class Predicting:
    """The answers to rows, a dict of columns for each. With `scoring` rows have right answers, and are kept.

    When all is answered, `scores` are the task's metrics, `num_cut` how many rows were longer than what the cell reads.
    """

    def __init__(self, restored: Restored, scoring: bool = False) -> None:
        self._restored, self._scoring = restored, scoring
        self.questions = Questions(restored.resolved.task, answered=scoring)
        self.num_rows = self.num_cut = 0
        self._seen: list[tuple[Example, Prediction]] = []

    def answers(self, rows: Iterable[Located]) -> Iterator[dict[str, Any]]:
        """One dict of columns for each row, or for each of the examples that it stands for. UsageError names the row
        that does not fit the task.
        """
        questions = self._read(iter(rows))
        while chunk := list(islice(questions, CHUNK)):
            yield from self._answered(chunk)

    @property
    def scores(self) -> dict[str, float]:
        """The metrics of the task over all rows, each from 0 to 100. UsageError where there was nothing to answer."""
        if not self._seen:
            why = self.questions.no_example.listed()
            raise UsageError(f"there is nothing to score: the rows hold no example{f' ({why})' if why else ''}")
        examples, predictions = [example for example, _ in self._seen], [prediction for _, prediction in self._seen]
        return score(self._restored.resolved.task, examples, predictions)

    def _read(self, rows: Iterator[Located]) -> Iterator[Question]:
        """Column files, and rows that are scored, whole: their tags are told from one another."""
        while some := list(islice(rows, FEW)):
            if self._scoring or is_of_column_file(some[0].fields):
                some += rows
            yield from self.questions.read(some)

    def _answered(self, chunk: Sequence[Question]) -> Iterator[dict[str, Any]]:
        restored, examples = self._restored, [question.example for question in chunk]
        task, kind = restored.resolved.task, kind_of(restored.resolved.task)
        items = encode(task, restored.spec(TokenStore(keeps=False)), examples)
        asked = Evaluation(
            task, restored.prompts, restored.head, items, examples, restored.null_threshold, restored.fixed,
            answered=False,
        )  # fmt: skip
        predictor = Predictor(Passes(restored.backbone, restored.token_budget))  # with this chunk's tables and no other
        (predictions,) = predictor.predict([asked])
        self.num_rows += len(chunk)
        self.num_cut += len({item.example for item in items if item.cut})
        if self._scoring:
            self._seen += zip(examples, predictions.predicted, strict=True)
        answered = zip(chunk, predictions.scored_answers, predictions.predicted, strict=True)
        for question, answer, prediction in answered:
            told = kind.told(task, question.example, answer, prediction)
            kept = {f"input {name}" if name in told and name != "words" else name: value
                    for name, value in question.kept.items()}  # fmt: skip
            yield {**kept, **told}
