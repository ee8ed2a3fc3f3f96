"""The two operations of `bench.model.rows` as one GPU kernel each, where Triton is there.

They do what the torch operations there do, without a dozen passes over memory: a row's draw of dropout is made where it
is used, and a lane's gradients are added up by one thread for each number, in the order of the rows.
"""

# mypy: ignore-errors
from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from bench.model.dropout import RowDraws, part_key

BLOCK = 1024
GAMMA, FIRST, SECOND = (tl.constexpr(number) for number in (  # as bench.model.dropout has them
    -7_046_029_254_386_353_131, -4_658_895_280_553_007_687, -7_723_592_293_110_705_685
))  # fmt: skip
LEVELS = tl.constexpr(1 << 16)


@triton.jit
def _multiplier(key, offsets, level, scale):
    """0 or 1 / (1 - rate) of elements: 16 bits of a number that is mixed for four of them."""
    state = key + (offsets // 4 + 1).to(tl.int64) * GAMMA
    state = (state ^ ((state >> 30) & ((1 << 34) - 1))) * FIRST
    state = (state ^ ((state >> 27) & ((1 << 37) - 1))) * SECOND
    state = state ^ ((state >> 31) & ((1 << 33) - 1))
    draw = ((state >> ((offsets % 4) * 16).to(tl.int64)) & 0xFFFF).to(tl.int32)
    draw = tl.where(draw >= 32768, draw - 65536, draw)
    return tl.where(draw >= level - LEVELS // 2, scale, 0.0)


@triton.jit
def _gather(values, owners, keys, levels, scales, part, out, stride, count, DROPS: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(1)
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    owner = tl.load(owners + row)
    numbers = tl.load(values + owner * stride + offsets, mask=inside, other=0.0)
    if DROPS:
        numbers *= _multiplier(tl.load(keys + row) + part, offsets, tl.load(levels + row), tl.load(scales + row))
    tl.store(out + row.to(tl.int64) * count + offsets, numbers, mask=inside)


@triton.jit
def _add(
    totals, owners, keys, levels, scales, part, terms, stride, rows, count, DROPS: tl.constexpr, BLOCK: tl.constexpr
):
    lane = tl.program_id(1)
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    place = totals + lane.to(tl.int64) * stride + offsets
    total = tl.load(place, mask=inside, other=0.0)
    for row in range(rows):
        if tl.load(owners + row) == lane:
            term = tl.load(terms + row.to(tl.int64) * count + offsets, mask=inside, other=0.0).to(tl.float32)
            if DROPS:
                term *= _multiplier(tl.load(keys + row) + part, offsets, tl.load(levels + row), tl.load(scales + row))
            total += term
    tl.store(place, total, mask=inside)


def gather_rows(values: Tensor, owners: Tensor, draws: RowDraws | None, part: int) -> Tensor:
    """(S, *shape) -> (B, *shape), dropped out where there are draws.

    All but the first dimension of `values` is contiguous.
    """
    out = torch.empty(len(owners), *values.shape[1:], dtype=values.dtype, device=values.device)
    count = values[0].numel()
    grid = (triton.cdiv(count, BLOCK), len(owners))
    with torch.cuda.device_of(values):  # Triton launches where torch is, not where the tensors are
        _gather[grid](values, owners, *_drawn(draws, owners), part_key(part), out, values.stride(0), count,
                      DROPS=draws is not None, BLOCK=BLOCK)  # fmt: skip
    return out


def add_rows(totals: Tensor, owners: Tensor, terms: Tensor, draws: RowDraws | None, part: int) -> None:
    """totals[owners[i]] += terms[i], dropped out as above, for i = 0, 1, …; nobody's, the last of S, are left out."""
    count = totals[0].numel()
    grid = (triton.cdiv(count, BLOCK), len(totals) - 1)
    with torch.cuda.device_of(totals):
        _add[grid](totals, owners, *_drawn(draws, owners), part_key(part), terms.contiguous(), totals.stride(0),
                   len(owners), count, DROPS=draws is not None, BLOCK=BLOCK)  # fmt: skip


def _drawn(draws: RowDraws | None, owners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return (owners, owners, owners) if draws is None else (draws.keys, draws.levels, draws.scales)
