"""Predictions on items: the same micro-batches as training, without gradients or dropout."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from bench.data.batches import collate
from bench.data.cutting import Ticket
from bench.data.rows import Item
from bench.model.backbone import Backbone
from bench.model.company import micro_batches
from bench.model.heads import lane_scores
from bench.model.prompts import Prompts
from bench.score.answers import ScoredAnswer, Scores
from bench.score.kind import kind_of
from bench.score.metrics import score
from bench.score.objective import item_losses, item_scores, num_terms
from bench.score.predicted import Prediction
from bench.score.texts import best_null_threshold
from bench.task import Example, Task


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What is asked, and what answers it: the items of some examples, and a lane's prompts and head as they are now.

    Without a `null_threshold` the best one for these examples is taken; it is one of the things that are chosen on the
    selection slice.
    """

    task: Task
    prompts: Prompts
    head: nn.Module
    items: Sequence[Item]
    examples: Sequence[Example]
    null_threshold: float | None = None


@dataclass(frozen=True)
class Predictions:
    """Per example the answer and what is predicted by it; scores, mean loss, and the threshold of "no answer" used."""

    scored_answers: list[ScoredAnswer]
    predicted: list[Prediction]
    loss: float
    scores: dict[str, float]
    null_threshold: float | None


@torch.no_grad()
def predict(backbone: Backbone, evaluations: Sequence[Evaluation], token_budget: int) -> list[Predictions]:
    """The predictions of each. All their rows share the queue."""
    prompts = [evaluation.prompts for evaluation in evaluations]
    heads = [evaluation.head for evaluation in evaluations]
    tickets = [Ticket(index, item) for index, evaluation in enumerate(evaluations) for item in evaluation.items]
    scores: list[dict[int, Scores]] = [{} for _ in evaluations]  # by the item's id
    losses: list[dict[int, float]] = [{} for _ in evaluations]
    for cut in micro_batches(backbone, tickets, token_budget, prompts, heads):
        batch = collate(cut.tickets, backbone.pad_id, backbone.device, cut.shape)
        no_dropout = [0.0] * len(evaluations)
        with backbone.autocast():
            hidden = backbone.hidden(batch, prompts, no_dropout)
            for index, (read, head_scores) in lane_scores(backbone, batch, hidden, heads, no_dropout).items():
                items = [ticket.item for ticket in read.tickets]
                of_items, counts = item_scores(evaluations[index].task, read, head_scores)
                of_each = item_losses(evaluations[index].task, of_items, counts, items).tolist()
                for item, part, loss in zip(items, torch.split(of_items.cpu(), counts), of_each, strict=True):
                    scores[index][id(item)], losses[index][id(item)] = part.numpy(), loss
    return [
        _predictions(evaluation, scores[index], math.fsum(losses[index].values()))
        for index, evaluation in enumerate(evaluations)
    ]


def _predictions(evaluation: Evaluation, scores: dict[int, Scores], loss: float) -> Predictions:
    task, kind, examples = evaluation.task, kind_of(evaluation.task), evaluation.examples
    items: dict[int, list[Item]] = defaultdict(list)  # by the example's number
    for item in evaluation.items:
        items[item.example].append(item)
    scored_answers = [
        kind.answer(task, example, items[number], [scores[id(item)] for item in items[number]])
        for number, example in enumerate(examples)
    ]
    threshold = evaluation.null_threshold
    if threshold is None and task.answerless and math.isfinite(loss):
        margins = [answer.null_margin or 0.0 for answer in scored_answers]
        threshold = best_null_threshold(examples, [answer.text for answer in scored_answers], margins)
    predicted = [kind.prediction(answer, threshold or 0.0) for answer in scored_answers]
    mean = loss / max(1, sum(num_terms(task, item) for item in evaluation.items))
    return Predictions(scored_answers, predicted, mean, score(task, examples, predicted), threshold)
