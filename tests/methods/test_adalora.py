"""AdaLoRA: PEFT's own arithmetic, with the steps told and taken by the lane."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from bench.errors import UsageError
from bench.registry import build, find_method
from bench.train.loop import fit
from bench.train.optim import Moved, schedule_factor

SETTINGS = {"init_r": 4, "target_r": 2, "initial": 0.2, "final": 0.2}
MODULES = 4  # PEFT's targets of a BERT, query and value, in each of 2 layers


def lane_of(workshop, steps=10, shared=False, **settings):
    (cell,) = workshop.cells("adalora", settings={"adalora": {**SETTINGS, **settings}}, budget={"steps": steps})
    backbone = workshop.backbone(frozen=shared)
    return workshop.lane(cell, backbone), backbone


def singular_values(lane):
    return torch.cat([each.flatten() for name, each in lane.training_tensors().items() if ".lora_E." in name])


SHARED = pytest.mark.parametrize("shared", [True, False], ids=["by row", "in the model"])


@SHARED
def test_ranks_fall_from_the_first_budget_to_the_last(workshop, shared):
    lane, backbone = lane_of(workshop, shared=shared, warmup=0.0)
    left = []
    after_step = lane.attachment.after_step

    def counted(step):
        after_step(step)
        left.append(int((singular_values(lane) != 0).sum()))

    lane.attachment.after_step = counted
    fit(backbone, [lane], 300)
    assert (lane.status, lane.reason) == ("done", None)
    # 4 ranks a module for the first 2 of 10 steps, at last 2; between them their sum is 8 (1 - t)^3 + 8, t in sixths
    assert left == [4 * MODULES] * 2 + [12, 10, 9, 8, 8, 8] + [2 * MODULES] * 2


def test_the_penalty_is_what_pefts_own_model_adds_to_a_loss(workshop):
    lane, _ = lane_of(workshop, orthogonality=0.3)
    for weight in lane.attachment.weights().values():
        nn.init.normal_(weight, std=0.5)
    tuner = lane.attachment._tuner[0]
    plain = tuner.model.forward
    tuner.model.forward = lambda: SimpleNamespace(loss=torch.tensor(2.0))
    try:
        expected = tuner.forward().loss - 2.0
    finally:
        tuner.model.forward = plain
    torch.testing.assert_close(lane.attachment.penalty(), expected)
    assert expected > 0.1


@SHARED
def test_a_step_is_that_of_pefts_own_loop(workshop, shared):
    """The values after three steps equal those of a loop written as PEFT's documentation has it."""
    lane, backbone = lane_of(workshop, steps=3, shared=shared, dropout=0.0, initial=0.0, final=0.0)
    lane.return_to_best = lambda: None
    other, other_backbone = lane_of(workshop, steps=3, dropout=0.0, initial=0.0, final=0.0)
    fit(backbone, [lane], 10_000)
    from bench.data.batches import collate

    tuner = other.attachment._tuner[0]
    groups = Moved(other.method, other.attachment, [other.head], 3).groups()
    optimizer = torch.optim.AdamW([{"params": members, "lr": rate} for members, rate in groups],
                                  weight_decay=other.method.weight_decay)  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule_factor(other.method, step, 3))
    for step in range(1, 4):
        optimizer.zero_grad()
        items = [other.data.train[number] for number in other.next_batch()[0]]
        batch = collate(items, other_backbone.pad_id, other_backbone.device)
        states = other_backbone.encoder(
            input_ids=batch.ids, attention_mask=batch.mask, token_type_ids=batch.types
        ).last_hidden_state
        scores = other.head.linear(states[:, 0])
        loss = nn.functional.cross_entropy(scores, torch.tensor([item.targets[0] for item in items]))
        tuner.model.forward = lambda loss=loss: SimpleNamespace(loss=loss)
        tuner.forward().loss.backward()
        del tuner.model.forward
        nn.utils.clip_grad_norm_(other.training_tensors().values(), 1.0)
        optimizer.step()
        schedule.step()
        tuner.update_and_allocate(step)
    expected = {name.removeprefix("backbone."): value for name, value in other.training_tensors().items()}
    for name, value in lane.training_tensors().items():
        name = name.removeprefix("backbone.").removeprefix("attachment.adapter.")
        torch.testing.assert_close(value, expected[name], msg=name)


@pytest.mark.parametrize(("interval", "initial", "final"), [(1, 0, 0), (2, 3, 4), (3, 0, 5), (1, 6, 1)])
def test_ranks_are_allotted_as_pefts_allocator_does_step_by_step(interval, initial, final):
    """On modules of two shapes, with gradients of chance."""
    import peft
    from peft.tuners.adalora import AdaLoraModel
    from peft.tuners.adalora.layer import RankAllocator

    from bench.methods.parts.rank_allocation import RankAllocation
    from bench.model.named_tensors import NamedTensors

    generator = torch.Generator().manual_seed(0)
    values = {
        f"layer.{at}.{part}.default": torch.randn(shape, generator=generator)
        for at, size in enumerate((5, 7, 5))
        for part, shape in (("lora_A", (4, size)), ("lora_B", (6, 4)), ("lora_E", (4, 1)))
    }
    schedule = {"tinit": initial, "tfinal": final, "deltaT": interval, "target_r": 1, "init_r": 4, "total_step": 12}
    ours, theirs = (NamedTensors(values, values, torch.device("cpu")) for _ in range(2))
    config = peft.AdaLoraConfig(**schedule)
    allocation = RankAllocation(peft.AdaLoraConfig(**schedule), dict(ours.named_parameters()), None, None)
    allocation.begin(12)
    model = SimpleNamespace(
        peft_config={"default": config}, trainable_adapter_name="default", model=theirs,
        rankallocator=RankAllocator(theirs, config, "default"),
    )  # fmt: skip
    for step in range(1, 13):
        for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            own.grad = torch.randn(own.shape, generator=generator)
            other.grad = own.grad.clone()
            with torch.no_grad():  # as an optimizer would, which revives what was lost
                own.add_(0.1 * own.grad), other.add_(0.1 * own.grad)
        allocation.after_step(step)
        AdaLoraModel.update_and_allocate(model, step)
        for own, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(own, other), step
    assert sum(int((value != 0).sum()) for name, value in ours.named_parameters() if "lora_E" in name) == 3


def test_two_steps_are_enough_and_one_is_not(workshop):
    lane, backbone = lane_of(workshop, steps=2)
    fit(backbone, [lane], 300)
    assert (lane.status, lane.reason) == ("done", None)
    with pytest.raises(UsageError, match="no step is left to allot ranks in: 0 at first and 0 at last of 1"):
        lane_of(workshop, steps=1)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"target_r": 12}, "less than init_r"), ({"initial": 0.6, "final": 0.4}, "leave steps between")],
)
def test_settings_that_leave_nothing_to_allot_are_refused(settings, reason):
    with pytest.raises(ValidationError, match=reason):
        build_raw(settings)


def build_raw(settings):
    return find_method("adalora")(**settings)


def test_a_schedule_in_steps_that_is_longer_than_the_cell_is_one_error(workshop):
    config = {"config": "ADALORA:tinit=4,tfinal=4"}
    (cell,) = workshop.cells("peft", settings={"peft": config}, budget={"steps": 8})
    with pytest.raises(UsageError, match="no step is left to allot ranks in: 4 at first and 4 at last of 8"):
        workshop.lane(cell, workshop.backbone(frozen=False))
    assert build(find_method("peft"), config).config.startswith('{"peft_type": "ADALORA"')
