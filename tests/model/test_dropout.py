"""Draws that belong to a row: SplitMix64's, in whatever company, and as random as they should be."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import binomtest, chisquare

from bench.model.dropout import keep_places, row_draws, row_keys
from bench.seeds import derive

ALL = (1 << 64) - 1


def keep_mask(seeds: torch.Tensor, rate: float | torch.Tensor, shape: tuple[int, ...], stream: str = "", part: int = 0):
    rates = rate if isinstance(rate, torch.Tensor) else torch.full((len(seeds),), rate, dtype=torch.float64)
    return row_draws(seeds, rates, stream).multipliers(shape, part)


def finalized(state: int) -> int:
    """SplitMix64's mix of 64 bits (Steele et al. 2014), in Python's integers."""
    state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & ALL
    state = (state ^ (state >> 27)) * 0x94D049BB133111EB & ALL
    return state ^ (state >> 31)


def kept(seed: int, rate: float, count: int, stream: str) -> list[bool]:
    key = finalized(seed ^ derive("dropout stream", stream))
    found = []
    for element in range(count):
        mixed = finalized((key + (element // 4 + 1) * 0x9E3779B97F4A7C15) & ALL)
        draw = (mixed >> 16 * (element % 4)) & 0xFFFF
        signed = draw - 0x10000 if draw >= 0x8000 else draw
        found.append(signed >= round(rate * 65_536) - 32_768)
    return found


@pytest.mark.parametrize("seed", [0, 5, derive("a", 1)])
def test_draws_are_those_of_splitmix(seed):
    mask = keep_mask(torch.tensor([seed]), 0.3, (5, 7), "head")
    assert (mask[0] > 0).flatten().tolist() == kept(seed, 0.3, 35, "head")


def test_a_rows_draws_are_the_same_beside_any_rows():
    seeds, rates = torch.tensor([3, 4, 5, 6]), [0.1, 0.5, 0.0, 0.25]
    together = keep_mask(seeds, torch.tensor(rates), (11, 3), "prompt")
    for place, rate in enumerate(rates):
        assert torch.equal(keep_mask(seeds[place : place + 1], rate, (11, 3), "prompt")[0], together[place])
    assert (together[2] == 1).all()


def test_more_elements_begin_with_the_same_draws():
    few, many = (keep_mask(torch.tensor([9]), 0.5, (count, 8)) for count in (2, 5))
    assert torch.equal(few[0], many[0, :2])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_a_share_of_rate_is_dropped_and_the_mean_is_kept(rate):
    mask = keep_mask(torch.arange(100), rate, (1000,))
    assert binomtest(int((mask == 0).sum()), mask.numel(), rate).pvalue > 1e-3
    assert set(mask.unique().tolist()) == {0.0, mask.max().item()}
    assert mask.max().item() == pytest.approx(1 / (1 - rate), rel=1e-4)


def test_rows_of_neighbouring_seeds_streams_parts_and_elements_are_independent():
    seeds = torch.arange(1000)
    drawn, other = (keep_mask(seeds, 0.5, (8,), stream) > 0 for stream in "ab")
    part = keep_mask(seeds, 0.5, (8,), "a", part=1) > 0
    for first, second in ((drawn[1:], drawn[:-1]), (drawn, other), (drawn, part), (drawn[:, 1:], drawn[:, :-1])):
        pairs = torch.bincount((2 * first + 1 * second).flatten(), minlength=4)
        assert chisquare(pairs.tolist()).pvalue > 1e-3


def test_draws_by_place_depend_on_row_and_place_alone():
    keys = row_keys(torch.tensor([3, 4]), "layer 0")
    whole = keep_places(keys, 0.5, (2, 3, 9))
    assert torch.equal(keep_places(keys[1:], 0.5, (1, 2, 6))[0], whole[1, :1, :2, :6])
    assert len({tuple(whole[1, at, token].tolist()) for at in range(2) for token in range(3)}) == 6
    share = keep_places(row_keys(torch.arange(100), "x"), 0.1, (10, 100))
    assert binomtest(int((share == 0).sum()), share.numel(), 0.1).pvalue > 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(1,), (7,), (6, 12, 20, 64), (4, 1023)])
def test_a_gpu_draws_what_a_processor_does(shape):
    seeds, rates = torch.tensor([0, 5, derive("a", 1), 7]), torch.tensor([0.1, 0.0, 0.5, 0.9], dtype=torch.float64)
    for part in (0, 1, 23):
        drawn = row_draws(seeds, rates, "prompt").multipliers(shape, part)
        assert torch.equal(row_draws(seeds.cuda(), rates.cuda(), "prompt").multipliers(shape, part).cpu(), drawn)
    keys = row_keys(seeds.cuda(), "inside")
    assert torch.equal(keep_places(keys, 0.3, shape[-3:]).cpu(), keep_places(keys.cpu(), 0.3, shape[-3:]))
