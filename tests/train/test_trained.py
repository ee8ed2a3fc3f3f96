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


@pytest.mark.parametrize("rate", [2e-8, 2e-5])
def test_what_a_step_is_too_small_for_is_not_asked_to_move(rate, workshop):
    """A rate that is warming up lies below the spacing of norms' weights, which are about one."""
    settings = {"finetune": {"learning_rate": rate, "warmup": 0.9}}
    backbone = workshop.backbone(frozen=False)
    (spec,) = workshop.cells("finetune", settings=settings, budget={"steps": 300, "evaluations": 1, "epochs": None})
    lane = workshop.lane(spec, backbone)
    weight = backbone.encoder.embeddings.LayerNorm.weight
    before = weight.detach().clone()
    fit(backbone, [lane], 200)
    assert (lane.status, lane.reason) == ("done", None)
    assert torch.equal(weight, before) == (rate == 2e-8)


def watched(value, gradient, rate):
    weight = nn.Parameter(torch.full((2,), value))
    watch = Watch({"weight": weight, "other": (other := nn.Parameter(torch.zeros(1)))}, {}, rates={"weight": rate})
    other.grad = torch.ones(1)
    weight.grad = torch.full((2,), gradient)
    watch.saw_gradients(0.01)
    with torch.no_grad():
        other += 1.0
    return watch


@pytest.mark.parametrize(
    ("value", "gradient", "rate", "step"),
    [
        (1.0, 1.0, 1e-3, "the first 3"),  # a hundredth of it is still a hundred spacings
        (1.0, 1.0, 1e-5, "300"),  # which only the whole rate is
        (1.0, 1.0, 1e-7, None),  # never
        (1.0, 1e-10, 1e-3, None),  # of rounding nothing follows
        (0.0, 1.0, 1e-7, "the first 3"),
    ],
)
def test_what_cannot_but_move_and_has_not_fails_as_soon_as_that_is_known(value, gradient, rate, step):
    watch = watched(value, gradient, rate)
    said = []
    for check, steps in ((watch.check, 3), (watch.check_at_end, 300)):
        try:
            check(steps)
        except NotTrained as error:
            said.append(str(error))
    where = f"in {step} steps"
    assert said[:1] == ([f"weight should train but did not move {where}"] if step else [])


def test_where_nothing_has_moved_in_the_end_nothing_was_trained():
    weight = nn.Parameter(torch.ones(2))
    watch = Watch({"weight": weight}, {}, rates={"weight": 1e-9})
    weight.grad = torch.ones(2)
    watch.saw_gradients(1.0)
    watch.check(3)
    with pytest.raises(NotTrained, match="weight should train but did not move in 9 steps"):
        watch.check_at_end(9)


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
