"""A run goes on where the last one stopped: nothing is measured twice, nothing finished is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file, save_file

from bench.model.backbone import Backbone
from bench.model.source import ModelSource
from bench.store.record import Record
from bench.store.store import Store
from bench.train import backbones

Bench = Callable[..., tuple[int, str, str]]
DEV_ROWS = 12


def records() -> dict[int, Record]:
    """What ./out holds, by seed."""
    return {record.cell.seed: record for record in Store.open(Path("out")).records()}


def num_to_run(bench: Bench, *flags: object) -> int:
    code, out, _ = bench.run("--plan", *flags)
    assert code == 0
    return int(out.split(" to run")[0].split()[-1])


def test_running_again_does_only_what_is_missing(bench: Bench) -> None:
    assert bench.run("--seeds", "2")[0] == 0
    first = records()
    code, out, _ = bench.run("--seeds", "2")
    assert (code, "2 seeds; 0 to run" in out, "0 cells written to out" in out) == (0, True, True)
    assert bench.run("--seeds", "1,2,0")[0] == 0
    assert {seed: record for seed, record in records().items() if seed in first} == first
    assert sorted(records()) == [0, 1, 2]


def test_a_moved_folder_is_no_new_cell(bench: Bench, tiny_bert: Path, superglue: Path, tmp_path: Path) -> None:
    assert bench.run()[0] == 0
    model = shutil.copytree(tiny_bert, tmp_path / "elsewhere" / "renamed")
    data = shutil.copytree(superglue, tmp_path / "elsewhere" / "data")
    shutil.move("out", "moved")
    assert num_to_run(bench, "--models", model, "--data", data, "--out", "moved") == 0


def test_the_order_of_flags_is_no_new_cell(bench: Bench) -> None:
    settings = ["--set", "ptv2.length=7", "--set", "ptv2.dropout=0"]
    assert bench.run(*settings)[0] == 0
    assert num_to_run(bench, "--set", "ptv2.dropout=0.0", "--set", "ptv2.length=7") == 0
    assert num_to_run(bench, "--set", "ptv2.dropout=0", "--set", "ptv2.length=8") == 1


def test_changed_inputs_are_new_cells(bench: Bench, tiny_bert: Path, superglue: Path, tmp_path: Path) -> None:
    assert bench.run()[0] == 0
    lines = (superglue / "RTE/val.jsonl").read_text()
    (superglue / "RTE/val.jsonl").write_text(lines.replace("word1 ", "word2 ", 1))
    assert num_to_run(bench) == 1
    (superglue / "RTE/val.jsonl").write_text(lines)
    assert num_to_run(bench) == 0
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        model = Path(shutil.copytree(tiny_bert, tmp_path / f"other-{name}"))
        (model / name).write_text((model / name).read_text() + "\n")
        assert (name, num_to_run(bench, "--models", model)) == (name, 1)
    model = Path(shutil.copytree(tiny_bert, tmp_path / "trained-on"))
    tensors = load_file(model / "model.safetensors")
    next(iter(tensors.values())).view(-1)[0] += 1
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    assert num_to_run(bench, "--models", model) == 1


# --- cells that fail

PLUGIN = """
from pathlib import Path

import torch

from bench.model.attachment import SlotPrompts
from bench.registry import method
from bench.seeds import derive
from bench.tuning import Method
from bench.data.slots import Slots

STEPS = 0


class Troubled(SlotPrompts):
    def __init__(self, backbone, where):
        unlucky = torch.initial_seed() == derive("init", 1, "attachment") and not Path("mended").exists()
        super().__init__(torch.randn(2, backbone.geometry.hidden))
        self.backbone, self.where = [backbone], where if unlucky else ""
        if self.where == "attach":
            raise RuntimeError("no luck in attach")
        if self.where == "nan":
            self.vectors.data.fill_(torch.nan)

    def make(self):
        if self.where == "forward":
            raise RuntimeError("no luck in the forward pass")
        if self.where == "backbone":
            with torch.no_grad():
                self.backbone[0].embeddings.weight.mul_(1.5)
        return super().make()


@method("troubled")
class TroubledMethod(Method):
    "Goes wrong for seed 1."
    where: str = "attach"

    def slots(self):
        return Slots(2)

    def attach(self, backbone, task):
        return Troubled(backbone, self.where)
"""
TROUBLES = {
    "attach": ("failed", "RuntimeError: no luck in attach (mine.py:"),
    "forward": ("failed", "RuntimeError: no luck in the forward pass (mine.py:"),
    "nan": ("diverged", "the loss was nan at step 1"),
    "backbone": ("failed", "backbone.bert.embeddings.word_embeddings.weight should stay frozen but has moved"),
}


@pytest.mark.parametrize(("where", "status", "reason"), [(at, *found) for at, found in TROUBLES.items()], ids=TROUBLES)
def test_a_cell_that_fails_leaves_its_neighbours_alone_and_is_tried_again(
    bench: Bench, where: str, status: str, reason: str
) -> None:
    Path("mine.py").write_text(PLUGIN)
    flags = ["--plugin", "mine.py", "--methods", "troubled", "--set", f"troubled.where={where}", "--steps", "4"]
    code, out, _ = bench.run(*flags, "--seeds", "3")
    found = records()
    assert (code, "1 of 3 cells failed; they are tried again next time" in out) == (1, True)
    assert {seed: record.status for seed, record in found.items()} == {0: "done", 1: status, 2: "done"}
    assert reason in str(found[1].reason)
    assert "During handling of" not in str(found[1].traceback)  # the error of the loop that the cells shared
    assert found[1].scores == {}

    assert bench.run(*flags, "--seeds", "0,2,4", "--out", "alone")[0] == 0
    alone = {record.cell.seed: record for record in Store.open(Path("alone")).records()}
    assert {seed: found[seed].curve for seed in (0, 2)} == {seed: alone[seed].curve for seed in (0, 2)}

    assert bench.run(*flags, "--seeds", "3")[0] == 1
    Path("mended").touch()
    code, out, _ = bench.run(*flags, "--seeds", "3")
    assert (code, "1 to run" in out) == (0, True)
    assert {seed: record.status for seed, record in records().items()} == {0: "done", 1: "done", 2: "done"}
    assert list(Path("out/failed").iterdir()) == []
    assert {seed: records()[seed] for seed in (0, 2)} == {seed: found[seed] for seed in (0, 2)}


def test_a_learning_rate_out_of_hand_diverges(bench: Bench) -> None:
    assert bench.run("--set", "ptv2.learning_rate=1e30", "--steps", "5")[0] == 1
    record = records()[0]
    assert record.status == "diverged"
    assert "loss was nan" in str(record.reason)
    assert not Path("out/cells").exists()


def test_a_checkpoint_that_lacks_a_tensor_is_refused_before_anything_trains(
    bench: Bench, tiny_bert: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_bert, tmp_path / "partial"))
    tensors = load_file(model / "model.safetensors")
    dropped = next(name for name in tensors if name.endswith("layer.1.output.dense.weight"))
    del tensors[dropped]
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    assert f"its weights lack {dropped}" in bench.refuses("--models", model)
    assert not Path("out").exists()


def test_a_model_that_can_no_longer_be_loaded_fails_its_own_cells_only(
    bench: Bench, tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copytree(tiny_bert, tmp_path / "gone"))
    tensors = load_file(model / "model.safetensors")
    save_file({name: 2 * each for name, each in tensors.items()}, model / "model.safetensors", {"format": "pt"})
    load = backbones.load_backbone

    def without(source: ModelSource, *arguments: Any) -> Backbone:
        if source.name == "gone":  # between the proof and its turn
            shutil.rmtree(model)
        return load(source, *arguments)

    monkeypatch.setattr(backbones, "load_backbone", without)
    assert bench.run("--models", f"{model},{tiny_bert}")[0] == 1
    found = {record.cell.model: record for record in Store.open(Path("out")).records()}
    assert {name: record.status for name, record in found.items()} == {"tiny-bert": "done", "gone": "failed"}
    assert "cannot be loaded" in str(found["gone"].reason)


# --- kill -9

IMPORTS = """
import pyarrow.parquet, sklearn.metrics, transformers.models.bert.modeling_bert
import bench.runner
from bench.cli import main
"""
KILLS = 8


def finished(folder: Path) -> dict[str, tuple[str, int]]:
    """Every finished cell, whole: its record as text and when it was written."""
    store, found = Store.open(folder), {}
    for path in folder.glob("cells/*"):
        record = store.record(path.name)
        assert (record.status, record.id, len(record.curve)) == ("done", path.name, 1)
        assert pq.read_table(path / "predictions.parquet").num_rows == DEV_ROWS
        stored = load_file(path / "tuned.safetensors")
        assert sum(tensor.numel() for tensor in stored.values()) == record.parameters.stored
        text = path / "record.json"
        found[path.name] = text.read_text(), text.stat().st_mtime_ns
    return found


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, f"no sign of {what}"
        time.sleep(0.0005)


def test_kill_at_any_moment_loses_no_finished_cell(bench: Bench, forks: Callable[..., Any]) -> None:
    rng, out = random.Random(0), Path("out")
    grid = ["run", *bench.base, "--methods", "ptuning_v1,ptv2,prompt_tuning", "--set", "prompt_tuning.length=4"]
    grid += ["--steps", "1", "--lanes", "2"]
    runs = forks(IMPORTS, "main()", *grid, "--seeds", "100")  # more than the kills let it finish
    before: dict[str, tuple[str, int]] = {}
    num_amid_writing = 0
    for turn in range(KILLS):
        child = runs.start()
        known = len(before)
        wait_for(lambda known=known: len(list(out.glob("cells/*"))) > known, "a new cell")  # type: ignore[misc]
        if turn % 2:
            wait_for(lambda: bool(list(out.glob(".partial/*"))), "a cell being written")
            time.sleep(rng.uniform(0, 0.003) if turn % 4 == 3 else 0.0)  # some of them at once: it takes but a moment
        else:
            time.sleep(rng.uniform(0, 0.2))
        os.kill(child, signal.SIGKILL)
        assert runs.end() == -signal.SIGKILL
        num_amid_writing += bool(list(out.glob(".partial/*")))
        now = finished(out)
        assert {cell: now.get(cell) for cell in before} == before
        before = now
    assert num_amid_writing > 0

    code, _, err = bench(*grid, "--seeds", "10")
    assert code == 0, err
    code, text, _ = bench(*grid, "--seeds", "10")
    assert (code, "30 cells" in text, "; 0 to run" in text) == (0, True, True)
    now = finished(out)
    assert {cell: now.get(cell) for cell in before} == before
    assert list(out.glob(".partial/*")) == []
    assert {path.name for path in out.iterdir()} <= {
        "store.json", "suites", "plans", "cells", "failed", "examples", ".partial", "workers", "claims",
        "alone",
    }  # fmt: skip
    assert list(out.glob("workers/*")) == []  # claims on cells of the larger grid stand until it is run again
