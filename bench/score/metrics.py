"""Metrics: scores from 0 to 100, each a function of sums over examples.

A metric is two functions. `terms` gives each example K numbers (right and counted; a class's hits, predictions and gold
labels; ...), `combine` turns sums of them into the score. A score, and a score of resampled examples, are then the same
formula over other sums, so that a bootstrap cannot measure anything but the metric itself.

A prediction is, by the task's kind: classification, choice: a list with one number, of a class or candidate; tagging: a
list of class numbers, one per word; span: the text found, "" for no answer. There is at least one example. A metric
reads it as text, as predictions.parquet has it. N examples, K terms.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray

from bench.errors import unknown
from bench.score.spans import spans
from bench.score.texts import exact_match, gold_texts, token_f1
from bench.task import Example, Kind, Task

Prediction = Sequence[int] | str  # the prediction for one example
Array = NDArray[np.float64]
WITHOUT_V = frozenset({"V", "C-V"})


@dataclass(frozen=True)
class Rows:
    """Examples with what was said of them, a list each: the columns of predictions.parquet that metrics read.

    `labels` are the right class, a tag per word, the right candidates' texts, or answers' texts (none: no answer);
    `predicted` is in the same form, "" says "no answer".
    """

    labels: Sequence[Sequence[str]]
    predicted: Sequence[Sequence[str]]
    groups: Sequence[str | None]
    queries: Sequence[str | None]


@dataclass(frozen=True)
class Metric:
    """`terms(task, rows)`: (N, K); `combine(sums)`: scores of sums of terms, (..., K) -> (...).

    The terms of one example stand in its own row, those of a question that several examples answer together in the
    row of the first of them; whoever resamples must keep groups, and questions without a group, whole.
    """

    terms: Callable[[Task, Rows], Array]
    combine: Callable[[Array], Array]
    kinds: frozenset[Kind]

    def __call__(self, task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> float:
        """The score, from 0 to 100, of predictions for examples."""
        sums = [fsum(column) for column in self.terms(task, rows_of(task, examples, found)).T]  # exact in any order
        return float(self.combine(np.array(sums)))


def score(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> dict[str, float]:
    """Every metric of the task. UsageError as `metrics_of`."""
    return {name: metric(task, examples, found) for name, metric in metrics_of(task).items()}


def metrics_of(task: Task) -> dict[str, Metric]:
    """The task's metrics by name. UsageError names one that is none or not for a task of this kind."""
    fitting = {name: metric for name, metric in _METRICS.items() if task.kind in metric.kinds}
    for name in task.metrics:
        if name not in fitting:
            raise unknown(f"metric of a {task.kind} task", name, fitting, f"Task {task.name!r} asks for it.")
    return {name: fitting[name] for name in task.metrics}


def find_metric(name: str) -> Metric:
    """The metric of that name. UsageError when there is none."""
    if name not in _METRICS:
        raise unknown("metric", name, _METRICS)
    return _METRICS[name]


def rows_of(task: Task, examples: Sequence[Example], found: Sequence[Prediction]) -> Rows:
    """Examples and predictions as text."""
    return Rows(
        [wanted(task, example) for example in examples],
        [named(task, example, said) for example, said in zip(examples, found, strict=True)],
        [example.group for example in examples],
        [example.query for example in examples],
    )


def wanted(task: Task, example: Example) -> list[str]:
    """What is right, as text; of a choice the right candidates, and answers that it lists besides."""
    right = named(task, example, example.labels) if task.kind != "span" else []
    return list(dict.fromkeys([*right, *(each.text for each in example.answers)])) if example.answers else right


def named(task: Task, example: Example, said: Prediction) -> list[str]:
    """A prediction as text."""
    if isinstance(said, str):
        return [said]
    if task.kind == "choice":
        return [example.choices[at]["choice"] for at in said]
    return [task.classes[at] for at in said]


def _accuracy(task: Task, rows: Rows) -> Array:
    """(right, counted): labels that are right, over all positions; of a choice, candidates with a right one's text."""
    if task.kind == "choice":
        return _credits(said[0] in right for right, said in _pairs(rows))
    if task.kind == "classification":
        return _credits(gold[0] == said[0] for gold, said in _pairs(rows))
    right = [sum(map(str.__eq__, gold, said)) for gold, said in _pairs(rows)]
    return np.array([right, list(map(len, rows.labels))], dtype=float).T


def _macro_f1(task: Task, rows: Rows) -> Array:
    """Per class its hits, predictions and gold labels, over all positions."""
    place = {name: number for number, name in enumerate(task.classes)}
    terms = np.zeros((len(rows.labels), len(task.classes), 3))
    for row, (gold, said) in zip(terms, _pairs(rows), strict=True):
        for one, other in zip(gold, said, strict=True):
            row[place[one], 0] += one == other
            row[place[other], 1] += 1
            row[place[one], 2] += 1
    return terms.reshape(len(terms), -1)


def _mean_class_f1(sums: Array) -> Array:
    """Unweighted mean of the classes' F1, a class absent from both counting 0 (scikit-learn's default)."""
    per_class = sums.reshape(*sums.shape[:-1], -1, 3)
    mean: Array = _f1(per_class, nothing=0.0).mean(axis=-1)
    return mean


def _f1a(task: Task, rows: Rows) -> Array:
    """(hits, predictions, gold labels) of the positive class, the last of `task.classes`."""
    positive = task.classes[-1]
    gold = np.array([label == positive for (label,) in rows.labels])
    said = np.array([label == positive for (label,) in rows.predicted])
    return np.array([gold & said, said, gold], dtype=float).T


def _em(task: Task, rows: Rows) -> Array:
    """(answered exactly, questions), in the first row of each question.

    Classification (MultiRC): all examples with one `query` (of one `group`) are right; an example without a query is a
    question of its own. Choice (ReCoRD) and span (SQuAD): the text is that of an answer, after SQuAD's normalisation.
    """
    if task.kind != "classification":
        return _credits(exact_match(said[0], gold_texts(right)) for right, said in _pairs(rows))
    terms = np.zeros((len(rows.labels), 2))
    first: dict[Hashable, int] = {}
    for at, (gold, said) in enumerate(_pairs(rows)):
        query = rows.queries[at]
        question = first.setdefault(at if query is None else (rows.groups[at], query), at)
        if question == at:
            terms[at] = 1
        if gold[0] != said[0]:
            terms[question, 0] = 0
    return terms


def _token_f1(task: Task, rows: Rows) -> Array:
    """(token F1 with the answer that fits best, questions) (SQuAD, ReCoRD)."""
    return _credits(token_f1(said[0], gold_texts(right)) for right, said in _pairs(rows))


def _spans(leave_out: frozenset[str]) -> Callable[[Task, Rows], Array]:
    """(spans right in type and both borders, spans predicted, spans in the gold tags), but for these types."""

    def terms(task: Task, rows: Rows) -> Array:
        found = np.zeros((len(rows.labels), 3))
        for row, pair in zip(found, _pairs(rows), strict=True):
            gold, said = ({span for span in spans(tags) if span[2] not in leave_out} for tags in pair)
            row[:] = len(gold & said), len(said), len(gold)
        return found

    return terms


def _credits(credits: Iterable[float]) -> Array:
    given = np.fromiter(credits, dtype=float)
    return np.stack([given, np.ones_like(given)], axis=1)


def _pairs(rows: Rows) -> Iterable[tuple[Sequence[str], Sequence[str]]]:
    return zip(rows.labels, rows.predicted, strict=True)


def _share(sums: Array) -> Array:
    """From sums of (credit from 0 to 1, counted)."""
    shares: Array = 100 * sums[..., 0] / sums[..., 1]
    return shares


def _f1(sums: Array, nothing: float) -> Array:
    """Of (hits, predicted, gold): 2 · hits / (predicted + gold); `nothing` (0 to 100) where there is neither."""
    both = sums[..., 1] + sums[..., 2]
    scores: Array = np.divide(200 * sums[..., 0], both, out=np.full(both.shape, nothing), where=both > 0)
    return scores


def _micro_f1(sums: Array) -> Array:
    return _f1(sums, nothing=100.0)


def _positive_f1(sums: Array) -> Array:
    return _f1(sums, nothing=0.0)


def _kinds(*kinds: Kind) -> frozenset[Kind]:
    return frozenset(kinds)


accuracy = Metric(_accuracy, _share, _kinds("classification", "choice", "tagging"))
"""Share of labels that are right, over all positions; of a choice, of candidates that are among the right ones."""
macro_f1 = Metric(_macro_f1, _mean_class_f1, _kinds("classification", "tagging"))
"""Unweighted mean of the classes' F1, a class absent from both counting 0 (scikit-learn's default)."""
f1a = Metric(_f1a, _positive_f1, _kinds("classification"))
"""F1 of the positive class, the last of `task.classes`, over all answers of all questions (MultiRC's F1a).

0 when it occurs neither among the labels nor among the predictions.
"""
em = Metric(_em, _share, _kinds("classification", "choice", "span"))
"""Exact match: the share of questions that are answered exactly."""
f1 = Metric(_token_f1, _share, _kinds("choice", "span"))
"""Mean over questions of the token F1 with the answer that fits best (SQuAD, ReCoRD)."""
entity_f1 = Metric(_spans(frozenset()), _micro_f1, _kinds("tagging"))
"""Micro-averaged F1 of entities (type and both borders right), as the CoNLL evaluation counts them; with no entity on
either side it is 100."""
argument_f1 = Metric(_spans(WITHOUT_V), _micro_f1, _kinds("tagging"))
"""Micro-averaged F1 of a predicate's arguments: spans of all types but V and C-V, which are the predicate itself.

The predicate is given, so that its spans would only raise the score. A continued argument (C-) is a span of its own,
unlike in the official srl-eval.pl, which joins it to its first piece; scores are near, not equal.
"""
argument_f1_with_v = Metric(_spans(frozenset()), _micro_f1, _kinds("tagging"))
"""The same with V and C-V counted, as some papers report it."""

_METRICS = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "f1a": f1a,
    "em": em,
    "f1": f1,
    "entity_f1": entity_f1,
    "argument_f1": argument_f1,
    "argument_f1_with_v": argument_f1_with_v,
}
