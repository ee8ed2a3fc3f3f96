"""A cell is resolved once, and groups of cells are pieces of work."""

from __future__ import annotations

import pytest
import torch

from bench.errors import CannotShare
from bench.registry import find_method
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.store import Store
from bench.train.groups import groups
from bench.train.options import Options
from bench.train.training import Training
from tests.conftest import Quiet, pieces

SHORT = {"steps": 2, "evaluations": 1}


def test_a_cell_is_resolved_into_what_its_names_stand_for(workshop) -> None:
    (cell,) = workshop.cells("ptv2", settings={"ptv2": {"length": 3}})
    resolved = resolve(cell)
    assert (resolved.cell, resolved.task.name, resolved.suite.name) == (cell, "rte", "superglue")
    assert (resolved.method.name, resolved.method.length) == ("ptv2", 3)


def test_frozen_cells_of_one_dropout_share_a_loop_and_those_that_change_weights_come_last_one_by_one(workshop) -> None:
    cells = [
        *workshop.cells("finetune", "ptv2", "prompt_tuning", seeds=(0, 1)),
        *workshop.cells("ptv2", seeds=(2, 3), budget={"backbone_dropout": True}),
    ]
    found = list(groups([resolve(cell) for cell in cells], max_lanes=3))
    assert [[(each.cell.method, each.cell.seed) for each in group.cells] for group in found] == [
        [("ptv2", 0), ("ptv2", 1), ("prompt_tuning", 0)],
        [("prompt_tuning", 1)],
        [("ptv2", 2), ("ptv2", 3)],
        [("finetune", 0)],
        [("finetune", 1)],
    ]


@pytest.mark.parametrize(
    ("max_lanes", "workers", "sizes"),
    [(8, 1, [7]), (8, 2, [4, 3]), (3, 2, [3, 3, 1]), (8, 7, [1] * 7), (8, 50, [1] * 7)],
)
def test_each_worker_gets_a_group_if_there_are_enough_cells(workshop, max_lanes, workers, sizes) -> None:
    cells = [resolve(cell) for cell in workshop.cells("ptv2", seeds=tuple(range(7)))]
    found = list(groups(cells, max_lanes, workers))
    assert list(map(len, found)) == sizes
    assert [resolved for group in found for resolved in group.cells] == cells


def test_adapters_go_with_the_other_frozen_cells_but_for_those_that_only_change_a_model(workshop) -> None:
    settings = {"peft": {"config": "LOHA:r=2"}}
    cells = workshop.cells("peft", "lora", "ptv2", "adalora", "ia3", "bitfit", settings=settings)
    found = list(groups([resolve(cell) for cell in cells], max_lanes=8))
    assert [([each.cell.method for each in group.cells], group.shared) for group in found] == [
        (["lora", "ptv2", "adalora", "ia3", "bitfit"], True),
        (["peft"], False),
    ]


@pytest.mark.parametrize("broken", [False, True])
def test_a_cell_that_cannot_share_is_measured_after_its_group_on_a_backbone_of_its_own(
    workshop, tmp_path, monkeypatch, broken
) -> None:
    """One of the others may break the loop as well."""
    settings = {"bitfit": {"head": "verbalizer"}}
    cells = workshop.cells("ptv2", "bitfit", "lora", settings=settings, budget=SHORT)
    if broken:
        right = Training.step

        def step(training, lanes):
            if any(lane.cell.method == "ptv2" for lane in lanes):
                raise RuntimeError("of ptv2")
            return right(training, lanes)

        monkeypatch.setattr(Training, "step", step)
    records = Runner(Store.create(tmp_path / "out"), Options(torch.device("cpu")), Quiet()).run(pieces(cells))
    together = 1 if broken else 2
    assert [(record.cell.method, record.status, record.costs.lanes) for record in records] == [
        ("ptv2", "failed" if broken else "done", together),
        ("lora", "done", together),
        ("bitfit", "done", 1),
    ]
    trained = records[2].parameters.trained
    assert trained == sum(weight.numel() for name, weight in biases(workshop).items())


def biases(workshop) -> dict[str, torch.Tensor]:
    """Of the tiny BERT all that BitFit trains with a verbalizer."""
    return {name: weight for name, weight in workshop.backbone().model.named_parameters() if name.endswith("bias")}


def test_a_method_that_shares_with_nobody_fails_with_its_reason_even_alone(workshop, tmp_path, monkeypatch) -> None:
    def attach(self, backbone, task):
        raise CannotShare("it never does")

    monkeypatch.setattr(find_method("ptv2"), "attach", attach)
    (record,) = Runner(Store.create(tmp_path / "out"), Options(torch.device("cpu")), Quiet()).run(
        pieces(workshop.cells("ptv2"))
    )
    assert record.status == "failed"
    assert "it never does" in str(record.reason)


def test_a_group_is_measured_and_written_by_itself(workshop, tmp_path) -> None:
    cells = workshop.cells("ptv2", seeds=(0, 1, 2), budget=SHORT)
    first, second = groups(map(resolve, cells), max_lanes=2)
    store = Store.create(tmp_path / "out")
    runner = Runner(store, Options(torch.device("cpu")), Quiet())
    assert [record.cell.seed for record in runner.measure(second)] == [2]
    assert store.done() == {second.cells[0].cell.id}
    assert [record.costs.lanes for record in runner.measure(first)] == [2, 2]


def test_the_seconds_of_a_loops_cells_are_no_more_than_the_loop_took(workshop, tmp_path, monkeypatch) -> None:
    """Of two cells whose evaluations take a second each in a clock of our own."""
    now = [0.0]

    class Clock:
        @staticmethod
        def perf_counter() -> float:
            return now[0]

    from bench.score.evaluate import Predictor

    predict = Predictor.predict

    def scored(predictor, evaluations):
        now[0] += len(evaluations)
        return predict(predictor, evaluations)

    for place in ("runner", "train.loop", "train.training", "train.backbones", "train.shares", "store.store"):
        monkeypatch.setattr(f"bench.{place}.time", Clock)
    monkeypatch.setattr("bench.train.backbones.proving_seconds", lambda fingerprint: 0.0)
    monkeypatch.setattr(Predictor, "predict", scored)
    cells = workshop.cells("ptv2", seeds=(0, 1))
    records = Runner(Store.create(tmp_path / "out"), Options(torch.device("cpu")), Quiet()).run(pieces(cells))
    assert [record.costs.evaluate_seconds for record in records] == [3.0] * 2  # two in the loop, one when scored
    assert sum(record.costs.seconds for record in records) == pytest.approx(6.0)
