"""Cells that shared a loop are measured alone, once a run is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.execute.alone import lacking, measured, reckoned
from bench.model.device import device_name
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.alone import Alone, alone_key
from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import Group
from bench.train.options import Options
from bench.train.run_data import RunData
from tests.conftest import Quiet
from tests.execute.seat import make_plan

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("at", "num_steps", "seconds"),
    [
        ({0: 0.0, 1: 9.0, 4: 10.0, 14: 15.0}, 100, 15.0 + 86 * 0.5),  # what sets up counts once, a step then takes 0.5
        ({0: 0.0, 2: 3.0}, 2, 3.0),  # all of them were run
        ({0: 0.0, 32: 8.0}, 64, 16.0),  # one look alone: its mean
        ({0: 0.0, 3: 6.0, 35: 14.0, 67: 22.0}, 131, 22.0 + 64 * 0.25),  # a GPU is looked at every 32 steps
    ],
)
def test_steps_that_are_left_take_what_those_after_the_first_took(
    at: dict[int, float], num_steps: int, seconds: float
) -> None:
    assert reckoned(at, num_steps) == pytest.approx(seconds)


def test_what_shared_a_loop_on_this_device_lacks_a_measurement_once_a_line_and_task() -> None:
    cells = make_plan(methods="ptv2,linear_probe,finetune", seeds=2).cells

    def record(cell: Any, **changes: Any) -> Record:
        made = Record(id=cell.id, cell=cell, status="done", main_metric="accuracy", provenance={"device": "here"})
        made.costs.lanes = 1 if cell.method == "finetune" else 4
        return made.model_copy(update=changes)

    records = [record(cell) for cell in cells]
    found = lacking(records, [], "here")
    assert [(one.cell.method, one.cell.seed) for one in found] == [("ptv2", 0), ("linear_probe", 0)]
    known = Alone(
        key=alone_key(found[0].cell), device="here", steps=1, num_steps=1, train_seconds=1, evaluate_seconds=1,
        peak_bytes=1, measured="",
    )  # fmt: skip
    assert [one.cell.method for one in lacking(records, [known], "here")] == ["linear_probe"]
    assert lacking(records, [], "elsewhere") == []
    assert lacking([record(cells[0], status="failed")], [], "here") == []


def test_what_had_a_loop_to_itself_on_a_gpu_that_workers_shared_lacks_one_too() -> None:
    cells = make_plan(methods="finetune", seeds=2).cells
    records = [
        Record(id=cell.id, cell=cell, status="done", main_metric="accuracy", provenance={"device": "here"} | more)
        for cell, more in zip(cells, ({"workers": 2}, {"workers": "many"}), strict=True)
    ]
    assert [record.was_shared for record in records] == [True, False]
    assert lacking(records, [], "here") == records[:1]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], RunData, Options]:
    """Three lines in one loop, as a run leaves them: prefixes, a head on states that are kept, nothing that trains."""
    cells = make_plan(methods="ptv2,linear_probe,prompting", seeds=1, steps=30, scored_rows=40, train_rows=80).cells
    options, data = Options(CPU, max_lanes=8), RunData()
    runner = Runner(Store.create(tmp_path_factory.mktemp("shared") / "out"), options, Quiet(), data)
    return runner.run([Group(tuple(map(resolve, cells)))]), data, options


def test_each_is_measured_alone(shared: Any) -> None:
    records, data, options = shared
    found = {each.key: each for each in measured(records, options, data, seconds=60.0)}
    assert set(found) == {alone_key(record.cell) for record in records}
    for record in records:
        each = found[alone_key(record.cell)]
        assert record.costs.lanes == 3
        assert each.device == device_name(CPU) == record.provenance["device"]
        assert each.num_steps == record.costs.steps
        assert 0 < each.steps <= each.num_steps or not record.costs.steps
        assert (each.train_seconds > 0) == bool(record.costs.steps)
        assert each.evaluate_seconds > 0
        assert each.peak_bytes > 2**20


def test_no_more_are_begun_when_the_time_is_up(shared: Any) -> None:
    records, data, options = shared
    assert list(measured(records, options, data, seconds=0.0)) == []


def test_what_cannot_be_run_again_is_left_out(shared: Any, tmp_path: Path) -> None:
    records, data, options = shared
    gone = [
        record.model_copy(update={"cell": record.cell.changed(model_path=str(tmp_path / "gone"))}) for record in records
    ]
    assert [each.key for each in measured([*gone, records[0]], options, data, 60.0)] == [alone_key(records[0].cell)]
