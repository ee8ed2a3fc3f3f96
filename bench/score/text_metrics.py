"""Metrics that compare texts with right answers, after SQuAD's normalisation (bench.score.texts)."""

from __future__ import annotations

from bench.score.metric import Array, SumMetric, credits, pairs, share
from bench.score.predicted import PredictedRows
from bench.score.texts import exact_match, gold_texts, token_f1
from bench.task import Task


def _exact(task: Task, rows: PredictedRows) -> Array:
    return credits(exact_match(predicted[0], gold_texts(right)) for right, predicted in pairs(rows))


def _tokens(task: Task, rows: PredictedRows) -> Array:
    return credits(token_f1(predicted[0], gold_texts(right)) for right, predicted in pairs(rows))


text_em = SumMetric(_exact, share)
"""Exact match: the share of questions whose answer is the text of a right one (SQuAD, ReCoRD)."""
text_f1 = SumMetric(_tokens, share)
"""Mean over questions of the token F1 with the answer that fits best (SQuAD, ReCoRD)."""
