"""What a record says of a cell's costs, in clocks and with devices of our own."""

from __future__ import annotations

import json

import pytest
import torch

from bench.model.flops import model_flops, network_of
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.provenance import asked_by
from bench.store.store import Store
from bench.train.backbones import Backbones
from bench.train.groups import Group
from bench.train.options import Options
from bench.train.run_data import RunData
from bench.train.shares import Shares
from tests.conftest import Quiet, pieces
from tests.store.edited import edit

OPTIONS = Options(torch.device("cpu"))
SHORT = {"steps": 2, "evaluations": 1}
PEAK = 1e9


class Clock:
    """Stands still but for what is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def slow_peak(monkeypatch) -> None:
    monkeypatch.setattr("bench.train.outcome.peak_flops", lambda device, precision: PEAK)


def test_seconds_are_divided_among_the_users_that_are_known_when_they_are_spent() -> None:
    shares = Shares()
    shares.use("model", ["a", "b", "a"])
    shares.spend("model", 3.0)
    shares.use("model", ["c"])
    shares.spend("model", 0.75)
    shares.use("data", ["a"])
    shares.spend("data", 1.0)
    assert [shares.of(name) for name in "abcd"] == [2.75, 1.75, 0.25, 0.0]


def test_loading_is_divided_among_the_cells_of_a_frozen_backbone_and_whole_where_weights_train(
    workshop, monkeypatch
) -> None:
    clock, made = Clock(), workshop.backbone()

    def load(*_: object) -> object:
        clock.now += 6.0
        return made

    monkeypatch.setattr("bench.train.backbones.time", clock)
    monkeypatch.setattr("bench.train.backbones.load_backbone", load)
    monkeypatch.setattr("bench.train.backbones.proving_seconds", lambda fingerprint: 8.0)
    cells = [resolve(cell) for cell in workshop.cells("ptv2", "finetune", seeds=(0, 1))]
    backbones = Backbones(OPTIONS)
    backbones.expect(cells)
    for resolved in cells:
        backbones.of(Group((resolved,), shared=not resolved.method.changes_weights))
    assert [backbones.seconds(resolved.cell.id) for resolved in cells] == [3.0 + 2.0, 3.0 + 2.0, 6.0 + 2.0, 6.0 + 2.0]


def test_what_proving_takes_while_a_backbone_is_loaded_is_not_counted_twice(workshop, monkeypatch) -> None:
    clock, proved = Clock(), [0.0]

    def load(*_: object) -> object:
        clock.now += 10.0
        proved[0] = 4.0
        return workshop.backbone()

    monkeypatch.setattr("bench.train.backbones.time", clock)
    monkeypatch.setattr("bench.train.backbones.load_backbone", load)
    monkeypatch.setattr("bench.train.backbones.proving_seconds", lambda fingerprint: proved[0])
    (resolved,) = map(resolve, workshop.cells("ptv2"))
    backbones = Backbones(OPTIONS)
    backbones.of(Group((resolved,), shared=not resolved.method.changes_weights))
    assert backbones.seconds(resolved.cell.id) == 10.0


def test_a_record_says_the_arithmetic_and_the_utilisation_of_its_own_seconds(workshop, tmp_path, slow_peak) -> None:
    cells = workshop.cells(
        "ptv2", "finetune", "linear_probe", "prompting", settings={"prompting": {"shots": 0}}, budget=SHORT
    )
    records = Runner(Store.create(tmp_path / "out"), OPTIONS, Quiet()).run(pieces(cells))
    backbone = workshop.backbone(frozen=False)
    for record in records:
        resolved, costs = resolve(record.cell), record.costs
        trained = backbone.encoder.parameters() if record.cell.method == "finetune" else []
        backward = 1.0 if record.cell.method in ("ptv2", "finetune") else 0.0
        network = network_of(backbone, resolved.task, trained)
        assert costs.model_flops == model_flops(network, costs.tokens, costs.forward_passes, backward)
        trains = record.cell.method != "prompting"
        assert costs.utilization == (costs.model_flops / costs.train_seconds / PEAK if trains else None)
        assert record.provenance["peak_tflops"] == 0.001


def test_of_a_gpu_that_workers_share_nobody_says_how_busy_a_cell_kept_it(workshop, tmp_path, slow_peak) -> None:
    runner = Runner(Store.create(tmp_path / "out"), OPTIONS, Quiet())
    with asked_by(["bench", "run"], workers=2):
        (record,) = runner.run(pieces(workshop.cells("ptv2", budget=SHORT)))
    assert (record.costs.utilization, record.provenance["peak_tflops"]) == (None, 0.0)
    assert record.costs.model_flops


def test_the_whole_has_its_parts_and_the_record_that_is_written_the_time_of_its_files(
    workshop, tmp_path, monkeypatch
) -> None:
    """Loading takes 1 s, writing predictions 2 s; time stands still in the rest."""
    clock = Clock()
    from bench.runner import write_predictions
    from bench.train.backbones import load_backbone

    def load(*arguments: object) -> object:
        clock.now += 1.0
        return load_backbone(*arguments)

    def write(path, table) -> None:
        clock.now += 2.0
        write_predictions(path, table)

    for place in ("runner", "train.backbones", "train.loop", "train.training", "train.shares", "store.store",
                  "model.compiled"):  # fmt: skip
        monkeypatch.setattr(f"bench.{place}.time", clock)
    monkeypatch.setattr("bench.train.backbones.load_backbone", load)
    monkeypatch.setattr("bench.train.backbones.proving_seconds", lambda fingerprint: 0.0)
    monkeypatch.setattr("bench.runner.write_predictions", write)
    store = Store.create(tmp_path / "out")
    (record,) = Runner(store, OPTIONS, Quiet(), RunData()).run(pieces(workshop.cells("ptv2", budget=SHORT)))
    costs = json.loads((store.cell_folder(record.id) / "record.json").read_text())["costs"]
    names = ("seconds", "load_seconds", "encode_seconds", "compile_seconds", "train_seconds", "store_seconds")
    assert [costs[name] for name in names] == [3.0, 1.0, 0.0, 0.0, 0.0, 2.0]
    assert costs["utilization"] is None  # no time has passed


def test_a_record_that_is_older_than_a_measurement_reads_and_says_that_it_was_not_made(workshop, tmp_path) -> None:
    store = Store.create(tmp_path / "out")
    (record,) = Runner(store, OPTIONS, Quiet()).run(pieces(workshop.cells("ptv2", budget=SHORT)))
    path = store.cell_folder(record.id) / "record.json"
    text = json.loads(path.read_text())
    new = ("load_seconds", "encode_seconds", "compile_seconds", "store_seconds", "model_flops", "utilization")
    for name in new:
        del text["costs"][name]
    edit(path, **text)
    assert [getattr(store.record(record.id).costs, name) for name in new] == [None] * 6
