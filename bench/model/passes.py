"""Micro-batches through the backbone: cut, gathered where the items lie, and on a GPU captured once and replayed.

A GPU of today runs a small micro-batch's kernels faster than Python can start them, so that the whole of a forward and
backward pass is captured as a CUDA graph when its shape comes a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import MicroBatch, batch_index
from bench.data.cutting import Buckets, Cut, Shape, Tickets, ladder_of, own
from bench.data.rows import Item
from bench.data.table import ItemTable, item_table
from bench.errors import is_out_of_memory
from bench.model.backbone import Backbone
from bench.model.captured import Graphs, RecordedPass
from bench.model.determinism import deterministic, lacks_kernel
from bench.model.free_memory import available_bytes
from bench.model.stacked import Stacked

TRIED = 8  # rows that are compared in two shapes
TABLE_SHARE = 0.1  # of the free memory of a device that items may take
START = 1_100_000  # a micro-batch costs about as many tokens, over the hidden size, before its first one (H200)
GATHERING = 1_000  # of a team: about the tokens for which a device computes while the weights of a layer are gathered
Set = tuple[Sequence[Item], Callable[[Item], int]]  # items, and how many losses one brings to the mean of a batch


@dataclass(eq=False)
class Program:
    """What is done with a micro-batch of lanes that are stacked: its outputs are new tensors, one entry an item.

    With gradients `body` runs backward too, which adds to what `clear` empties; it is empty when a run begins. Programs
    of equal `kind` run the same kernels. `alone`: no other lane will ever share the backbone.
    """

    stacked: Stacked
    body: Callable[[MicroBatch], tuple[Tensor, ...]]
    kind: Hashable
    alone: bool = False
    asked: bool = True  # whether anybody looks at its outputs
    clear: Callable[[], None] = lambda: None
    recorded: dict[tuple[int, Shape], RecordedPass] = field(default_factory=dict)


class Passes:
    """The passes of one loop. `token_budget` is halved when a micro-batch does not fit the device's memory."""

    def __init__(self, backbone: Backbone, token_budget: int) -> None:
        self.backbone, self.token_budget, self.halvings = backbone, token_budget, 0
        self.kept: dict[int, Tensor | None] = {}  # by the id of a table (bench.model.kept)
        self._tables: list[tuple[list[int], list[Set], ItemTable]] = []
        self.ranks = backbone.ranks
        # a graph is one device's, and has no place for what processes say to each other
        self.graphs = Graphs(backbone.device, captures=len(backbone.devices) == 1 and self.ranks.alone)
        # a processor's kernels are not asked: it has `own`
        self.tries_shapes = backbone.device.type == "cuda" and self.ranks.alone

    def table(self, sets: Sequence[Set]) -> ItemTable:
        """The items of some sets, on the device if they fit; made once for the same sets."""
        names = [id(items) for items, _ in sets]
        for known, _, table in self._tables:
            if known == names:
                return table
        backbone = self.backbone
        mask_id = backbone.tokenizer.mask_token_id if backbone.family.query_stream else None
        table = item_table([items for items, _ in sets], [terms for _, terms in sets], backbone.pad_id, mask_id)
        on_device = table.to(backbone.device, available_bytes(backbone.device) * TABLE_SHARE)
        self._tables.append((names, list(sets), on_device))  # the sets too: an id is one as long as its object lives
        return on_device

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around everything that runs passes: they have a stream of their own on a GPU, which can be captured."""
        with self.graphs.stream():
            yield

    def run(
        self, program: Program, table: ItemTable, tickets: Tickets, terms: np.ndarray
    ) -> list[tuple[Cut, tuple[Tensor, ...]]]:
        """Every ticket through the backbone; `terms` (n,): by what each one's loss is divided.

        Begins again with smaller micro-batches when one does not fit the memory, and without deterministic kernels
        when the model has an operation without one; a team of processes cannot do either.
        """
        while True:
            try:
                cuts = self._cuts(program, table, tickets, terms)
                outputs = [(cut, self._pass(program, table, tickets, terms, cut)) for cut in cuts]
                return self.ranks.collected(outputs) if program.asked else outputs
            except (RuntimeError, MemoryError) as error:  # of a device an OutOfMemoryError, which is a RuntimeError
                if not self.ranks.alone:
                    raise
                if is_out_of_memory(error) and self.token_budget > int(table.sizes.longest.max()):
                    self._halve(program)
                elif self.backbone.deterministic and lacks_kernel(error):
                    self.backbone.deterministic = False
                    program.recorded.clear()
                else:
                    raise
                program.clear()

    def _halve(self, program: Program) -> None:
        self.token_budget //= 2
        self.halvings += 1
        program.recorded.clear()
        self.graphs.forget()

    def _cuts(self, program: Program, table: ItemTable, tickets: Tickets, terms: np.ndarray) -> list[Cut]:
        return self.ranks.deal(table.sizes, tickets, lambda share: self._cut(program, table, share, terms))

    def _cut(self, program: Program, table: ItemTable, tickets: Tickets, terms: np.ndarray) -> list[Cut]:
        if not self.backbone.fixed_shapes:
            return list(own(table.sizes, tickets, self.token_budget))
        start = START // self.backbone.geometry.hidden
        buckets = Buckets(self.token_budget, self.backbone.positions, table.wants_tokens, start)
        if not self.ranks.alone:
            exact = replace(buckets, fixed_cost=max(start, GATHERING), ladder=())
            return list(exact.queued(table.sizes, tickets))
        if program.alone:
            return list(replace(buckets, ladder=ladder_of(table.sizes, tickets)).queued(table.sizes, tickets))
        if not self.tries_shapes:
            return list(buckets.fixed(table.sizes, tickets))
        cuts: list[Cut] = []
        for cut in buckets.queued(table.sizes, tickets):
            if self._same_bits(program, table, tickets, terms, buckets, cut):
                cuts.append(cut)
            else:
                fixed = buckets.fixed(table.sizes, tickets.of(cut.chosen))
                cuts += [Cut(cut.chosen[part.chosen], part.shape) for part in fixed]
        return cuts

    def _same_bits(
        self, program: Program, table: ItemTable, tickets: Tickets, terms: np.ndarray, buckets: Buckets, cut: Cut
    ) -> bool:
        """Whether rows come to the same bits in a shape as in their fixed ones; tried once for each two shapes."""
        known = self.backbone.same_bits
        for fixed_shape in (shape for shape in cut.covers if shape != cut.shape):
            key = (program.kind, bool(self.backbone.compiled), cut.shape, fixed_shape)
            if key not in known:
                order, shapes = buckets.ordered(table.sizes, tickets.of(cut.chosen))
                chosen = [at for at, shape in zip(order.tolist(), shapes, strict=True) if shape == fixed_shape]
                few = cut.chosen[np.array(chosen[: max(1, TRIED // fixed_shape.width)])]
                first, second = (
                    self._tried(program, table, tickets, terms, Cut(few, shape)) for shape in (fixed_shape, cut.shape)
                )
                program.clear()
                known[key] = all(_equal(*pair) for pair in zip(first, second, strict=True))
            if not known[key]:
                return False
        return True

    def _tried(self, program: Program, table: ItemTable, tickets: Tickets, terms: np.ndarray, cut: Cut) -> list[Tensor]:
        """What a micro-batch comes to: the outputs of its items, and gradients.

        Its shape is recorded as any other's: what it is tried for comes right after, and others are tried beside it.
        """
        program.clear()
        outputs = self._pass(program, table, tickets, terms, cut)
        gradients = [gradients.clone() for gradients in program.stacked.gradients.values()]
        return [output[: len(cut.chosen)] for output in outputs] + gradients

    def _pass(
        self, program: Program, table: ItemTable, tickets: Tickets, terms: np.ndarray, cut: Cut
    ) -> tuple[Tensor, ...]:
        index = batch_index(table, tickets, cut, terms, program.stacked.count)
        recorded = program.recorded.get((id(table), cut.shape))
        if recorded is None:
            recorded = RecordedPass(self.graphs, table, cut.shape, program.body)
            if self.graphs.captures:  # elsewhere nothing is kept, and shapes are many
                program.recorded[id(table), cut.shape] = recorded
        with deterministic(self.backbone.device, self.backbone.deterministic):
            return recorded(index)


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same bits where both have a place: the rest is padding."""
    common = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    return torch.equal(one[common], other[common])
