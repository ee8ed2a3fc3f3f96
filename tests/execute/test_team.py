"""Cells that change weights, trained by a team of processes: the numbers of one process, but for the order of sums."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from pyarrow.parquet import read_table
from safetensors.torch import load_file
from torch import Tensor

from bench.cell import Cell
from bench.plan.cells import plan
from bench.request import RunRequest
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import Group
from bench.train.options import Options
from bench.train.prepare import prepare
from bench.train.run_data import RunData
from tests.conftest import Quiet, Workshop
from tests.model.families import FAMILIES

CPU = torch.device("cpu")
RATE = 1e-3
SHORT: dict[str, Any] = {"steps": 5, "batch_size": 7, "evaluations": 2, "train_rows": 24, "scored_rows": 12}


@dataclass(frozen=True)
class Tolerance:
    """Largest differences of losses and probabilities; of weights the largest one, and the mean.

    Sums of fp32 in another order differ in the last bits, and AdamW makes a full step of a gradient however small, so
    that a weight whose gradient is nothing but such bits may be up to a learning rate off.
    """

    loss: float = 1e-6
    probability: float = 1e-5
    weight: float = RATE
    mean: float = 2e-6


IN_BF16 = Tolerance(2e-2, 5e-2, 8 * RATE, RATE)


@dataclass
class Outcome:
    """What a run came to."""

    records: dict[str, Record]
    folder: Path

    def tuned(self, cell: Cell) -> dict[str, Tensor]:
        return load_file(Store(self.folder).cell_folder(cell.id) / "tuned.safetensors")

    def probabilities(self, cell: Cell) -> list[list[float]]:
        table = read_table(Store(self.folder).cell_folder(cell.id) / "predictions.parquet")
        return table["probabilities"].to_pylist()


def smoke_cells(*tasks: str, **changes: Any) -> tuple[Cell, ...]:
    settings = {"finetune": {"learning_rate": RATE}}
    request = {"methods": ("finetune",), "models": ("tiny",), "tasks": tasks, "seeds": (0,), "set": settings, **SHORT}
    return plan(RunRequest(**{**request, **changes}), "fp32").cells


def run(folder: Path, cells: tuple[Cell, ...], processes: int, kind: str = "cpu", **options: Any) -> Outcome:
    """Each cell with a model to itself, by so many processes."""
    first, *others = [CPU if kind == "cpu" else torch.device(kind, at) for at in range(processes)]
    store, data = Store.create(folder), RunData()
    runner = Runner(store, Options(first, 8, 400, others=tuple(others), **options), Quiet(), data)
    resolved = [resolve(cell) for cell in cells]
    prepare(resolved, data)
    records = [record for each in resolved for record in runner.measure(Group((each,), shared=False))]
    runner.end()
    return Outcome({record.id: record for record in records}, folder)


@pytest.fixture(scope="module")
def cells(tmp_path_factory, fixed_superglue, tiny_bert) -> dict[str, Cell]:
    root = tmp_path_factory.mktemp("families")

    def family(name: str, method: str = "finetune", task: str = "rte", **settings: Any) -> Cell:
        folder = root / name
        if not folder.is_dir():
            FAMILIES[name](folder)
        workshop = Workshop(folder, fixed_superglue)
        settings = {"learning_rate": RATE, **settings}
        return workshop.cells(method, tasks=(task,), settings={method: settings}, budget=SHORT)[0]

    tasks = ("sentiment", "entities", "consequence", "questions")
    (dropped,) = smoke_cells("sentiment", backbone_dropout=True)
    (trial,) = smoke_cells("entailment")
    return {
        **dict(zip(tasks, smoke_cells(*tasks), strict=True)),
        "dropout of the backbone": dropped,
        "a trial": trial.changed(stage="trial"),
        "tied embeddings, words": family("gpt2", head="verbalizer"),
        "encoder and decoder, words": family("t5", task="copa", head="verbalizer"),
        "a layer that runs twice": family("albert"),
        "prompts beside weights": family("bert", "ptuning_v1", tune_backbone=True, backbone_learning_rate=RATE),
        "biases alone": family("bert", "bitfit"),
        "an adapter inside": family("bert", "peft", config="LOHA:r=2,target_modules=query+value"),
        "diverging": family("bert", learning_rate=1e30),
    }


@pytest.fixture(scope="module")
def alone(cells, tmp_path_factory) -> Outcome:
    return run(tmp_path_factory.mktemp("alone"), tuple(cells.values()), 1)


@pytest.fixture(scope="module")
def pair(cells, tmp_path_factory) -> Outcome:
    return run(tmp_path_factory.mktemp("pair"), tuple(cells.values()), 2)


TRAINED = (
    "sentiment", "entities", "consequence", "questions", "dropout of the backbone", "tied embeddings, words",
    "encoder and decoder, words", "a layer that runs twice", "prompts beside weights", "biases alone",
    "an adapter inside",
)  # fmt: skip


def assert_close(one: Outcome, other: Outcome, cell: Cell, within: Tolerance = Tolerance()) -> None:
    first, second = one.records[cell.id], other.records[cell.id]
    assert (first.status, second.status, second.reason) == ("done", "done", None)
    assert first.parameters == second.parameters
    assert (first.counts, first.costs.steps, first.costs.tokens) == (
        second.counts,
        second.costs.steps,
        second.costs.tokens,
    )
    assert [point.step for point in first.curve] == [point.step for point in second.curve]
    for point, twin in zip(first.curve, second.curve, strict=True):
        assert point.train_loss == pytest.approx(twin.train_loss, abs=within.loss)
    assert first.selected_step == second.selected_step
    tensors, twins = one.tuned(cell), other.tuned(cell)
    assert tensors.keys() == twins.keys()
    off = torch.cat([(twins[name] - tensor).abs().flatten() for name, tensor in tensors.items()])
    assert off.max() <= within.weight
    assert off.mean() <= within.mean
    for row, twin_row in zip(one.probabilities(cell), other.probabilities(cell), strict=True):
        assert row == pytest.approx(twin_row, abs=within.probability)


@pytest.mark.parametrize("name", TRAINED)
def test_two_processes_come_to_the_numbers_of_one(name, cells, alone, pair):
    assert_close(alone, pair, cells[name])
    assert pair.records[cells[name].id].provenance["processes"] == 2


@pytest.mark.slow
def test_three_processes_share_batches_that_do_not_divide_and_remake_activations(cells, alone, tmp_path):
    few = tuple(cells[name] for name in ("sentiment", "consequence", "tied embeddings, words"))
    three = run(tmp_path / "three", few, 3, checkpointing=True)
    for cell in few:
        assert_close(alone, three, cell)


def test_a_trial_is_chosen_by_the_same_score_and_reads_nothing_else(cells, alone, pair):
    first, second = (run.records[cells["a trial"].id] for run in (alone, pair))
    assert (first.status, second.status, second.scores) == ("done", "done", {})
    assert first.selection_score == second.selection_score


def test_all_processes_see_at_the_same_step_that_a_cell_diverges(cells, alone, pair):
    first, second = (run.records[cells["diverging"].id] for run in (alone, pair))
    assert (first.status, first.reason) == (second.status, second.reason)
    assert first.status == "diverged"
    assert first.costs.steps == second.costs.steps
    assert math.isfinite(second.costs.seconds)


def test_an_optimizer_that_looks_across_shards_is_refused(tmp_path):
    (cell,) = smoke_cells("sentiment", set={"finetune": {"optimizer": "adafactor"}})
    record = run(tmp_path / "out", (cell,), 2).records[cell.id]
    assert record.status == "failed"
    assert "give --set finetune.optimizer=adamw, or run it without --shard" in str(record.reason)


def test_two_processes_in_bf16(cells, tmp_path):
    names = ("sentiment", "tied embeddings, words", "prompts beside weights", "biases alone", "an adapter inside")
    few = tuple(cells[name].changed(precision="bf16") for name in names)
    one, two = (run(tmp_path / str(count), few, count) for count in (1, 2))
    for cell in few:
        assert_close(one, two, cell, IN_BF16)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize(
    ("precision", "within"),
    [("fp32", Tolerance(1e-4, 1e-3, 4 * RATE, 1e-4)), ("bf16", IN_BF16)],
    ids=["fp32", "bf16"],
)
def test_on_two_gpus(cells, tmp_path, precision, within):
    few = tuple(
        cells[name].changed(precision=precision) for name in ("sentiment", "questions", "tied embeddings, words")
    )
    one, two = (run(tmp_path / str(count), few, count, "cuda") for count in (1, 2))
    for cell in few:
        assert_close(one, two, cell, within)
