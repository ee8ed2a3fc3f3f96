"""Metrics that compare texts with right answers, after SQuAD's normalisation (bench.score.texts)."""

from __future__ import annotations

from bench.score.metric import Array, SumMetric, credits, share
from bench.score.predicted import PredictedRows
from bench.score.texts import exact_match, gold_texts, token_f1
from bench.task import Task


def _golds(rows: PredictedRows) -> list[list[str]]:
    return [gold_texts(right) for right in rows.labels]


def _exact(task: Task, rows: PredictedRows) -> Array:
    said = zip(rows.predicted, rows.once(_golds), strict=True)
    return credits(exact_match(predicted[0], golds) for predicted, golds in said)


def _tokens(task: Task, rows: PredictedRows) -> Array:
    said = zip(rows.predicted, rows.once(_golds), strict=True)
    return credits(token_f1(predicted[0], golds) for predicted, golds in said)


text_em = SumMetric(_exact, share)
"""Exact match: the share of questions whose answer is the text of a right one (SQuAD, ReCoRD)."""
text_f1 = SumMetric(_tokens, share)
"""Mean over questions of the token F1 with the answer that fits best (SQuAD, ReCoRD)."""
