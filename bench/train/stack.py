"""Lanes of one shape as one: their steps are taken together, by the same kernels.

Shape legend: S lanes, I items of a micro-batch, N items of a batch.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.data.cutting import Tickets
from bench.data.rows import way_laid
from bench.data.table import Integers
from bench.model.attachment import Attachment
from bench.model.backbone import Backbone
from bench.model.captured import Recorded
from bench.model.heads import row_scores
from bench.model.inner_dropout import RowDropout, row_dropout
from bench.model.kept import keepable, states_read
from bench.model.passes import Passes, Program
from bench.model.prompts import Prompts
from bench.model.rows import summed
from bench.model.stacked import Stacked, alike
from bench.score.kind import kind_of
from bench.score.objective import item_losses, item_scores
from bench.train.lane import Lane
from bench.train.optim import Moved, Optimization
from bench.train.segment import Segment
from bench.train.sharded_optim import ShardedOptimization


@dataclass(frozen=True)
class Taken:
    """A step that was taken: all but its losses."""

    lanes: list[Lane]
    numbers: list[int]  # in the stack
    tokens: list[int]
    read: list[tuple[int, int]]  # tokens and sequences that went through the backbone for it


def stack_kind(lane: Lane, backbone: Backbone) -> Hashable:
    """Lanes of which this is equal may be one stack."""
    if lane.attachment.weights() or lane.searches:
        return id(lane)  # alone
    budget, method = lane.cell.budget, lane.method
    with torch.no_grad():
        shapes = alike(lane.attachment.prompts(), lane.head)
    groups = Moved(method, lane.attachment, [lane.head], lane.num_steps).groups()
    parameters = tuple(tuple(parameter.shape for parameter in members) for members, _ in groups)
    return (
        shapes, parameters, method.optimizer, lane.task.kind, way_laid(lane.data.train), budget.batch_size,
        budget.backbone_dropout, lane.attachment.drops_inside, keepable(backbone, lane.data.train),
    )  # fmt: skip


class Stack:
    """Lanes that are alike while they train. `optimization` is given where lanes of other stacks share it."""

    optimization: Optimization | ShardedOptimization | None

    def __init__(self, passes: Passes, lanes: Sequence[Lane], optimization: Optimization | None = None) -> None:
        self.passes, self.lanes = passes, list(lanes)
        first, backbone = self.lanes[0], passes.backbone
        self.optimization, self._shares = optimization, optimization is not None
        if optimization is None and not first.searches:
            moved = [Moved(lane.method, lane.attachment, [lane.head], lane.num_steps) for lane in self.lanes]
            alone = passes.ranks.alone
            self.optimization = Optimization(moved) if alone else ShardedOptimization(moved[0], passes.ranks)
        self._heads = [lane.head for lane in self.lanes]
        self._kind = kind_of(first.task)
        self._drops_inside = first.cell.budget.backbone_dropout or first.attachment.drops_inside
        self.stacked = Stacked(self._prompts(), self._heads, [lane.method.dropout for lane in self.lanes], trains=True)
        self._segments = self._parts()
        sets = {id(lane.data.train): (lane.data.train, kind_of(lane.task).num_terms) for lane in self.lanes}
        self.table = passes.table(list(sets.values()))
        self._starts = dict(zip(sets, self.table.starts, strict=True))
        self._losses = torch.zeros(
            len(self.lanes) + 1, first.cell.budget.batch_size, device=backbone.device
        )  # of each lane's items, in the batch's order
        fixed = not self._drops_inside and not first.attachment.weights() and keepable(backbone, first.data.train)
        self._states = states_read(passes, self.stacked, self.table, fixed=fixed)
        self._keeps = fixed and self.stacked.keeps_states and passes.kept[id(self.table)] is not None
        self._ready = False
        self._made: list[Prompts] | None = None  # in this step, with the way back
        self._turning = Recorded(passes.graphs, self._turn)
        kind = ("train", self.stacked.kind, first.task.kind, self._drops_inside, self.stacked.drops)
        self._program = Program(
            self.stacked, self._body, kind, alone=bool(first.attachment.weights()), asked=False, clear=self._clear
        )

    def _prompts(self) -> list[Prompts]:
        return [lane.attachment.prompts() for lane in self.lanes]

    def _parts(self) -> dict[str, Segment]:
        """By name in the stack the tensors that are lanes' parameters as they are, which lie together."""
        if self.optimization is None or len(self.optimization.lanes) != len(self.lanes):
            return {}
        sources = self.stacked.sources(self._prompts(), self._heads)
        found = {name: [self.optimization.part(tensor) for tensor in tensors] for name, tensors in sources.items()}
        return {
            name: segments[0]
            for name, segments in found.items()
            if segments[0] is not None and all(segment is segments[0] for segment in segments)
        }

    def _together(self, what: Literal["values", "gradients"]) -> dict[str, Tensor]:
        return {name: segment.of(getattr(self.optimization, what)) for name, segment in self._segments.items()}

    def step(self, active: Sequence[Lane]) -> Taken:
        """The gradients of these lanes' next batches; `settle` and `apply`, or `turn` for both, are to follow."""
        chosen = set(map(id, active))
        numbers = [at for at, lane in enumerate(self.lanes) if id(lane) in chosen]
        tickets, terms = self._tickets({at: self.lanes[at].next_batch() for at in numbers})
        if not self._ready:
            self._begin()
        if self._drops_inside:
            self._prompts()  # an adapter drops out once they are made with gradients, and no more when evaluated
        model, drops = self.passes.backbone.model, self.lanes[0].cell.budget.backbone_dropout
        if drops:
            model.train()
        self.passes.run(self._program, self.table, tickets, terms)
        if drops:
            model.eval()
        self._ready = False
        sizes = self.table.sizes
        lanes_items = [tickets.items[tickets.owners == at] for at in numbers]
        return Taken(
            [self.lanes[at] for at in numbers],
            numbers,
            [int(sizes.tokens[items].sum()) for items in lanes_items],
            [self._through(at, items) for at, items in zip(numbers, lanes_items, strict=True)],
        )

    def _through(self, at: int, items: Integers) -> tuple[int, int]:
        """Tokens and sequences through the backbone for a lane's step; of states that are kept all at first."""
        lane, sizes = self.lanes[at], self.table.sizes
        if self._keeps:
            start = self._starts[id(lane.data.train)]
            items = np.arange(start, start + (0 if lane.step else len(lane.data.train)))
        return int(sizes.tokens[items].sum()), int(sizes.rows[items].sum())

    def settle(self) -> Tensor:
        """Take the gradients on to the lanes' tensors (their `grad`); returns each lane's loss (S,)."""
        weights = self.lanes[0].attachment.weights().values()
        self.passes.ranks.add_up(self._losses, self.stacked.gradients, weights)
        losses = summed(self._losses[:-1])
        self.stacked.carry(self._made or self._prompts(), self._heads, self._together("gradients"))
        self._made = None
        penalties = [lane.attachment.penalty() for lane in self.lanes]
        for at, penalty in enumerate(penalties):
            if penalty is not None:
                penalty.backward()  # type: ignore[no-untyped-call]
                losses[at] += penalty.detach()
        return losses

    def apply(self, active: Sequence[Lane]) -> None:
        """The optimizer's step of these lanes."""
        self._prepare(active)
        assert self.optimization is not None, "a search takes its steps itself"
        self.optimization.move()

    def turn(self, active: Sequence[Lane]) -> Tensor:
        """`settle` and `apply`, and the beginning of the next step, as one piece of work; returns the losses (S,)."""
        self._prepare(active)
        (losses,) = self._turning()
        self._ready = True
        return losses.clone()

    @property
    def turns(self) -> bool:
        """Whether steps of these lanes are alike to the last: nobody looks in between, nor changes anything."""
        alike = all(type(lane.attachment).after_step is Attachment.after_step for lane in self.lanes)
        return alike and self.optimization is not None and not self._shares

    def _prepare(self, active: Sequence[Lane]) -> None:
        assert self.optimization is not None, "a search takes its steps itself"
        chosen = set(map(id, active))
        moves = [id(lane) in chosen for lane in self.lanes]
        self.optimization.prepare(None if self._shares else moves)

    def _turn(self) -> tuple[Tensor]:
        assert self.optimization is not None
        losses = self.settle()
        self.optimization.move()
        self._begin()
        return (losses,)

    def _begin(self) -> None:
        """What the micro-batches of a step find: the lanes' values as they are, and no gradients."""
        keep = not self.passes.graphs.captures  # a graph that is captured cannot go back through another one
        with torch.set_grad_enabled(keep):
            prompts = self._prompts()
        self.stacked.load(prompts, self._heads, self._together("values"))
        self._made = prompts if keep else None
        self._clear()
        self._ready = True

    @property
    def slot_gradient(self) -> Tensor | None:
        """(P, H) the gradient at the slots of the first lane's last step; None without slots."""
        gradients = self.stacked.gradients.get("slots")
        return None if gradients is None else gradients[0]

    def _clear(self) -> None:
        self.stacked.clear()
        self._losses.zero_()
        if self.optimization is not None:
            self.optimization.clear()

    def _tickets(self, batches: dict[int, tuple[list[int], int]]) -> tuple[Tickets, np.ndarray]:
        """The batches' items in one row of tickets, and the terms that each one's lane has in this step."""
        items, owners, places, seeds, terms = [], [], [], [], []
        for at, (batch, seed) in batches.items():
            numbers = np.array(batch, np.int64) + self._starts[id(self.lanes[at].data.train)]
            count = len(numbers)
            items.append(numbers)
            owners.append(np.full(count, at))
            places.append(np.arange(count))
            seeds.append(seed + np.arange(count))
            terms.append(np.full(count, max(1, int(self.table.sizes.terms[numbers].sum()))))
        parts = [np.concatenate(part).astype(np.int64) for part in (items, owners, places, seeds, terms)]
        return Tickets(*parts[:4]), parts[4]

    def _body(self, batch: MicroBatch) -> tuple[Tensor, ...]:
        """Forward and backward: each item's share of its lane's mean loss."""
        shares = self.passes.ranks.pass_through(lambda: self._shares_of(batch))
        shares.sum().backward()  # type: ignore[no-untyped-call]
        self._losses[batch.item_owners, batch.item_places] = shares.detach()
        return (shares.detach(),)

    def _shares_of(self, batch: MicroBatch) -> Tensor:
        backbone = self.passes.backbone
        with backbone.autocast():
            draws = RowDropout(batch, backbone.family.query_stream) if self._drops_inside else None
            with row_dropout(draws):
                states = self._states(batch)
            scores = row_scores(batch, states, self.stacked)
            losses = item_losses(self._kind, batch, *item_scores(self._kind, batch, scores)) / batch.terms
        return torch.where(batch.item_owners < len(self.lanes), losses, 0.0)
