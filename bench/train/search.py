"""Steps of lanes whose prompts are searched for: candidates are scored by forward passes, and the best one is taken.

Every lane's candidates run in micro-batches of their own, so that what it finds does not depend on its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bench.data.batches import Reading, Ticket, collate, micro_batches
from bench.data.rows import Item
from bench.errors import UsageError
from bench.model.attachment import Prompts
from bench.model.backbone import Backbone
from bench.model.label_words import LabelWords
from bench.model.searched import Searched
from bench.score.objective import item_scores, num_terms, summed_loss
from bench.seeds import derive
from bench.train.lane import Lane


def search_step(lane: Lane, backbone: Backbone, token_budget: int) -> int:
    """Take the best of the prompts that a lane's attachment proposes, where it is better than what it has.

    They are compared by their loss on as many train rows as a step has, drawn anew. Returns the tokens that went
    through the backbone. The lane fails when its first step's loss has no gradient at the slots: nothing would guide
    the search.
    """
    attachment, gradient = lane.attachment, lane.slot_gradient
    assert isinstance(attachment, Searched)
    if gradient is None or (lane.step == 0 and not bool(gradient.any())):
        lane.fail("failed", f"the prompts should be searched for by a gradient but had none in step {lane.step + 1}")
        return 0
    seed = derive("search", lane.cell.stream_seed("order"), lane.cell.task, lane.step)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(lane.data.train), generator=generator)[: lane.cell.budget.batch_size]
    items = [lane.data.train[at] for at in drawn.tolist()]
    prompts = [attachment.prompts(), *attachment.propose(gradient, generator)]
    losses = prompt_losses(lane, backbone, prompts, items, token_budget)
    best = int(losses.nan_to_num(nan=torch.inf).argmin())  # of equal ones the first: what the lane has
    if best:
        attachment.take(best - 1)
    lane.step += 1
    return _counted(lane, items, len(prompts))


@torch.no_grad()
def prompt_losses(
    lane: Lane, backbone: Backbone, prompts: Sequence[Prompts], items: Sequence[Item], token_budget: int
) -> Tensor:
    """The lane's mean loss on the items with each of these prompts in place of its own: (number of prompts,)."""
    tickets = [Ticket(index, item) for index in range(len(prompts)) for item in items]
    losses = torch.zeros(len(prompts), device=backbone.device)
    for index, reading in _readings(backbone, prompts, tickets, token_budget):
        with backbone.autocast():
            scores, counts = item_scores(lane.task, reading, lane.head(reading.states, reading.tokens))
            losses[index] += summed_loss(lane.task, scores, [ticket.item for ticket in reading.tickets], counts)
    return losses / max(1, sum(num_terms(lane.task, item) for item in items))


def find_label_words(lanes: Sequence[Lane], backbone: Backbone, token_budget: int) -> None:
    """Choose the words of the heads that wait for them, on the lanes' train rows with the prompts they begin with.

    One forward pass over the rows, on top of the lane's steps and counted among its costs. A lane whose words cannot be
    searched for fails with the reason.
    """
    for lane in lanes:
        if isinstance(lane.head, LabelWords) and lane.running:
            started = time.perf_counter()
            try:
                _choose_words(lane, lane.head, backbone, token_budget)
            except UsageError as error:
                lane.fail("failed", str(error))
            lane.ledger.tokens += _counted(lane, lane.data.train, 1)
            lane.ledger.train_seconds += time.perf_counter() - started


@torch.no_grad()
def _choose_words(lane: Lane, head: LabelWords, backbone: Backbone, token_budget: int) -> None:
    tickets = [Ticket(0, item) for item in lane.data.train]
    states, labels = [], []
    for _, reading in _readings(backbone, [lane.attachment.prompts()], tickets, token_budget):
        with backbone.autocast():
            states.append(head.states(reading.states))
        labels += [ticket.item.targets[0] for ticket in reading.tickets]
    head.choose(torch.cat(states), torch.tensor(labels))
    if isinstance(lane.attachment, Searched):
        lane.attachment.leave_out(head.words)


def _readings(
    backbone: Backbone, prompts: Sequence[Prompts], tickets: Sequence[Ticket], token_budget: int
) -> Iterator[tuple[int, Reading]]:
    """What a head reads of the tickets' rows, by micro-batch and prompt; a ticket's `lane` is the prompt's number."""
    for micro in micro_batches(tickets, token_budget):
        batch = collate(micro, backbone.pad_id, backbone.device)
        with backbone.autocast():
            hidden = backbone.hidden(batch, prompts, [0.0] * len(prompts))
        for index in sorted({ticket.lane for ticket in micro}):
            reading = batch.read(hidden, index)
            if reading is not None:
                yield index, reading


def _counted(lane: Lane, items: Sequence[Item], times: int) -> int:
    """Note a lane's forward passes over the items, so many times each; returns their tokens."""
    lane.ledger.forward_passes += times * sum(len(item.rows) for item in items)
    return times * sum(item.num_tokens for item in items)
