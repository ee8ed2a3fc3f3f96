"""Dropout that belongs to a row: a function of the row's own seed and of where in the row it falls.

So a row's dropout is the same in any company, however its micro-batch is cut and padded, and on any device. Draws come
from a counter-based generator (the finalizer of SplitMix64, Steele et al. 2014): element i of a row is mixed from the
row's seed and i alone, for all rows at once.

Shape legend: B rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.seeds import derive

_GAMMA, _FIRST, _SECOND = -7_046_029_254_386_353_131, -4_658_895_280_553_007_687, -7_723_592_293_110_705_685
_PART = -3_335_678_366_873_096_957  # parts' keys lie far apart
_LEVELS = 1 << 16  # a draw has 16 bits: four to a mixed number, and rates are rounded to 1 / 65,536


@dataclass(frozen=True)
class RowDraws:
    """What rows draw from: (B,) each."""

    keys: Tensor
    levels: Tensor  # int32: what is drawn below them is dropped
    scales: Tensor  # what is kept is multiplied by

    def multipliers(self, shape: tuple[int, ...], part: int = 0) -> Tensor:
        """(B, *shape): 0 with probability `rate`, else 1 / (1 - rate). Draws for two parts are independent."""
        count = math.prod(shape)
        keys = self.keys + part_key(part)
        numbers = _mixed(keys[:, None] + _counters(-(-count // 4), keys.device))  # (B, count / 4)
        draws = numbers.view(torch.int16)[:, :count].view(len(keys), *shape)  # -32,768 … 32,767
        by_row = (-1, *[1] * len(shape))
        return (draws >= (self.levels - _LEVELS // 2).view(by_row)).float() * self.scales.view(by_row)


def row_draws(seeds: Tensor, rates: Tensor, stream: str) -> RowDraws:
    """Of rows with these seeds and rates, (B,) each; those of two names of a `stream` are independent."""
    levels = (rates.float() * _LEVELS).round()
    return RowDraws(row_keys(seeds, stream), levels.int(), _LEVELS / (_LEVELS - levels))


def part_key(part: int) -> int:
    """What is added to a row's key for a part of what is drawn."""
    return wrapped(part * _PART)


def keep_places(keys: Tensor, rate: float, shape: tuple[int, ...]) -> Tensor:
    """Multipliers (B, *shape) of at most three dimensions, each element's draw a function of its row and its indices.

    So a shape that is padded has the same draws where the smaller one has any. `keys` (B,) are `row_keys`.
    """
    places = torch.arange(1, -(-shape[-1] // 4) + 1, device=keys.device)  # of four elements each
    for size in shape[-2::-1]:
        indices = torch.arange(size, device=keys.device).view(size, *[1] * places.dim())
        places = places + (indices << (20 * places.dim()))
    states = keys.view(-1, *[1] * places.dim()) + places * _GAMMA
    draws = _mixed(states).view(torch.int16)[..., : shape[-1]]
    level = round(rate * _LEVELS)
    return (draws >= level - _LEVELS // 2).float().mul_(_LEVELS / (_LEVELS - level))


def row_keys(seeds: Tensor, stream: str) -> Tensor:
    """What the draws of rows with these seeds (B,) begin from: (B,)."""
    return _mixed(seeds ^ derive("dropout stream", stream))


def wrapped(number: int) -> int:
    """The number as 64 bits with a sign hold it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _counters(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, dtype=torch.int64, device=device) * _GAMMA


def _mixed(state: Tensor) -> Tensor:
    """64 well-mixed bits of 64 bits; integer products wrap round on every device."""
    state = (state ^ _shifted(state, 30)) * _FIRST
    state = (state ^ _shifted(state, 27)) * _SECOND
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, bits: int) -> Tensor:
    """A shift to the right that fills with zeros; torch's fills with the sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
