"""The training loop: many lanes over one backbone.

A step gathers each lane's batch, cuts all rows into micro-batches (bench.data.cutting), and runs the backbone once per
micro-batch with each row's own prompt; each row's hidden states go to its own lane's head. The gradients are those of
each lane's undivided batch, and a lane's numbers have the same bits in any company.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.data.batches import MicroBatch, collate
from bench.data.cutting import Ticket
from bench.model.backbone import Backbone
from bench.model.company import micro_batches
from bench.model.compiled import compile_seconds
from bench.model.determinism import deterministic, lacks_kernel
from bench.model.heads import lane_scores
from bench.model.inner_dropout import RowDropout, row_dropout
from bench.model.prompts import Prompts
from bench.score.evaluate import predict
from bench.score.objective import item_losses, item_scores, num_terms
from bench.train.lane import Lane
from bench.train.search import find_label_words, search_step
from bench.train.trained import NotTrained, Watch

CHECK_AFTER = 3  # steps; by then every tensor must have had a gradient and moved


@dataclass(frozen=True)
class Progress:
    """What the loop tells after each step."""

    lanes: Sequence[Lane]
    losses: Sequence[float]
    tokens: int
    seconds: float


def fit(
    backbone: Backbone, lanes: Sequence[Lane], token_budget: int, tell: Callable[[Progress], None] = lambda _: None
) -> None:
    """Train every lane to the end of its budget, evaluating along the way; one that trains nothing is evaluated once.

    A lane that diverges or does not train is marked and leaves the loop; the others go on. Lanes end in status
    "done" with their best weights in place, "diverged", or "failed".
    """
    watches = Watches(backbone, lanes)
    _evaluate([lane for lane in lanes if lane.running and not lane.num_steps], backbone, token_budget)
    _finish(lanes)
    find_label_words(lanes, backbone, token_budget)
    while active := [lane for lane in lanes if lane.running]:
        started = time.perf_counter() - compile_seconds()
        tokens = take_step(backbone, active, token_budget, watches)
        seconds = time.perf_counter() - compile_seconds() - started
        for lane, lane_tokens in zip(active, tokens, strict=True):
            lane.ledger.tokens += lane_tokens
            lane.ledger.train_seconds += seconds * lane_tokens / max(1, sum(tokens))
        watches.check(active)
        _evaluate([lane for lane in active if lane.running and lane.due], backbone, token_budget)
        _finish(active)
        tell(Progress(active, [lane.last_loss for lane in active], sum(tokens), seconds))


def _finish(lanes: Sequence[Lane]) -> None:
    for lane in lanes:
        if lane.running and lane.step >= lane.num_steps:
            lane.return_to_best()
            lane.status = "done"


class Watches:
    """Did it train? Each lane's own tensors, and what no lane of the loop may move."""

    def __init__(self, backbone: Backbone, lanes: Sequence[Lane]) -> None:
        moving = {id(weight) for lane in lanes for weight in lane.attachment.weights().values()}
        tensors = {**dict(backbone.model.named_parameters()), **dict(backbone.model.named_buffers())}
        still = {f"backbone.{name}": tensor for name, tensor in tensors.items() if id(tensor) not in moving}
        self._still = Watch({}, still)
        self._lanes = {id(lane): Watch(lane.training_tensors(), {}) for lane in lanes}

    def saw_gradients(self, lane: Lane) -> None:
        if lane.step < CHECK_AFTER:
            self._lanes[id(lane)].saw_gradients()

    def saw_moves(self, lane: Lane) -> None:
        if lane.step <= CHECK_AFTER:
            self._lanes[id(lane)].saw_moves()

    def check(self, lanes: Sequence[Lane]) -> None:
        """Fail the lanes that break the rule after their first steps, and all of them when a frozen tensor moved."""
        for lane in lanes:
            if lane.running and lane.step == min(CHECK_AFTER, lane.num_steps):
                _fail_unless(self._lanes[id(lane)], [lane])
        running = [lane for lane in lanes if lane.running]
        if any(lane.step in (CHECK_AFTER, lane.num_steps) for lane in running):
            _fail_unless(self._still, running)


def _fail_unless(watch: Watch, lanes: Sequence[Lane]) -> None:
    try:
        watch.check(lanes[0].step)
    except NotTrained as error:
        for lane in lanes:
            lane.fail("failed", str(error))


def take_step(backbone: Backbone, lanes: Sequence[Lane], token_budget: int, watches: Watches) -> list[int]:
    """One step of every lane; returns each lane's tokens."""
    tickets = [ticket for at, lane in enumerate(lanes) for ticket in lane.next_tickets(at)]
    tokens = [0] * len(lanes)
    for ticket in tickets:
        tokens[ticket.lane] += ticket.item.num_tokens
        lanes[ticket.lane].ledger.forward_passes += len(ticket.item.rows)
    try:
        sums = _gradients(backbone, lanes, tickets, token_budget)
    except RuntimeError as error:
        if not (backbone.deterministic and lacks_kernel(error)):
            raise
        backbone.deterministic = False  # one of the model's operations has no such kernel: the step is taken again
        sums = _gradients(backbone, lanes, tickets, token_budget)
    for index, loss in enumerate(torch.stack(sums).tolist()):  # the step's one wait for the device
        tokens[index] += _update(lanes[index], backbone, loss, token_budget, watches)
    return tokens


def _gradients(backbone: Backbone, lanes: Sequence[Lane], tickets: Sequence[Ticket], token_budget: int) -> list[Tensor]:
    """Put the step's gradients where the optimizers find them; returns each lane's loss, a scalar on the device."""
    prompts = [lane.open_step() for lane in lanes]
    terms = [0] * len(lanes)
    for ticket in tickets:
        terms[ticket.lane] += num_terms(lanes[ticket.lane].task, ticket.item)
    by_lane: list[list[Tensor]] = [[] for _ in lanes]
    if any(lane.cell.budget.backbone_dropout for lane in lanes):  # of such a group all lanes have it
        backbone.model.train()
    for cut in micro_batches(backbone, tickets, token_budget, prompts, [lane.head for lane in lanes]):
        batch = collate(cut.tickets, backbone.pad_id, backbone.device, cut.shape)
        with deterministic(backbone.device, backbone.deterministic):
            losses = _losses(backbone, batch, lanes, prompts, terms)
            torch.cat(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        for index, values in losses.items():
            by_lane[index].append(values.detach())
    sums = [torch.cat(values).sum() for values in by_lane]  # of the items in the lane's order, however they were cut
    for index, lane in enumerate(lanes):
        penalty = lane.attachment.penalty()
        if penalty is not None:
            penalty.backward()  # type: ignore[no-untyped-call]
            sums[index] = sums[index] + penalty.detach()
    backbone.model.eval()
    return sums


def _losses(
    backbone: Backbone, batch: MicroBatch, lanes: Sequence[Lane], prompts: Sequence[Prompts], terms: Sequence[int]
) -> dict[int, Tensor]:
    """By lane of a micro-batch its items' shares of the lane's mean loss: (items,) each."""
    rates, heads = [lane.method.dropout for lane in lanes], [lane.head for lane in lanes]
    shares = {}
    with backbone.autocast():
        with row_dropout(_draws(backbone, batch, lanes)):
            hidden = backbone.hidden(batch, prompts, rates)
        for index, (read, scores) in lane_scores(backbone, batch, hidden, heads, rates).items():
            items = [ticket.item for ticket in read.tickets]
            losses = item_losses(lanes[index].task, *item_scores(lanes[index].task, read, scores), items)
            shares[index] = losses / max(1, terms[index])
    return shares


def _draws(backbone: Backbone, batch: MicroBatch, lanes: Sequence[Lane]) -> RowDropout | None:
    """Where the backbone or an adapter in it drops out while training, the rows' draws."""
    if not any(lane.cell.budget.backbone_dropout or lane.attachment.drops_inside for lane in lanes):
        return None
    return RowDropout(batch, backbone.family.query_stream)


def _update(lane: Lane, backbone: Backbone, loss: float, token_budget: int, watches: Watches) -> int:
    """The optimizer's or the search's step of one lane, or the note that it diverged.

    Returns the tokens that went through the backbone for it.
    """
    lane.close_step(loss)
    if not math.isfinite(loss):
        lane.fail("diverged", f"the loss was {loss} at step {lane.step + 1}")
        return 0
    if lane.searches:
        return search_step(lane, backbone, token_budget)
    watches.saw_gradients(lane)
    lane.apply()
    watches.saw_moves(lane)
    lane.after_step()
    return 0


def _evaluate(lanes: Sequence[Lane], backbone: Backbone, token_budget: int) -> None:
    if not lanes:
        return
    started = time.perf_counter() - compile_seconds()
    outcomes = predict(backbone, [lane.selection() for lane in lanes], token_budget)
    seconds = time.perf_counter() - compile_seconds() - started
    for lane, predictions in zip(lanes, outcomes, strict=True):
        lane.ledger.evaluate_seconds += seconds / len(lanes)
        if not math.isfinite(predictions.loss):
            lane.fail("diverged", f"the selection loss was {predictions.loss} after step {lane.step}")
            continue
        lane.note(predictions)
