"""Steps of lanes whose prompts are searched for: candidates are scored by forward passes, and the best one is taken.

Every lane's candidates run in micro-batches of their own, so that what it finds does not depend on its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bench.data.batches import MicroBatch, collate
from bench.data.cutting import Ticket
from bench.data.rows import Item
from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.company import micro_batches
from bench.model.heads import lane_scores
from bench.model.label_words import LabelWords
from bench.model.prompts import Prompts
from bench.model.searched import Searched
from bench.score.objective import item_losses, item_scores, num_terms
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
    indices = torch.randperm(len(lane.data.train), generator=generator)[: lane.cell.budget.batch_size]
    items = [lane.data.train[at] for at in indices.tolist()]
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
    by_prompt: list[list[Tensor]] = [[] for _ in prompts]
    for batch, hidden in _passes(lane, backbone, prompts, items, token_budget):
        with backbone.autocast():
            of_prompts = lane_scores(backbone, batch, hidden, [lane.head] * len(prompts), [0.0] * len(prompts))
            for index, (read, scores) in of_prompts.items():
                read_items = [ticket.item for ticket in read.tickets]
                by_prompt[index].append(item_losses(lane.task, *item_scores(lane.task, read, scores), read_items))
    sums = torch.stack([torch.cat(losses).sum() for losses in by_prompt])  # of the items in one order
    return sums / max(1, sum(num_terms(lane.task, item) for item in items))


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
    states, labels = [], []
    prompts = [lane.attachment.prompts()]
    for batch, hidden in _passes(lane, backbone, prompts, lane.data.train, token_budget):
        read = batch.read_by(0)
        if read is not None:
            with backbone.autocast():
                states.append(head.states(read.of(batch.gathered(hidden))))
            labels += [ticket.item.targets[0] for ticket in read.tickets]
    head.choose(torch.cat(states), torch.tensor(labels))
    if isinstance(lane.attachment, Searched):
        lane.attachment.leave_out(head.words)


def _passes(
    lane: Lane, backbone: Backbone, prompts: Sequence[Prompts], items: Sequence[Item], token_budget: int
) -> Iterator[tuple[MicroBatch, Tensor]]:
    """Micro-batches of the items with each of the prompts, a ticket's `lane` being the prompt's number; the states."""
    tickets = [Ticket(index, item) for index in range(len(prompts)) for item in items]
    for cut in micro_batches(backbone, tickets, token_budget, prompts, [lane.head] * len(prompts)):
        batch = collate(cut.tickets, backbone.pad_id, backbone.device, cut.shape)
        with backbone.autocast():
            hidden = backbone.hidden(batch, prompts, [0.0] * len(prompts))
        yield batch, hidden


def _counted(lane: Lane, items: Sequence[Item], num_passes: int) -> int:
    """Note a lane's forward passes over the items, so many times each; returns their tokens."""
    lane.ledger.forward_passes += num_passes * sum(len(item.rows) for item in items)
    return num_passes * sum(item.num_tokens for item in items)
