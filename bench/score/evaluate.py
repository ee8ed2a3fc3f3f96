"""Predictions of lanes on items: the same micro-batches as training, without gradients or dropout."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from bench.data.batches import collate
from bench.data.cutting import Ticket
from bench.data.rows import Item
from bench.model.backbone import Backbone
from bench.model.company import micro_batches
from bench.model.heads import lane_scores
from bench.score.answers import Found, Scores
from bench.score.kind import kind_of
from bench.score.metrics import score
from bench.score.objective import item_losses, item_scores, num_terms
from bench.score.predicted import Prediction
from bench.score.texts import best_null_threshold
from bench.task import Example

if TYPE_CHECKING:
    from bench.train.lane import Lane


@dataclass(frozen=True)
class Predictions:
    """Per example what was found; the scores, the mean loss, and the threshold of "no answer" that was used."""

    found: list[Found]
    answers: list[Prediction]
    loss: float
    scores: dict[str, float]
    null_threshold: float | None


@torch.no_grad()
def predict(
    backbone: Backbone,
    lanes: Sequence[Lane],
    items: Sequence[Sequence[Item]],
    examples: Sequence[Sequence[Example]],
    token_budget: int,
) -> list[Predictions]:
    """For each lane, its predictions on its items. All lanes' rows share the queue.

    A lane that has no threshold of "no answer" yet gets the best one for these examples; it is one of the things that
    are chosen on the selection slice.
    """
    prompts = [lane.attachment.prompts() for lane in lanes]
    heads = [lane.head for lane in lanes]
    tickets = [Ticket(index, item) for index, mine in enumerate(items) for item in mine]
    found: list[dict[int, Scores]] = [{} for _ in lanes]
    losses: list[dict[int, float]] = [{} for _ in lanes]
    for cut in micro_batches(backbone, tickets, token_budget, prompts, heads):
        batch = collate(cut.tickets, backbone.pad_id, backbone.device, cut.shape)
        none = [0.0] * len(lanes)
        with backbone.autocast():
            hidden = backbone.hidden(batch, prompts, none)
            for index, (reading, given) in lane_scores(backbone, batch, hidden, heads, none).items():
                mine = [ticket.item for ticket in reading.tickets]
                scores, counts = item_scores(lanes[index].task, reading, given)
                own_losses = item_losses(lanes[index].task, scores, counts, mine).tolist()
                parts = torch.split(scores.cpu(), counts)
                for item, part, loss in zip(mine, parts, own_losses, strict=True):
                    found[index][id(item)], losses[index][id(item)] = part.numpy(), loss
    return [
        _predictions(lane, own, known, scores, math.fsum(loss.values()))
        for lane, own, known, scores, loss in zip(lanes, items, examples, found, losses, strict=True)
    ]


def _predictions(
    lane: Lane, items: Sequence[Item], examples: Sequence[Example], scores: dict[int, Scores], loss: float
) -> Predictions:
    task, kind = lane.task, kind_of(lane.task)
    of_example: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        of_example[item.example].append(item)
    found = [
        kind.answer(task, example, of_example[number], [scores[id(item)] for item in of_example[number]])
        for number, example in enumerate(examples)
    ]
    threshold = lane.null_threshold
    if threshold is None and task.answerless and math.isfinite(loss):
        margins = [each.null_margin or 0.0 for each in found]
        threshold = best_null_threshold(examples, [each.text for each in found], margins)
    answers = [kind.prediction(each, threshold or 0.0) for each in found]
    mean = loss / max(1, sum(num_terms(task, item) for item in items))
    return Predictions(found, answers, mean, score(task, examples, answers), threshold)
