"""Metrics that compare labels: classes, candidates, tags."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from bench.score.metric import Array, SumMetric, credits, f1_of, pairs, share
from bench.score.predicted import PredictedRows
from bench.score.spans import Span, spans
from bench.task import Task

WITHOUT_V = frozenset({"V", "C-V"})


def _class_accuracy(task: Task, rows: PredictedRows) -> Array:
    return credits(gold[0] == predicted[0] for gold, predicted in pairs(rows))


def _candidate_accuracy(task: Task, rows: PredictedRows) -> Array:
    return credits(predicted[0] in right for right, predicted in pairs(rows))


def _tag_accuracy(task: Task, rows: PredictedRows) -> Array:
    right = [sum(map(str.__eq__, gold, predicted)) for gold, predicted in pairs(rows)]
    return np.array([right, list(map(len, rows.labels))], dtype=float).T


def _class_counts(task: Task, rows: PredictedRows) -> Array:
    """Per class its hits, predictions and gold labels, over all positions."""
    place = {name: number for number, name in enumerate(task.classes)}
    terms = np.zeros((len(rows.labels), len(task.classes), 3))
    for row, (gold, predicted) in zip(terms, pairs(rows), strict=True):
        for right, label in zip(gold, predicted, strict=True):
            row[place[right], 0] += right == label
            row[place[label], 1] += 1
            row[place[right], 2] += 1
    return terms.reshape(len(terms), -1)


def _mean_class_f1(sums: Array) -> Array:
    per_class = sums.reshape(*sums.shape[:-1], -1, 3)
    mean: Array = f1_of(per_class, nothing=0.0).mean(axis=-1)
    return mean


def _positive_counts(task: Task, rows: PredictedRows) -> Array:
    """(hits, predictions, gold labels) of the positive class, the last of `task.classes`."""
    positive = task.classes[-1]
    gold = np.array([label == positive for (label,) in rows.labels])
    predicted = np.array([label == positive for (label,) in rows.predicted])
    return np.array([gold & predicted, predicted, gold], dtype=float).T


def _positive_f1(sums: Array) -> Array:
    return f1_of(sums, nothing=0.0)


def _correlation(sums: Array) -> Array:
    """Of each class's hits, predictions and gold labels: how predictions and labels go together, -100 to 100.

    With one class it is the covariance of their indicators by the root of both variances; over several classes the sums
    of these (Gorodkin 2004, equation 8). 0 where either side is all of one class.
    """
    hits, predicted, gold = np.moveaxis(sums.reshape(*sums.shape[:-1], -1, 3), -1, 0)
    count = gold.sum(axis=-1)
    covariance = count * hits.sum(axis=-1) - (predicted * gold).sum(axis=-1)
    variances = (count**2 - (predicted**2).sum(axis=-1)) * (count**2 - (gold**2).sum(axis=-1))
    root = np.sqrt(np.where(variances > 0, variances, 1.0))
    scores: Array = np.where(variances > 0, 100 * covariance / root, 0.0)
    return scores


def _question_credits(task: Task, rows: PredictedRows) -> Array:
    """(answered exactly, questions), in the first row of each question."""
    terms = np.zeros((len(rows.labels), 2))
    first: dict[Hashable, int] = {}
    for at, (gold, predicted) in enumerate(pairs(rows)):
        query = rows.queries[at]
        question = first.setdefault(at if query is None else (rows.groups[at], query), at)
        if question == at:
            terms[at] = 1
        if gold[0] != predicted[0]:
            terms[question, 0] = 0
    return terms


def _span_counts(leave_out: frozenset[str]) -> Callable[[Task, PredictedRows], Array]:
    """(spans right in type and both borders, spans predicted, spans in the gold tags), but for these types."""

    def kept(tags: Sequence[str]) -> set[Span]:
        return {span for span in spans(tags) if span[2] not in leave_out}

    def right(rows: PredictedRows) -> list[set[Span]]:
        return [kept(tags) for tags in rows.labels]

    def terms(task: Task, rows: PredictedRows) -> Array:
        both = zip(rows.once(right), map(kept, rows.predicted), strict=True)
        counts = [(len(gold & predicted), len(predicted), len(gold)) for gold, predicted in both]
        return np.array(counts, dtype=float).reshape(-1, 3)

    return terms


def _micro_f1(sums: Array) -> Array:
    return f1_of(sums, nothing=100.0)


class_accuracy = SumMetric(_class_accuracy, share)
"""Share of labels that are right."""
candidate_accuracy = SumMetric(_candidate_accuracy, share)
"""Share of examples whose chosen candidate has the text of a right one."""
tag_accuracy = SumMetric(_tag_accuracy, share)
"""Share of words whose tag is right, over all words alike."""
macro_f1 = SumMetric(_class_counts, _mean_class_f1)
"""Unweighted mean of the classes' F1 over all positions; a class absent from both counts 0 (scikit-learn's default)."""
positive_f1 = SumMetric(_positive_counts, _positive_f1)
"""F1 of the positive class, the last of `task.classes`: `f1` of pairs of texts (MRPC, QQP), and MultiRC's `f1a` over
all answers of all questions.

0 when it occurs neither among the labels nor among the predictions.
"""
matthews = SumMetric(_class_counts, _correlation)
"""Matthews correlation of predicted and right classes, times 100 (CoLA)."""
question_em = SumMetric(_question_credits, share)
"""The share of questions answered exactly: all examples with one `query` (of one `group`) are right (MultiRC). An
example without a query is a question of its own."""
entity_f1 = SumMetric(_span_counts(frozenset()), _micro_f1)
"""Micro-averaged F1 of entities (type and both borders right), as the CoNLL evaluation counts them; with no entity on
either side it is 100."""
argument_f1 = SumMetric(_span_counts(WITHOUT_V), _micro_f1)
"""Micro-averaged F1 of a predicate's arguments: spans of all types but V and C-V, which are the predicate itself.

The predicate is given, so that its spans would only raise the score. A continued argument (C-) is a span of its own,
unlike in the official srl-eval.pl, which joins it to its first piece; scores are near, not equal.
"""
argument_f1_with_v = SumMetric(_span_counts(frozenset()), _micro_f1)
"""The same with V and C-V counted, as some papers report it."""
