"""A lane's tensor once for each of its rows, with gradients that are added up row by row.

A sum of floats depends on the order of its terms, and how a lane's rows are divided over micro-batches depends on who
shares the loop. So gradients of rows are added to the lane's tensor one after the other, in the order in which the
lane has its rows, across micro-batches.

Shape legend: B rows, N rows of one lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

WIDE = 64  # elements


def repeated(tensor: Tensor, count: int) -> Tensor:
    """The tensor `count` times (N, *shape). Of a leaf, `grad` grows by each row's gradient in turn."""
    if not (torch.is_grad_enabled() and tensor.requires_grad):
        return tensor.expand(count, *tensor.shape)
    copies: Tensor = _Repeated.apply(tensor, count)  # type: ignore[no-untyped-call]
    return copies


def assembled(blocks: Sequence[Tensor], rows: Sequence[Sequence[int]], count: int) -> Tensor:
    """(B, *shape): block i's rows at the places rows[i], zeros where no block has a row."""
    places = [place for block_rows in rows for place in block_rows]
    empty = [place for place in range(count) if place not in set(places)] if len(places) < count else []
    if empty:
        blocks = [*blocks, blocks[0].new_zeros(len(empty), *blocks[0].shape[1:])]
        places += empty
    stacked = torch.cat(list(blocks)) if len(blocks) > 1 else blocks[0]
    if places == sorted(places):
        return stacked
    order = sorted(range(count), key=places.__getitem__)
    return stacked.index_select(0, torch.tensor(order, device=stacked.device))


def add_in_order(totals: Tensor, owners: Tensor, values: Tensor) -> None:
    """totals[owners[i]] += values[i] for i = 0, 1, …: the terms of each sum one after the other."""
    if totals.device.type == "cuda":
        # index_add_ has atomics here; this sorts by owner, and adds the terms of each in their order where they are
        # wider than a warp; narrower ones are added by a tree
        size = totals[0].numel()
        if size >= WIDE:
            totals.index_put_((owners,), values, accumulate=True)
            return
        wide, terms = (nn.functional.pad(rows.reshape(len(rows), size), (0, WIDE - size)) for rows in (totals, values))
        wide.index_put_((owners,), terms, accumulate=True)
        totals.copy_(wide[:, :size].view_as(totals))
    else:
        totals.index_add_(0, owners, values)


class _Repeated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, count: int) -> Tensor:
        ctx.tensor = tensor
        return tensor.expand(count, *tensor.shape).clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None]:
        tensor, rows = ctx.tensor, gradients[0]
        if tensor.is_leaf and tensor.grad is not None:
            total, gradient = tensor.grad, None
        else:
            total = torch.zeros_like(tensor)
            gradient = total
        owners = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        add_in_order(total[None], owners, rows.to(total.dtype))
        return gradient, None
