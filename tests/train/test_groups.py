"""A cell is resolved once, and groups of cells are pieces of work."""

from __future__ import annotations

import pytest
import torch

from bench.resolved import resolve
from bench.runner import Runner
from bench.store.store import Store
from bench.train.groups import groups
from bench.train.options import Options
from tests.conftest import Quiet


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


def test_a_group_is_measured_and_written_by_itself(workshop, tmp_path) -> None:
    first, second = groups([resolve(cell) for cell in workshop.cells("ptv2", seeds=(0, 1, 2))], max_lanes=2)
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
    records = Runner(Store.create(tmp_path / "out"), Options(torch.device("cpu")), Quiet()).run(cells)
    assert [record.costs.evaluate_seconds for record in records] == [3.0, 3.0]  # two in the loop, one of the scored split
    assert sum(record.costs.seconds for record in records) == pytest.approx(6.0)
