"""Predictions of lanes on rows: the same micro-batches as training, without gradients or dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.data.batches import Ticket, collate, micro_batches
from bench.data.encode import Row
from bench.model.backbone import Backbone
from bench.score.metrics import score
from bench.spec import Example

if TYPE_CHECKING:
    from bench.train.lane import Lane


@dataclass(frozen=True)
class Predictions:
    """Per example: class probabilities (read positions x classes), the labels predicted, and the mean loss."""

    probabilities: list[Tensor]
    labels: list[list[int]]
    loss: float
    scores: dict[str, float]


@torch.no_grad()
def predict(
    backbone: Backbone,
    lanes: Sequence[Lane],
    rows: Sequence[Sequence[Row]],
    examples: Sequence[Sequence[Example]],
    token_budget: int,
) -> list[Predictions]:
    """For each lane, its predictions on its rows. All lanes' rows share the queue."""
    prompts = [lane.attachment.prompts() for lane in lanes]
    tickets = [Ticket(index, row) for index, own in enumerate(rows) for row in own]
    logits: list[dict[int, Tensor]] = [{} for _ in lanes]
    for micro in micro_batches(tickets, token_budget):
        batch = collate(micro, backbone.pad_id, backbone.device)
        with backbone.autocast():
            hidden = backbone.hidden(batch, prompts, [0.0] * len(lanes))
            for index, lane in enumerate(lanes):
                own, states = batch.read(hidden, index)
                if not own:
                    continue
                found = lane.head(states).float().cpu().split([len(ticket.row.read) for ticket in own])
                logits[index].update({ticket.row.example: part for ticket, part in zip(own, found, strict=True)})
    return [
        _predictions(lane, own, known, found)
        for lane, own, known, found in zip(lanes, rows, examples, logits, strict=True)
    ]


def _predictions(
    lane: Lane, rows: Sequence[Row], examples: Sequence[Example], logits: dict[int, Tensor]
) -> Predictions:
    probabilities, labels, losses = [], [], []
    for row, example in zip(rows, examples, strict=True):
        found = logits[row.example]
        predicted = [lane.task.outside] * len(example.labels)  # stays for words past max_length
        for place, label in zip(row.places, found.argmax(dim=-1).tolist(), strict=True):
            predicted[place] = label
        labels.append(predicted)
        probabilities.append(found.softmax(dim=-1))
        losses.append(torch.nn.functional.cross_entropy(found, torch.tensor(row.targets), reduction="sum"))
    num_targets = max(1, sum(len(row.targets) for row in rows))
    loss = float(torch.stack(losses).sum()) / num_targets
    return Predictions(probabilities, labels, loss, score(lane.task, examples, labels))
