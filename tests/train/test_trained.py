"""Did it train? A silently frozen tensor, or one that moves and should not, fails the cell by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bench.train.loop import fit
from bench.train.optim import Moved, Optimization
from bench.train.trained import NotTrained, Watch, checksum


def lane_after(workshop, sabotage, method="ptv2", **cell):
    backbone = workshop.backbone()
    (spec,) = workshop.cells(method, **cell)
    lane = workshop.lane(spec, backbone)
    sabotage(lane, backbone)
    fit(backbone, [lane], 200)
    return lane


def test_a_prompt_cut_off_from_its_graph_fails_by_name(workshop):
    def cut(lane, _):
        make = lane.attachment.make
        lane.attachment.make = lambda: type(made := make())(made.slots, made.prefixes.detach(), made.layers)

    lane = lane_after(workshop, cut)
    assert (lane.status, lane.step) == ("failed", 3)
    assert lane.reason == "attachment.vectors should train but had no gradient in the first 3 steps"


@pytest.fixture
def forget(monkeypatch):
    """An optimizer that knows nothing of the head's bias."""

    def forget(lane, _):
        groups = Moved.groups

        def others(moved):
            return [([each for each in members if each is not lane.head.linear.bias], rate)
                    for members, rate in groups(moved)]  # fmt: skip

        monkeypatch.setattr(Moved, "groups", others)

    return forget


def test_a_tensor_the_optimizer_forgot_fails_by_name(workshop, forget):
    lane = lane_after(workshop, forget)
    assert lane.reason == "head.linear.bias should train but did not move in the first 3 steps"


def test_a_frozen_weight_that_moves_fails_by_name(workshop, monkeypatch):
    def leak(_, backbone):
        weight = backbone.encoder.embeddings.LayerNorm.weight
        move = Optimization.move

        def move_and_leak(optimization):
            move(optimization)
            weight.data.mul_(1.0001)

        monkeypatch.setattr(Optimization, "move", move_and_leak)

    lane = lane_after(workshop, leak)
    assert lane.status == "failed"
    assert lane.reason == "backbone.bert.embeddings.LayerNorm.weight should stay frozen but has moved"


def test_a_run_shorter_than_the_check_is_checked_at_its_end(workshop, forget):
    assert "in the first 2 steps" in lane_after(workshop, forget, budget={"steps": 2}).reason


def test_checksum_sees_one_bit_and_two_values_swapped():
    tensor = torch.arange(10.0)
    before = checksum(tensor)
    tensor[3] = torch.nextafter(tensor[3], torch.tensor(9.0))
    assert checksum(tensor) != before
    assert checksum(torch.tensor([1.0, 2.0])) != checksum(torch.tensor([2.0, 1.0]))


def test_a_gradient_of_zeros_is_no_gradient():
    weight = nn.Parameter(torch.ones(2))
    watch = Watch({"weight": weight}, {})
    weight.grad = torch.zeros(2)
    watch.saw_gradients()
    with pytest.raises(NotTrained, match="weight should train but had no gradient"):
        watch.check(3)
