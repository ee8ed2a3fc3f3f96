"""Stacked values of lanes once for each row of a micro-batch, with gradients that are added up row by row.

A sum of floats depends on the order of its terms, and how a lane's rows are divided over micro-batches depends on who
shares the loop. So gradients of rows are added to their lane's one after the other, in the order in which the lane has
its rows, across micro-batches.

Shape legend: B rows, S stacked lanes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.model.dropout import RowDraws

try:
    from bench.model import kernels
except ImportError:  # no Triton: on a processor, and where torch came without it
    kernels = None  # type: ignore[assignment]

WIDE = 64  # elements


def rows_of(
    values: Tensor, gradients: Tensor | None, owners: Tensor, draws: RowDraws | None = None, part: int = 0
) -> Tensor:
    """(S, *shape), (B,) -> (B, *shape), each row's owner's; with gradients on, rows' are added to `gradients`.

    With `draws` they are dropped out.
    """
    if gradients is None or not torch.is_grad_enabled():
        return _gathered(values, owners, draws, part)
    anchor = torch.zeros((), device=values.device, requires_grad=True)  # so that autograd comes back here
    gathered: Tensor = _RowsOf.apply(anchor, values, gradients, owners, draws, part)  # type: ignore[no-untyped-call]
    return gathered


def _gathered(values: Tensor, owners: Tensor, draws: RowDraws | None, part: int) -> Tensor:
    differentiable = values.requires_grad and torch.is_grad_enabled()
    if kernels is not None and values.is_cuda and values.dtype == torch.float32 and not differentiable:
        return kernels.gather_rows(values, owners, draws, part)
    rows = values.index_select(0, owners)
    return rows if draws is None else rows * draws.multipliers(tuple(rows.shape[1:]), part)


def _add(gradients: Tensor, owners: Tensor, rows: Tensor, draws: RowDraws | None, part: int) -> None:
    if kernels is not None and gradients.is_cuda:
        kernels.add_rows(gradients, owners, rows, draws, part)
        return
    rows = rows.to(gradients.dtype)
    add_in_order(gradients, owners, rows if draws is None else rows * draws.multipliers(tuple(rows.shape[1:]), part))


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


def summed(values: Tensor, dim: int = 1) -> Tensor:
    """The sum over a dimension by halves of a power of two: one order of adding on any device and in any company, in
    which zeros beyond change no bit.
    """
    values = values.movedim(dim, 0)
    if not len(values):
        return values.sum(dim=0)
    half = 1 << max(0, len(values) - 1).bit_length() >> 1
    while half:
        first = values[:half].clone()
        first[: len(values) - half] += values[half:]
        values, half = first, half // 2
    return values[0]


class _RowsOf(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, anchor: Tensor, values: Tensor, gradients: Tensor, owners: Tensor, draws: RowDraws | None, part: int
    ) -> Tensor:
        ctx.gradients, ctx.owners, ctx.draws, ctx.part = gradients, owners, draws, part
        return _gathered(values, owners, draws, part)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        _add(ctx.gradients, ctx.owners, gradients[0], ctx.draws, ctx.part)
        return (None,) * 6
