"""A lane's numbers in any company: the same bits in own micro-batches, and on a GPU in those of fixed shapes.

A processor shares no micro-batches, and promises no bits there: some of its kernels round a row by its place (seen with
ATEN_CPU_CAPABILITY=default and two threads). What is shared is right all the same, which is tried here.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.model.captured import Graphs
from bench.score.evaluate import predict
from bench.train.loop import fit

PROMPTS = ("prompt_tuning", "ptuning_v1", "ptv2")
BY_ROW = ("lora", "ia3", "adalora", "bitfit")
DROPPED = {name: {"adapter_dropout": 0.2} for name in ("lora", "adalora")}
WAYS = pytest.mark.parametrize("fixed_shapes", [False, True], ids=["own", "fixed"])
SHORT: dict[str, Any] = {"budget": {"steps": 3, "evaluations": 1}}


def trained(workshop, cells, fixed_shapes, precision="fp32", device="cpu", token_budget=200):
    backbone = workshop.backbone(device=device, precision=precision)
    backbone.fixed_shapes = fixed_shapes
    lanes = [workshop.lane(cell, backbone) for cell in cells]
    fit(backbone, lanes, token_budget)
    assert [(lane.status, lane.reason) for lane in lanes] == [("done", None)] * len(lanes)
    of_lanes = predict(backbone, [lane.scored() for lane in lanes], token_budget)
    return [
        (lane.stored(), lane.ledger.curve, predictions.scored_answers, predictions.loss)
        for lane, predictions in zip(lanes, of_lanes, strict=True)
    ]


def assert_alike(one, other, fixed_shapes):
    if not fixed_shapes:
        return assert_equal_bits(one, other)
    for name, tensor in one[0].items():
        torch.testing.assert_close(tensor, other[0][name], atol=1e-5, rtol=1e-4)
    for first, second in zip(one[2], other[2], strict=True):
        assert first.probabilities == pytest.approx(second.probabilities, abs=1e-5)
    return None


def assert_equal_bits(one, other):
    assert one[0].keys() == other[0].keys()
    for name, tensor in one[0].items():
        assert torch.equal(tensor, other[0][name]), name
    assert one[1:] == other[1:]


PRECISIONS = pytest.mark.parametrize(
    ("fixed_shapes", "precision"), [(False, "fp32"), (False, "bf16"), (True, "fp32")], ids=["own", "own-bf16", "fixed"]
)


@PRECISIONS
def test_lanes_together_are_lanes_alone(workshop, fixed_shapes, precision):
    cells = (*workshop.cells(*PROMPTS, "linear_probe", **SHORT), *workshop.cells("ptv2", seeds=(1,), **SHORT))
    together = trained(workshop, cells, fixed_shapes, precision)
    for cell, beside in zip(cells, together, strict=True):
        assert_alike(trained(workshop, [cell], fixed_shapes, precision)[0], beside, fixed_shapes)


@PRECISIONS
def test_lanes_that_change_modules_by_row_are_lanes_alone(workshop, fixed_shapes, precision):
    """Seeds, rates, tasks, ranks and kinds of change beside one another, and beside prompts."""
    cells = (
        *workshop.cells(*BY_ROW, settings=DROPPED, **SHORT),
        *workshop.cells("lora", seeds=(1,), settings={"lora": {"learning_rate": 1e-2}}, **SHORT),
        *workshop.cells("lora", tasks=("cb",), settings={"lora": {"r": 4, "alpha": 8}}, **SHORT),
        *workshop.cells("ia3", tasks=("copa",), settings={"ia3": {"head": "verbalizer"}}, **SHORT),
        *workshop.cells("ptv2", **SHORT),
    )
    together = trained(workshop, cells, fixed_shapes, precision)
    for cell, beside in zip(cells, together, strict=True):
        assert_alike(trained(workshop, [cell], fixed_shapes, precision)[0], beside, fixed_shapes)


@WAYS
def test_lanes_of_other_tasks_budgets_and_heads_are_lanes_alone(workshop, fixed_shapes):
    cells = (
        *workshop.cells("ptv2", tasks=("rte",), budget={"steps": 4}),
        *workshop.cells("ptv2", tasks=("cb", "copa"), **SHORT),
        *workshop.cells("ptv2", tasks=("copa",), settings={"ptv2": {"head": "verbalizer", "length": 3}}, **SHORT),
        *workshop.cells("prompt_tuning", tasks=("cb",), **SHORT),
    )
    for cell, beside in zip(cells, trained(workshop, cells, fixed_shapes), strict=True):
        assert_alike(trained(workshop, [cell], fixed_shapes)[0], beside, fixed_shapes)


@PRECISIONS
def test_lanes_with_the_backbones_dropout_on_are_lanes_alone(workshop, fixed_shapes, precision):
    budget = {"steps": 3, "evaluations": 1}
    on, off = ({"budget": {**budget, "backbone_dropout": drops}} for drops in (True, False))
    cells = (*workshop.cells("ptv2", seeds=(0, 1), **on), *workshop.cells("prompt_tuning", **on))
    together = trained(workshop, cells, fixed_shapes, precision)
    for cell, beside in zip(cells, together, strict=True):
        assert_alike(trained(workshop, [cell], fixed_shapes, precision)[0], beside, fixed_shapes)
    (plain,) = trained(workshop, workshop.cells("ptv2", **off), fixed_shapes, precision)
    assert not torch.equal(plain[0]["prefixes"], together[0][0]["prefixes"])


@pytest.mark.slow  # threads of a busy machine wait for one another
def test_on_two_threads_too(workshop):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        cells = workshop.cells("ptv2", "prompt_tuning", budget={"steps": 2})
        for cell, beside in zip(cells, trained(workshop, cells, False), strict=True):
            assert_equal_bits(trained(workshop, [cell], False)[0], beside)
    finally:
        torch.set_num_threads(before)


def test_kept_states_are_the_same_whether_memory_has_room_for_them(workshop, monkeypatch):
    cells = workshop.cells("linear_probe", tasks=("rte", "copa"), **SHORT)
    in_memory = trained(workshop, cells, False)
    monkeypatch.setattr("bench.model.kept.available_bytes", lambda device: 0)
    for one, other in zip(in_memory, trained(workshop, cells, False), strict=True):
        assert_equal_bits(one, other)


def test_lanes_whose_states_are_kept_are_lanes_alone_beside_one_whose_set_is_too_large(workshop, monkeypatch):
    short = SHORT["budget"]
    few = workshop.cells("linear_probe", tasks=("cb", "rte"), budget={**short, "train_rows": 20})
    cells = (few[0], *workshop.cells("linear_probe", budget=short), few[1])
    monkeypatch.setattr("bench.model.kept.MOST", 24 * 32 * 4)  # 24 rows
    for cell, beside in zip(cells, trained(workshop, cells, False), strict=True):
        assert_equal_bits(trained(workshop, [cell], False)[0], beside)


@WAYS
def test_the_order_of_lanes_changes_nothing(workshop, fixed_shapes):
    cells = (*workshop.cells("ptv2", seeds=(0, 1), **SHORT), *workshop.cells("prompt_tuning", **SHORT))
    forth, back = trained(workshop, cells, fixed_shapes), trained(workshop, cells[::-1], fixed_shapes)[::-1]
    for one, other in zip(forth, back, strict=True):
        assert_alike(one, other, fixed_shapes)


@pytest.mark.parametrize("method", ["ptv2", "prompt_tuning", "ptuning_v1", "finetune", *BY_ROW])
def test_both_ways_of_cutting_are_the_same_arithmetic(workshop, method):
    (cell,) = workshop.cells(method, **SHORT)
    own, fixed = (trained(workshop, [cell], each)[0] for each in (False, True))
    for first, second in zip(own[2], fixed[2], strict=True):
        assert first.probabilities == pytest.approx(second.probabilities, abs=1e-5)


GPU_PRECISIONS = pytest.mark.parametrize("precision", ["fp32", "bf16"])


@pytest.mark.gpu
@GPU_PRECISIONS
@pytest.mark.parametrize("token_budget", [200, 2048])
def test_on_a_gpu_lanes_together_have_the_bits_of_lanes_alone(workshop, precision, token_budget):
    where = {"precision": precision, "device": "cuda", "token_budget": token_budget}
    cells = (
        *workshop.cells(*PROMPTS, "linear_probe", seeds=(0, 1), budget={"steps": 20}),
        *workshop.cells("ptv2", budget={"steps": 20}, settings={"ptv2": {"length": 140}}),  # keys over two blocks
        *workshop.cells("ptv2", tasks=("cb", "copa"), settings={"ptv2": {"head": "verbalizer"}}),
        *workshop.cells(*BY_ROW, seeds=(0, 1), budget={"steps": 20}, settings=DROPPED),
        *workshop.cells("lora", tasks=("cb", "copa"), settings={"lora": {"head": "verbalizer", "r": 4, "alpha": 8}}),
    )
    together = trained(workshop, cells, True, **where)
    for cell, beside, again in zip(cells, together, trained(workshop, cells, True, **where), strict=True):
        assert_equal_bits(again, beside)
        assert_equal_bits(trained(workshop, [cell], True, **where)[0], beside)


@pytest.mark.gpu
@GPU_PRECISIONS
@pytest.mark.parametrize("dropout", [False, True], ids=["plain", "dropout inside"])
def test_on_a_gpu_what_is_captured_has_the_bits_of_what_is_not(workshop, monkeypatch, precision, dropout):
    """Twenty steps with evaluations in between: graphs are replayed for most of them."""
    where = {"precision": precision, "device": "cuda", "token_budget": 1024}
    budget = {"steps": 20, "evaluations": 4, "backbone_dropout": dropout}
    cells = workshop.cells(*PROMPTS, "linear_probe", seeds=(0, 1), budget=budget)
    captured = trained(workshop, cells, True, **where)
    begin = Graphs.__init__

    def without(graphs, device, captures):
        begin(graphs, device, False)

    monkeypatch.setattr(Graphs, "__init__", without)
    for one, other in zip(captured, trained(workshop, cells, True, **where), strict=True):
        assert_equal_bits(one, other)


@pytest.mark.gpu
def test_on_a_gpu_items_that_lie_beside_it_have_the_bits_of_those_on_it(workshop, monkeypatch):
    where = {"precision": "bf16", "device": "cuda", "token_budget": 1024}
    cells = workshop.cells("ptv2", "prompt_tuning", "linear_probe", budget={"steps": 12, "evaluations": 3})
    on_device = trained(workshop, cells, True, **where)
    monkeypatch.setattr("bench.model.passes.TABLE_SHARE", 0.0)
    for one, other in zip(on_device, trained(workshop, cells, True, **where), strict=True):
        assert_equal_bits(one, other)


@pytest.mark.gpu
@GPU_PRECISIONS
def test_on_a_gpu_states_that_are_kept_have_the_bits_of_those_that_are_not(workshop, monkeypatch, precision):
    where = {"precision": precision, "device": "cuda", "token_budget": 1024}
    cells = workshop.cells("linear_probe", tasks=("rte", "copa"), seeds=(0, 1), budget={"steps": 12})
    kept = trained(workshop, cells, True, **where)
    monkeypatch.setattr("bench.model.kept.SHARE", 0.0)
    for one, other in zip(kept, trained(workshop, cells, True, **where), strict=True):
        assert_equal_bits(one, other)


@pytest.mark.gpu
@GPU_PRECISIONS
def test_on_a_gpu_the_order_of_lanes_changes_no_bit(workshop, precision):
    where = {"precision": precision, "device": "cuda", "token_budget": 1024}
    cells = workshop.cells(*PROMPTS, seeds=(0, 1, 2), budget={"steps": 20})
    forth, back = trained(workshop, cells, True, **where), trained(workshop, cells[::-1], True, **where)[::-1]
    for one, other in zip(forth, back, strict=True):
        assert_equal_bits(one, other)


@pytest.mark.gpu
def test_on_a_gpu_a_lane_comes_to_what_it_comes_to_on_a_processor(workshop):
    """In fp32 and few steps: the same rows, draws of dropout and arithmetic."""
    cells = workshop.cells(*PROMPTS, "linear_probe", budget={"steps": 3, "backbone_dropout": True})
    pairs = zip(trained(workshop, cells, False), trained(workshop, cells, True, device="cuda"), strict=True)
    for (mine, _, answers, _), (theirs, _, others, _) in pairs:
        for name, tensor in mine.items():
            torch.testing.assert_close(theirs[name].cpu(), tensor, atol=2e-3, rtol=2e-2)
        for first, second in zip(answers, others, strict=True):
            assert first.probabilities == pytest.approx(second.probabilities, abs=2e-2)
