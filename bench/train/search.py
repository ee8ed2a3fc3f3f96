"""Steps of lanes whose prompts are searched for: candidates are scored by forward passes, and the best one is taken.

Every lane's candidates run in micro-batches of their own, so that what it finds does not depend on its neighbours.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.data.cutting import Tickets
from bench.data.rows import Item
from bench.data.table import Integers
from bench.errors import UsageError
from bench.model.heads import row_scores
from bench.model.label_words import LabelWords
from bench.model.passes import Passes, Program
from bench.model.prompts import Prompts
from bench.model.rows import summed
from bench.model.searched import Searched
from bench.model.stacked import Stacked
from bench.score.kind import kind_of
from bench.score.objective import item_losses, item_scores
from bench.seeds import derive
from bench.train.lane import Lane


def search_step(lane: Lane, gradient: Tensor | None, passes: Passes) -> int:
    """Take the best of the prompts that a lane's attachment proposes, where it is better than what it has.

    They are compared by their loss on as many train rows as a step has, drawn anew; `gradient` (P, H) is the step's at
    the slots. Returns the tokens that went through the backbone. The lane fails when its first step's loss has no
    gradient at the slots: nothing would guide the search.
    """
    attachment = lane.attachment
    assert isinstance(attachment, Searched)
    if not lane.running:
        return 0
    if gradient is None or (lane.step == 0 and not bool(gradient.any())):
        lane.fail("failed", f"the prompts should be searched for by a gradient but had none in step {lane.step + 1}")
        return 0
    seed = derive("search", lane.cell.stream_seed("order"), lane.cell.task, lane.step)
    generator = torch.Generator().manual_seed(seed)
    indices = torch.randperm(len(lane.data.train), generator=generator)[: lane.cell.budget.batch_size]
    items = [lane.data.train[at] for at in indices.tolist()]
    prompts = [attachment.prompts(), *attachment.propose(gradient, generator)]
    losses = prompt_losses(lane, prompts, items, passes)
    best = int(losses.nan_to_num(nan=torch.inf).argmin())  # of equal ones the first: what the lane has
    if best:
        attachment.take(best - 1)
    lane.step += 1
    tokens = _counted(lane, items, len(prompts))
    lane.ledger.tokens += tokens
    return tokens


@torch.no_grad()
def prompt_losses(lane: Lane, prompts: Sequence[Prompts], items: Sequence[Item], passes: Passes) -> Tensor:
    """The lane's mean loss on the items with each of these prompts in place of its own: (number of prompts,)."""
    kind, backbone = kind_of(lane.task), passes.backbone
    stacked = Stacked(prompts, [lane.head] * len(prompts))

    def body(batch: MicroBatch) -> tuple[Tensor, ...]:
        with torch.no_grad(), backbone.autocast():
            scores = row_scores(batch, batch.gathered(backbone.hidden(batch, stacked)), stacked)
            return (item_losses(kind, batch, *item_scores(kind, batch, scores)),)

    program = Program(stacked, body, ("search", stacked.kind, lane.task.kind))
    losses = torch.zeros(len(prompts) * len(items), device=backbone.device)
    for chosen, (of_items,) in _passes(lane, program, items, passes):
        losses[torch.from_numpy(chosen).to(losses.device)] = of_items[: len(chosen)]
    sums = summed(losses.view(len(prompts), len(items)))
    return sums / max(1, sum(kind.num_terms(item) for item in items))


def find_label_words(lanes: Sequence[Lane], passes: Passes) -> None:
    """Choose the words of the heads that wait for them, on the lanes' train rows with the prompts they begin with.

    One forward pass over the rows, on top of the lane's steps and counted among its costs. A lane whose words cannot be
    searched for fails with the reason.
    """
    for lane in lanes:
        if isinstance(lane.head, LabelWords) and lane.running:
            started = time.perf_counter()
            try:
                _choose_words(lane, lane.head, passes)
            except UsageError as error:
                lane.fail("failed", str(error))
            lane.ledger.tokens += _counted(lane, lane.data.train, 1)
            lane.ledger.train_seconds += time.perf_counter() - started


@torch.no_grad()
def _choose_words(lane: Lane, head: LabelWords, passes: Passes) -> None:
    backbone, items = passes.backbone, lane.data.train
    stacked = Stacked([lane.attachment.prompts()])

    def body(batch: MicroBatch) -> tuple[Tensor, ...]:
        with torch.no_grad(), backbone.autocast():
            return passes.ranks.pass_through(lambda: (head.states(read(batch)),))

    def read(batch: MicroBatch) -> Tensor:
        return batch.gathered(backbone.hidden(batch, stacked))[:, 0]  # every row reads one position

    states: dict[int, Tensor] = {}
    program = Program(stacked, body, ("states", stacked.kind))
    for chosen, (of_items,) in _passes(lane, program, items, passes):
        states.update(zip(chosen.tolist(), of_items, strict=False))
    labels = torch.tensor([item.targets[0] for item in items])
    head.choose(torch.stack([states[at] for at in range(len(items))]), labels)
    if isinstance(lane.attachment, Searched):
        lane.attachment.leave_out(head.words)


def _passes(
    lane: Lane, program: Program, items: Sequence[Item], passes: Passes
) -> Iterator[tuple[Integers, tuple[Tensor, ...]]]:
    """The program's outputs for the items with each of its prompts, and which tickets they are of: those of the first
    prompt come first.
    """
    table = passes.table([(lane.data.train, kind_of(lane.task).num_terms)])
    places = {id(item): at for at, item in enumerate(lane.data.train)}
    numbers = np.array([places[id(item)] for item in items])
    prompts, count = program.stacked.count, len(items)
    tickets = Tickets(
        np.tile(numbers, prompts), np.repeat(np.arange(prompts), count), np.tile(np.arange(count), prompts),
        np.zeros(prompts * count, np.int64),
    )  # fmt: skip
    with passes.running():
        for cut, outputs in passes.run(program, table, tickets, np.ones(len(tickets), np.int64)):
            yield cut.chosen, outputs


def _counted(lane: Lane, items: Sequence[Item], num_passes: int) -> int:
    """Note a lane's forward passes over the items, so many times each; returns their tokens."""
    lane.ledger.forward_passes += num_passes * sum(len(item.rows) for item in items)
    return num_passes * sum(item.num_tokens for item in items)
