"""States that no lane changes are read off the backbone once, and kept.

On a processor a row rounds otherwise beside other rows, and states that are kept were read beside others than those of
a step's batch. So whether a set's are kept there depends on the set alone; where, on the memory that is free.

Shape legend: B rows of a micro-batch, M rows of a table, K positions read of a row, H hidden size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from tempfile import TemporaryFile

import numpy as np
import torch
from torch import Tensor

from bench.data.batches import MicroBatch, widened
from bench.data.cutting import Tickets
from bench.data.rows import Item
from bench.data.table import ItemTable
from bench.model.backbone import Backbone
from bench.model.free_memory import available_bytes
from bench.model.passes import Passes, Program
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked

SHARE = 0.25  # of the free memory that states may take
MOST = 1 << 30  # bytes of a set's states on a processor; those of larger ones are read again in each step
BLOCK = 1 << 20  # bytes that are written at once

States = Callable[[MicroBatch], Tensor]


def keepable(backbone: Backbone, items: Sequence[Item]) -> bool:
    """Whether the states of a set may be kept; on a GPU, where a row comes to the same either way, memory decides."""
    if backbone.device.type != "cpu":
        return True
    num_rows = sum(len(item.rows) for item in items)
    num_read = max((len(row.read) for item in items for row in item.rows), default=0)
    return 4 * num_rows * num_read * backbone.geometry.hidden <= MOST


def states_read(passes: Passes, stacked: Stacked, table: ItemTable, *, fixed: bool) -> States:
    """What gives the states (B, K, H) at the positions that heads read: the backbone or, where it is `fixed`, the
    table's sets are `keepable` and lanes put nothing into it, what it gave for the table's rows before.
    """
    backbone = passes.backbone
    if fixed and stacked.keeps_states:
        kept = kept_states(passes, table)
        if kept is not None:
            return lambda batch: _of_batch(kept, batch)
    return lambda batch: batch.gathered(backbone.hidden(batch, stacked))


def kept_states(passes: Passes, table: ItemTable) -> Tensor | None:
    """(M + 1, K, H) of all rows of a table, made once; None where they would take too much of a GPU's memory."""
    if id(table) not in passes.kept:
        backbone = passes.backbone
        room = _room((len(table.ids), table.read.shape[1], backbone.geometry.hidden), backbone.device)
        if room is not None:
            _read(passes, table, room)
        passes.kept[id(table)] = room
    return passes.kept[id(table)]


def _room(shape: tuple[int, int, int], device: torch.device) -> Tensor | None:
    """Zeros, which on a processor lie in a file without a name where memory is short."""
    num_bytes = 4 * math.prod(shape)
    if num_bytes <= available_bytes(device) * SHARE:
        return torch.zeros(shape, device=device)
    if device.type != "cpu":
        return None
    with TemporaryFile() as file:
        for start in range(0, num_bytes, BLOCK):  # written, since a disk that is full ends who reads a file of holes
            file.write(bytes(min(BLOCK, num_bytes - start)))
        file.flush()
        return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=shape))


@torch.no_grad()
def _read(passes: Passes, table: ItemTable, kept: Tensor) -> None:
    """Fill `kept` (M + 1, K, H) with the states of a table's rows."""
    backbone, stacked, num_read = passes.backbone, Stacked([Prompts()]), kept.shape[1]

    def body(batch: MicroBatch) -> tuple[Tensor, ...]:
        with torch.no_grad(), backbone.autocast():
            states = batch.gathered(backbone.hidden(batch, stacked))[:, :num_read]
        kept[batch.numbers, : states.shape[1]] = states.to(kept.dtype)
        return (states[:, 0],)  # by which shapes are compared

    count = len(table.sizes.first)
    owners = np.searchsorted(np.array(table.starts), np.arange(count), side="right") - 1  # a set goes by itself
    tickets = Tickets(np.arange(count), owners, np.arange(count), np.zeros(count, np.int64))
    program = Program(stacked, body, ("states", stacked.kind))
    with passes.running():
        passes.run(program, table, tickets, np.ones(count, np.int64))


def _of_batch(kept: Tensor, batch: MicroBatch) -> Tensor:
    num_read = batch.read.shape[1]
    return widened(kept.index_select(0, batch.numbers)[:, :num_read], num_read)
