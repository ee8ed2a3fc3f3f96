"""Checkpointing makes activations again: less is kept, and no gradient changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bench.train.loop import fit
from bench.train.training import Training
from tests.loaded import loaded
from tests.model.families import FAMILIES

CPU = torch.device("cpu")
METHODS = ("ptv2", "prompt_tuning", "ptuning_v1", "finetune")


BY_ROW = ("lora", "ia3", "bitfit")


def load(workshop, frozen, checkpointing, precision="fp32"):
    return loaded(workshop.model, frozen, checkpointing, precision=precision)


class Kept:
    """Bytes kept for the backward pass, weights apart, and how often the first layer has run."""

    def __init__(self, backbone):
        self.bytes, self.runs = 0, 0
        self._weights = {weight.untyped_storage().data_ptr() for weight in backbone.model.parameters()}
        self._seen = set()
        attention = backbone.encoder.encoder.layer[0].attention
        attention.register_forward_hook(lambda *_: setattr(self, "runs", self.runs + 1))

    def pack(self, tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._weights | self._seen:
            self._seen.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor


def gradients(workshop, method, checkpointing, precision="fp32", **grid):
    """Every gradient of a first step, and what it kept."""
    (cell,) = workshop.cells(method, **grid)
    backbone = load(workshop, method != "finetune", checkpointing, precision)
    lane = workshop.lane(cell, backbone)
    kept = Kept(backbone)
    (stack,) = Training(backbone, [lane], 10_000).stacks
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda tensor: tensor):
        stack.step([lane])
        stack.settle()
    return {name: tensor.grad for name, tensor in lane.training_tensors().items()}, kept


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("method", [*METHODS, *BY_ROW])
def test_no_gradient_changes_by_a_bit(workshop, method, dropout, precision):
    grid = {"budget": {"backbone_dropout": dropout}, "settings": {"lora": {"adapter_dropout": 0.2}}}
    plain, _ = gradients(workshop, method, False, precision, **grid)
    again, _ = gradients(workshop, method, True, precision, **grid)
    assert plain.keys() == again.keys()
    assert all(torch.equal(plain[name], again[name]) for name in plain)
    assert any(bool((gradient != 0).any()) for gradient in plain.values())


@pytest.mark.parametrize("method", METHODS)
def test_layers_run_twice_and_less_is_kept(workshop, method):
    _, plain = gradients(workshop, method, False)
    _, again = gradients(workshop, method, True)
    assert (plain.runs, again.runs) == (1, 2)
    assert again.bytes < plain.bytes / 2


def test_whole_runs_end_in_the_same_weights(workshop):
    ends = []
    for checkpointing in (False, True):
        cells = workshop.cells("ptv2", "prompt_tuning")
        backbone = load(workshop, True, checkpointing)
        lanes = [workshop.lane(cell, backbone) for cell in cells]
        fit(backbone, lanes, 200)
        ends.append([lane.stored() for lane in lanes])
    for plain, again in zip(*ends, strict=True):
        assert all(torch.equal(plain[name], again[name]) for name in plain)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_gradients(family, folders):
    """The prefixes' own gradients, which reach the layers through a context that is gone in the backward pass."""
    from bench.data.batches import collate
    from bench.data.rows import Item, Row
    from bench.model.prompts import Prompts
    from bench.model.stacked import Stacked

    found, runs = [], []
    for checkpointing in (False, True):
        backbone = loaded(folders(family), checkpointing=checkpointing)
        g = backbone.geometry
        torch.manual_seed(1)
        values = torch.randn(g.layers, 2, g.kv_heads, 3, g.head_size, requires_grad=True)
        calls = []
        parts = [backbone.encoder] if backbone.decoder is None else [backbone.encoder, backbone.decoder]
        for part in parts:
            for module in part.modules():
                module.register_forward_hook(lambda *_, calls=calls: calls.append(1))
        fed = [] if backbone.decoder is None else [0, 20]
        texts = ([2, 20, 3], [2, 20, 21, 3])
        items = [Item(0, (Row(ids, [0] * len(ids), [], [0], [], fed),), [0], [0], False) for ids in texts]
        prompts = [Prompts(prefixes=values, layers=tuple(range(g.layers)))]
        stacked = Stacked(prompts, trains=True)
        backbone.hidden(collate(items, backbone.pad_id, CPU), stacked).square().sum().backward()
        stacked.carry(prompts, [])
        found.append(values.grad)
        runs.append(len(calls))
    assert torch.equal(*found)
    assert runs[1] > 1.2 * runs[0]  # a second run ends once it has what is wanted


def test_the_flag_changes_no_cell_and_no_bit_of_what_is_tuned(bench):
    tuned = {}
    for out, flags in (("plain", []), ("again", ["--checkpointing"])):
        assert bench.run("--out", out, *flags)[0] == 0
        (file,) = Path(out).rglob("tuned.safetensors")
        tuned[out] = file.parent.name, load_file(file)
    assert tuned["plain"][0] == tuned["again"][0]
    assert all(torch.equal(tuned["plain"][1][name], tensor) for name, tensor in tuned["again"][1].items())
