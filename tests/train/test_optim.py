"""Lanes moved together: torch's AdamW, clipping and schedules for each, and the same bits in any company."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from bench.model.attachment import SlotPrompts
from bench.registry import build, find_method
from bench.train.optim import Moved, Optimization

STEPS = 25
WAYS = pytest.mark.parametrize("apart", [True, False], ids=["apart, as on a processor", "together, as on a GPU"])
SETTINGS = (  # of each lane: what may differ between lanes of one stack
    {"learning_rate": 0.03, "warmup": 0.2, "clip": 0.5, "weight_decay": 0.1},
    {"learning_rate": 1e-3, "clip": 1e6, "schedule": "constant"},
    {"learning_rate": 0.5, "warmup": 0.5, "schedule": "constant", "weight_decay": 0.01},
    {"learning_rate": 0.01, "clip": 1e-3},
    {"learning_rate": 0.01, "steps": 10, "weight_decay": 0.3},
)


class Parts:
    """An attachment of 3 × 5 vectors through a layer, and a head, with the gradients of every step."""

    def __init__(self, settings: dict[str, object], seed: int, optimizer: str = "adamw") -> None:
        given = {"optimizer": optimizer, "schedule": "linear", **settings}
        self.num_steps = int(str(given.pop("steps", STEPS)))
        torch.manual_seed(seed)
        encoder = nn.Linear(5, 5)
        self.attachment = SlotPrompts(torch.randn(3, 5), encoder, 0.02 * (seed + 1))
        self.head, self.method = nn.Linear(5, 2), build(find_method("ptv2"), given)
        self.tensors = [*self.attachment.parameters(), *self.head.parameters()]
        self.gradients = [[torch.randn_like(each) * 2 for each in self.tensors] for _ in range(STEPS)]

    @property
    def moved(self) -> Moved:
        return Moved(self.method, self.attachment, [self.head], self.num_steps)

    @property
    def values(self) -> list[torch.Tensor]:
        return [each.detach().clone() for each in self.tensors]


def ours(lanes: Sequence[Parts], apart: bool) -> list[list[list[torch.Tensor]]]:
    """The values of each lane after each step; a lane takes no more steps than its own."""
    optimization, after = Optimization([lane.moved for lane in lanes], apart), []
    for step in range(STEPS):
        optimization.clear()
        for lane in lanes:
            for tensor, gradient in zip(lane.tensors, lane.gradients[step], strict=True):
                assert tensor.grad is not None
                assert not tensor.grad.any()
                tensor.grad.copy_(gradient)
        optimization.prepare([step < lane.num_steps for lane in lanes])
        optimization.move()
        after.append([lane.values for lane in lanes])
    return [list(of_lane) for of_lane in zip(*after, strict=True)]


def theirs(lane: Parts) -> list[list[torch.Tensor]]:
    """By torch.optim.AdamW, clip_grad_norm_ and transformers' schedules, in float64."""
    from transformers import get_constant_schedule_with_warmup, get_linear_schedule_with_warmup

    doubles = [nn.Parameter(tensor.detach().double()) for tensor in lane.tensors]
    twin = {id(tensor): double for tensor, double in zip(lane.tensors, doubles, strict=True)}
    groups = [{"params": [twin[id(each)] for each in members], "lr": rate} for members, rate in lane.moved.groups()]
    optimizer = torch.optim.AdamW(groups, weight_decay=lane.method.weight_decay)
    warmup = round(lane.method.warmup * lane.num_steps)
    schedule = (
        get_constant_schedule_with_warmup(optimizer, warmup)
        if lane.method.schedule == "constant"
        else get_linear_schedule_with_warmup(optimizer, warmup, lane.num_steps)
    )
    after = []
    for step in range(lane.num_steps):
        for double, gradient in zip(doubles, lane.gradients[step], strict=True):
            double.grad = gradient.double()
        nn.utils.clip_grad_norm_(doubles, lane.method.clip)
        optimizer.step()
        schedule.step()
        after.append([double.detach().clone() for double in doubles])
    return after


def parts(optimizer: str = "adamw") -> list[Parts]:
    return [Parts(settings, seed, optimizer) for seed, settings in enumerate(SETTINGS)]


@WAYS
def test_every_step_of_every_lane_is_torchs_adamw_with_its_own_rate_schedule_clipping_and_decay(apart):
    lanes = parts()
    expected = [theirs(lane) for lane in lanes]
    for lane, mine, wanted in zip(lanes, ours(lanes, apart), expected, strict=True):
        for step in range(lane.num_steps):
            for found, exact in zip(mine[step], wanted[step], strict=True):
                error = (found.double() - exact).norm() / exact.norm()
                assert error < 1e-6, (lane.method, step)


@WAYS
@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_a_lane_has_the_same_bits_alone_and_beside_others_whatever_their_number_and_order(optimizer, apart):
    together = ours(parts(optimizer), apart)
    turned = ours(parts(optimizer)[::-1], apart)[::-1]
    for at in range(len(SETTINGS)):
        (alone,) = ours([parts(optimizer)[at]], apart)
        for one, other, third in zip(alone, together[at], turned[at], strict=True):
            assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
            assert all(torch.equal(*pair) for pair in zip(one, third, strict=True))


@WAYS
@pytest.mark.parametrize("optimizer", ["adamw", "adafactor"])
def test_a_lane_of_fewer_steps_stays_where_it_ended_while_others_go_on(optimizer, apart):
    lanes = parts(optimizer)
    (short,) = [at for at, lane in enumerate(lanes) if lane.num_steps < STEPS]
    after = ours(lanes, apart)
    assert all(
        torch.equal(*pair) for step in range(9, STEPS) for pair in zip(after[short][step], after[short][9], strict=True)
    )
    assert not torch.equal(after[0][9][0], after[0][-1][0])


@WAYS
def test_a_lane_of_numbers_that_are_none_spoils_no_other(apart):
    lanes, sound = parts(), ours(parts(), apart)
    lanes[1].gradients[4][0].fill_(torch.nan)
    lanes[2].gradients[6][1].fill_(torch.inf)
    for at, after in enumerate(ours(lanes, apart)):
        same = all(torch.equal(*pair) for pair in zip(after[-1], sound[at][-1], strict=True))
        assert same is (at not in (1, 2))


def test_a_lanes_parameters_are_views_into_the_rows_of_a_matrix_and_keep_their_values():
    lanes = parts()
    before = [lane.values for lane in lanes]
    optimization = Optimization([lane.moved for lane in lanes])
    for at, lane in enumerate(lanes):
        row = optimization.values[at]
        for tensor, value in zip(lane.tensors, before[at], strict=True):
            assert torch.equal(tensor, value)
            assert 0 <= tensor.data_ptr() - row.data_ptr() < row.numel() * 4
        assert sum(tensor.numel() for tensor in lane.tensors) <= row.numel()
    assert optimization.values.abs().sum().item() == pytest.approx(
        sum(value.abs().sum().item() for values in before for value in values), rel=1e-5
    )
