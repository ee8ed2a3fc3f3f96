"""Lanes of one stack: who ends, who diverges and when it is known, and what a step begins with."""

from __future__ import annotations

import pytest
import torch

from bench.registry import build, find_method
from bench.resolved import resolve
from bench.score.evaluate import predict
from bench.train.joint import first_stage
from bench.train.loop import fit
from bench.train.run_data import RunData
from bench.train.stack import Stack
from bench.train.training import Training

EVERY = 8  # steps that are read together here


def lanes_of(workshop, cells, frozen=True):
    backbone = workshop.backbone(frozen)
    return backbone, [workshop.lane(cell, backbone) for cell in cells]


def trained(workshop, cells):
    backbone, lanes = lanes_of(workshop, cells)
    return backbone, lanes, fit(backbone, lanes, 200)


def test_lanes_that_are_alike_are_one_stack_whatever_their_rates_seeds_and_steps(workshop):
    settings = [{"learning_rate": 0.1, "warmup": 0.1, "clip": 2.0, "dropout": 0.5}, {"length": 5}, {"reparam": "mlp"}]
    cells = [
        *workshop.cells("ptv2", seeds=(0, 1), budget={"steps": 4}),
        *(workshop.cells("ptv2", settings={"ptv2": each})[0] for each in settings),
        *workshop.cells("prompt_tuning", "linear_probe"),
        *workshop.cells("ptv2", tasks=("cb",)),
    ]
    backbone, lanes = lanes_of(workshop, cells)
    stacks = Training(backbone, lanes, 200).stacks
    # another prompt length, another parameterisation, another method, other classes
    assert [len(stack.lanes) for stack in stacks] == [3, 1, 1, 1, 1, 1]


def test_a_lane_of_fewer_steps_ends_with_its_best_weights_while_its_stack_goes_on(workshop):
    cells = [*workshop.cells("ptv2", seeds=(0,), budget={"steps": 4}), *workshop.cells("ptv2", budget={"steps": 6})]
    backbone, (short, long), training = trained(workshop, cells)
    assert [len(stack.lanes) for stack in training.stacks] == [2]
    assert (short.status, short.step, long.status, long.step) == ("done", 4, "done", 6)
    for lane, cell in zip((short, long), cells, strict=True):
        _, (alone,), _ = trained(workshop, [cell])
        for name, tensor in alone.stored().items():
            assert torch.equal(tensor, lane.stored()[name]), name
        assert alone.ledger.curve == lane.ledger.curve
        assert predict(backbone, [lane.scored()], 200)[0].scores == predict(backbone, [alone.scored()], 200)[0].scores


def spoil_at(monkeypatch, lane, step):
    """Let a lane's prompts be no numbers from a step on, the first being 1."""
    begin = Stack.step

    def spoiled(stack, active):
        if lane.step + 1 == step and any(lane is each for each in active):
            with torch.no_grad():
                lane.attachment.vectors.fill_(torch.nan)
            stack._ready = False
        return begin(stack, active)

    monkeypatch.setattr(Stack, "step", spoiled)


def read_late(monkeypatch, calls):
    """As on a GPU: steps are read when something asks for it, or there are enough of them."""
    read = Training.read

    def due(training, active):
        backbone = training.backbone
        device, backbone.device = backbone.device, torch.device("cuda")
        try:
            return asked(training, active)
        finally:
            backbone.device = device

    asked = Training.due
    monkeypatch.setattr("bench.train.training.READ_EVERY", EVERY)
    monkeypatch.setattr(Training, "due", due)
    monkeypatch.setattr(Training, "read", lambda training: calls.append(training.lanes[0].step) or read(training))


@pytest.mark.parametrize("late", [False, True])
def test_a_lane_that_diverges_is_recorded_with_its_step_whenever_the_losses_are_read(workshop, monkeypatch, late):
    budget = {"steps": 22, "evaluations": 1, "train_rows": 16}
    cells = workshop.cells("ptv2", seeds=(0, 1), budget=budget)
    backbone, (good, bad) = lanes_of(workshop, cells)
    spoil_at(monkeypatch, bad, 8)
    reads = []
    if late:
        read_late(monkeypatch, reads)
    fit(backbone, [good, bad], 200)
    assert (bad.status, bad.reason, bad.step) == ("diverged", "the loss was nan at step 8", 7)
    assert (good.status, good.step) == ("done", 22)
    if late:
        assert reads == [1, 2, 3, 3 + EVERY, 3 + 2 * EVERY, 22]
    monkeypatch.undo()
    backbone, (alone,) = lanes_of(workshop, cells[:1])
    fit(backbone, [alone], 200)
    assert all(torch.equal(tensor, good.stored()[name]) for name, tensor in alone.stored().items())
    assert alone.ledger.curve == good.ledger.curve
    # of the diverged one eight steps are counted, and nothing of what it went on with
    (twin,) = lanes_of(workshop, cells[1:])[1]
    items = [twin.data.train[number] for _ in range(8) for number in twin.next_batch()[0]]
    counted = sum(len(item.rows) for item in items), sum(item.num_tokens for item in items)
    assert (bad.ledger.forward_passes, bad.ledger.tokens) == counted


def test_losses_are_those_of_their_steps_whenever_they_are_read(workshop, monkeypatch):
    budget = {"steps": 16, "evaluations": 2}
    cells = workshop.cells("ptv2", "prompt_tuning", budget=budget)
    _, soon, _ = trained(workshop, cells)
    read_late(monkeypatch, [])
    _, late, _ = trained(workshop, cells)
    for one, other in zip(soon, late, strict=True):
        assert one.ledger.curve == other.ledger.curve
        assert (one.ledger.tokens, one.ledger.forward_passes) == (other.ledger.tokens, other.ledger.forward_passes)


def test_an_adapters_dropout_is_the_same_however_often_the_lane_is_evaluated(workshop):
    """An evaluation turns it off; the step that comes next has it on."""
    pytest.importorskip("peft")
    settings = {"lora": {"adapter_dropout": 0.5, "learning_rate": 1e-2}}
    losses = []
    for evaluations in (1, 4):
        budget = {"steps": 4, "evaluations": evaluations}
        (cell,) = workshop.cells("lora", settings=settings, budget=budget)
        backbone, (lane,) = lanes_of(workshop, [cell], frozen=False)
        fit(backbone, [lane], 200)
        assert len(lane.ledger.curve) == evaluations
        losses.append(lane.last_loss)
    assert losses[0] == losses[1]


def test_each_step_of_a_first_stage_begins_with_what_all_its_data_sets_have_made_of_the_attachment(
    workshop, monkeypatch
):
    begin, seen = Stack.step, []

    def compared(stack, active):
        taken = begin(stack, active)
        with torch.no_grad():
            wanted = stack.lanes[0].attachment.prompts().prefixes
        assert torch.equal(stack.stacked.values["prefixes"][0], wanted)
        seen.append(stack.lanes[0].task.name)
        return taken

    monkeypatch.setattr(Stack, "step", compared)
    settings = {"mpt2": {"tasks": "cb,rte", "joint_steps": 12}}
    (cell,) = workshop.cells("mpt2", settings=settings, budget={"batch_size": 4})
    stage = first_stage(resolve(cell), workshop.backbone(), RunData(), 300)
    assert (stage.steps, set(seen), stage.trouble) == (12, {"cb", "rte"}, None)
    assert min(seen.count("cb"), seen.count("rte")) > 2


def test_a_first_stage_clips_and_moves_by_one_schedule_whatever_the_data_set(workshop, monkeypatch):
    from bench.train.optim import Optimization, schedule_factor

    made, prepare = [], Optimization.prepare

    def noted(optimization, active=None):
        made.append(optimization.step)
        prepare(optimization, active)
        method = optimization.lanes[0].method
        assert schedule_factor(method, made[-1], 12) > 0

    monkeypatch.setattr(Optimization, "prepare", noted)
    settings = {"mpt2": {"tasks": "cb,rte", "joint_steps": 12}}
    (cell,) = workshop.cells("mpt2", settings=settings, budget={"batch_size": 4})
    first_stage(resolve(cell), workshop.backbone(), RunData(), 300)
    assert made == list(range(12))
    assert build(find_method("mpt2"), {}).schedule == "linear"
