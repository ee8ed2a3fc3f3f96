"""States that no lane changes are read off the backbone once, and kept.

Shape legend: B rows of a micro-batch, M rows of a table, K positions read of a row, H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import MicroBatch, widened
from bench.data.cutting import Tickets
from bench.data.table import ItemTable
from bench.model.free_memory import available_bytes
from bench.model.passes import Passes, Program
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked

SHARE = 0.25  # of the free memory that states may take

States = Callable[[MicroBatch], Tensor]


def states_read(passes: Passes, stacked: Stacked, table: ItemTable, *, fixed: bool) -> States:
    """What gives the states (B, K, H) at the positions that heads read: the backbone or, where it is `fixed` and lanes
    put nothing into it, what it gave for the table's rows before.
    """
    backbone = passes.backbone
    if fixed and stacked.keeps_states:
        kept = kept_states(passes, table)
        if kept is not None:
            return lambda batch: _of_batch(kept, batch)
    return lambda batch: batch.gathered(backbone.hidden(batch, stacked))


def kept_states(passes: Passes, table: ItemTable) -> Tensor | None:
    """(M + 1, K, H) of all rows of a table, made once; None where they would take too much memory."""
    if id(table) not in passes.kept:
        backbone = passes.backbone
        shape = (len(table.ids), table.read.shape[1], backbone.geometry.hidden)
        num_bytes = 4 * shape[0] * shape[1] * shape[2]
        fits = num_bytes <= available_bytes(backbone.device) * SHARE
        passes.kept[id(table)] = _read(passes, table, shape) if fits else None
    return passes.kept[id(table)]


@torch.no_grad()
def _read(passes: Passes, table: ItemTable, shape: tuple[int, int, int]) -> Tensor:
    backbone, stacked = passes.backbone, Stacked([Prompts()])
    kept = torch.zeros(shape, device=backbone.device)

    def body(batch: MicroBatch) -> tuple[Tensor, ...]:
        with torch.no_grad(), backbone.autocast():
            states = batch.gathered(backbone.hidden(batch, stacked))[:, : shape[1]]
        kept[batch.numbers, : states.shape[1]] = states.to(kept.dtype)
        return (states[:, 0],)  # by which shapes are compared

    count = len(table.sizes.first)
    owners = np.searchsorted(np.array(table.starts), np.arange(count), side="right") - 1  # a set goes by itself
    tickets = Tickets(np.arange(count), owners, np.arange(count), np.zeros(count, np.int64))
    program = Program(stacked, body, ("states", stacked.kind))
    with passes.running():
        passes.run(program, table, tickets, np.ones(count, np.int64))
    return kept


def _of_batch(kept: Tensor, batch: MicroBatch) -> Tensor:
    num_read = batch.read.shape[1]
    return widened(kept.index_select(0, batch.numbers)[:, :num_read], num_read)
