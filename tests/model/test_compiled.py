"""Compiled layers give what the layers give, are made a few times whatever comes, and fail no cell.

Most of it is tried with a compiler that traces a layer as always, and then runs torch's own kernels ("eager"): seconds
instead of minutes. Code with kernels of its own is tried by the tests marked slow and gpu.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from bench.model import compiled
from bench.model.compiled import compile_layers, undo
from bench.model.layers import uncompiled
from bench.model.loading import load_backbone
from bench.model.prompts import Prompts
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.score.evaluate import predict
from bench.store.store import Store
from bench.train.loop import fit
from tests.conftest import write_tiny_bert
from tests.model.test_families import batch_of, prefix, row

compiler = torch.compile
CPU = torch.device("cpu")


@pytest.fixture
def fresh():
    """Nothing has been compiled yet."""
    torch._dynamo.reset()
    counters.clear()


@pytest.fixture
def quick(fresh, monkeypatch):
    """Code is torch's own kernels in their order."""
    monkeypatch.setattr(
        torch, "compile", lambda function, **how: compiler(function, backend="eager", **how | {"options": None})
    )


def num_made() -> int:
    return counters["stats"]["unique_graphs"]


def texts(backbone, rows, tokens):
    return batch_of(
        backbone,
        *(row([2, *(20 + (at + 7 * each) % 40 for each in range(tokens - 2 - at % 2)), 3]) for at in range(rows)),
    )


def states_and_gradients(backbone, rows, tokens, layers=None):
    prompts = prefix(backbone)
    values = prompts.prefixes if layers is None else prompts.prefixes[list(layers)]
    values = values.detach().requires_grad_()
    prompts = Prompts(prefixes=values, layers=prompts.layers if layers is None else layers)
    states = backbone.hidden(texts(backbone, rows, tokens), Stacked([prompts]))
    (states * torch.linspace(-1, 1, states.shape[-1])).sum().backward()
    return states.detach(), values.grad


SHAPES = ((3, 12), (4, 20), (1, 14), (2, 30), (5, 9), (1, 40))


@pytest.mark.parametrize("family", ["roberta", "albert", "mpnet", "gpt2", "llama"])
def test_states_and_gradients_are_the_layers_own(family, load, quick):
    plain, backbone = load(family), load(family)
    assert compile_layers(backbone) == (1 if family == "albert" else 2)
    for rows, tokens in SHAPES:
        for found, own in zip(
            states_and_gradients(backbone, rows, tokens), states_and_gradients(plain, rows, tokens), strict=True
        ):
            torch.testing.assert_close(found, own, atol=1e-5, rtol=1e-4)
    assert backbone.compiled
    assert num_made() == 2  # many rows, and one, which torch makes code of its own for


@pytest.mark.parametrize("layers", [pytest.param(2, marks=pytest.mark.slow), 12])
def test_code_is_made_once_for_all_layers_and_shapes(layers, tmp_path, quick):
    source = find_model(str(write_tiny_bert(tmp_path / "model", layers=layers)))
    backbone = load_backbone(source, CPU, "fp32", True)
    assert compile_layers(backbone) == layers
    for rows, tokens in SHAPES:
        states_and_gradients(backbone, rows, tokens)
    assert num_made() == 2
    with torch.no_grad():
        for rows, tokens in SHAPES:
            backbone.hidden(texts(backbone, rows, tokens), Stacked([Prompts()]))
    assert num_made() == 4
    another = load_backbone(source, CPU, "fp32", True)  # a copy of the model uses the code that is there
    compile_layers(another)
    states_and_gradients(another, 3, 12)
    assert num_made() == 4


def test_layers_without_a_prefix_among_those_with_one(tmp_path, quick):
    source = find_model(str(write_tiny_bert(tmp_path / "model", layers=4)))
    plain, backbone = (load_backbone(source, CPU, "fp32", True) for _ in range(2))
    compile_layers(backbone)
    for found, own in zip(
        states_and_gradients(backbone, 3, 12, (1, 2)), states_and_gradients(plain, 3, 12, (1, 2)), strict=True
    ):
        torch.testing.assert_close(found, own, atol=1e-5, rtol=1e-4)


def trained(workshop, cells, compile_them, precision="fp32", device="cpu"):
    frozen = all(cell.method != "finetune" for cell in cells)
    backbone = workshop.backbone(frozen=frozen, precision=precision, device=device)
    if compile_them:
        assert compile_layers(backbone) == 2
    lanes = [workshop.lane(cell, backbone) for cell in cells]
    fit(backbone, lanes, 200)
    assert [(lane.status, lane.reason) for lane in lanes] == [("done", None)] * len(lanes)
    assert bool(backbone.compiled) == compile_them
    predictions = predict(backbone, [lane.scored() for lane in lanes], 200)
    return [(lane.stored(), each) for lane, each in zip(lanes, predictions, strict=True)]


def assert_alike(one, other, tolerance=1e-4):
    for (_, first), (_, second) in zip(one, other, strict=True):
        for found, own in zip(first.scored_answers, second.scored_answers, strict=True):
            assert found.probabilities == pytest.approx(own.probabilities, abs=tolerance)


@pytest.mark.parametrize(
    ("methods", "precision"),
    [
        (("ptv2", "prompt_tuning"), "bf16"),
        (("finetune",), "fp32"),
        pytest.param(("ptv2",), "fp32", marks=pytest.mark.slow),
        pytest.param(("linear_probe",), "fp32", marks=pytest.mark.slow),
        pytest.param(("finetune",), "bf16", marks=pytest.mark.slow),
    ],
)
def test_cells_are_the_same_cells(methods, precision, workshop, quick):
    cells = workshop.cells(*methods)
    plain, found = (trained(workshop, cells, each, precision) for each in (False, True))
    assert_alike(found, plain, 1e-4 if precision == "fp32" else 3e-2)


@pytest.mark.slow  # a minute or more, for a compiler of C++
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler of C++")
@pytest.mark.parametrize("methods", [("ptv2", "prompt_tuning"), ("finetune",)])
def test_scores_with_kernels_of_their_own(methods, workshop, fresh):
    cells = workshop.cells(*methods)
    plain, *found = (trained(workshop, cells, each) for each in (False, True, True))
    assert_alike(found[0], plain)
    for (first, _), (again, _) in zip(*found, strict=True):
        assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("methods", [("ptv2", "prompt_tuning"), ("finetune",)])
def test_on_a_gpu_a_cell_is_the_same_within_rounding_and_has_the_same_bits_twice(methods, precision, workshop, fresh):
    cells = workshop.cells(*methods)
    plain, *found = (trained(workshop, cells, each, precision, "cuda") for each in (False, True, True))
    assert_alike(found[0], plain, 1e-3 if precision == "fp32" else 5e-2)
    for (first, _), (again, _) in zip(*found, strict=True):
        assert all(torch.equal(first[name], again[name]) for name in first)


def test_with_the_backbones_dropout_on_layers_run_as_they_are(workshop, quick):
    cells = workshop.cells("ptv2", budget={"backbone_dropout": True})
    ((plain, _),), ((found, _),) = (trained(workshop, cells, each) for each in (False, True))
    assert all(torch.equal(plain[name], found[name]) for name in plain)


def test_a_hook_inside_a_layer_is_obeyed(load, quick):
    plain, backbone = load("bert"), load("bert")
    compile_layers(backbone)
    states_and_gradients(backbone, 3, 12)
    for each in (plain, backbone):
        each.encoder.encoder.layer[1].output.dense.register_forward_hook(lambda module, given, output: output * 2)
    for found, own in zip(states_and_gradients(backbone, 3, 12), states_and_gradients(plain, 3, 12), strict=True):
        torch.testing.assert_close(found, own, atol=1e-5, rtol=1e-4)


def test_within_the_block_and_when_undone_nothing_is_compiled(load, quick):
    backbone = load("bert")
    compile_layers(backbone)
    with uncompiled():
        states_and_gradients(backbone, 3, 12)
    undo(backbone)
    states_and_gradients(backbone, 3, 12)
    assert (num_made(), backbone.compiled) == (0, False)


def broken(function, **_):
    def run(*arguments, **options):
        raise torch._dynamo.exc.InternalTorchDynamoError("no compiler here")

    return run


def wrong(function, **_):
    def run(*arguments, **options):
        output = function(*arguments, **options)
        return (output[0] * 1.01, *output[1:]) if isinstance(output, tuple) else output * 1.01

    return run


@pytest.mark.parametrize(
    ("code", "reason"), [(broken, "no compiler here"), (wrong, "their states differ by")], ids=["broken", "wrong"]
)
def test_where_it_does_not_work_layers_run_as_they_are_with_one_warning(code, reason, workshop, monkeypatch):
    monkeypatch.setattr(torch, "compile", code)
    cells = workshop.cells("ptv2")
    plain = trained(workshop, cells, False)
    backbone = workshop.backbone()
    compile_layers(backbone)
    lane = workshop.lane(cells[0], backbone)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit(backbone, [lane], 200)
    said = [str(warning.message) for warning in told if "uncompiled" in str(warning.message)]
    assert len(said) == 1
    assert reason in said[0]
    assert (lane.status, backbone.compiled) == ("done", False)
    assert all(torch.equal(lane.stored()[name], tensor) for name, tensor in plain[0][0].items())


def rounding_otherwise(function, **_):
    def run(*arguments, **options):
        output = function(*arguments, **options)
        states = output[0] if isinstance(output, tuple) else output
        up = 1 + 2**-9 * (1 - 2 * (torch.arange(states.shape[-1]) % 2))
        return (states * up, *output[1:]) if isinstance(output, tuple) else states * up

    return run


def mixed_up(function, **_):
    def run(*arguments, **options):
        output = function(*arguments, **options)
        return (output[0].roll(1, -1), *output[1:]) if isinstance(output, tuple) else output.roll(1, -1)

    return run


@pytest.mark.parametrize(("code", "kept"), [(rounding_otherwise, True), (mixed_up, False)])
@pytest.mark.parametrize("times", [1, 8], ids=["quiet", "loud"])
def test_code_may_round_otherwise_also_where_a_rounding_comes_out_large(code, kept, times, tmp_path, monkeypatch):
    """As it does where attention is sharp, which training can make it before the code is tried."""
    monkeypatch.setattr(torch, "compile", code)
    source = find_model(str(write_tiny_bert(tmp_path / "model", layers=4)))
    backbone = load_backbone(source, CPU, "bf16", True)
    with torch.no_grad():
        for name, weight in backbone.model.named_parameters():
            if name.endswith(("query.weight", "key.weight")):
                weight *= times
    compile_layers(backbone)
    with warnings.catch_warnings(), backbone.autocast():
        warnings.simplefilter("ignore")
        states_and_gradients(backbone, 3, 12)
    assert backbone.compiled == kept


def test_where_a_platform_has_no_compiler_there_is_a_warning_too(load, monkeypatch):
    def missing(*_, **__):
        raise RuntimeError("Dynamo is not supported")

    monkeypatch.setattr(torch, "compile", missing)
    backbone = load("bert")
    with pytest.warns(UserWarning, match="layers run uncompiled: RuntimeError: Dynamo is not supported"):
        assert compile_layers(backbone) == 0
    assert not backbone.compiled


def test_the_time_it_takes_is_counted(load, quick):
    before = compiled.compile_seconds()
    backbone = load("bert")
    compile_layers(backbone)
    states_and_gradients(backbone, 3, 12)
    after = compiled.compile_seconds()
    assert after > before
    states_and_gradients(backbone, 4, 20)
    assert compiled.compile_seconds() == after


def test_cells_that_share_a_loop_share_the_time_of_compiling(bench, quick):
    assert bench.run("--out", "shared", "--compile", "on", "--seeds", "3")[0] == 0
    for record in Store.open(Path("shared")).records():
        costs = record.costs
        assert (costs.lanes, costs.own_compile_seconds) == (3, pytest.approx(costs.compile_seconds / 3))
        assert 0 < costs.own_compile_seconds < costs.seconds - costs.train_seconds


def test_the_flag_changes_no_cell_and_the_record_says_it(bench, quick):
    found = {}
    for asked in ("off", "on"):
        assert bench.run("--out", asked, "--compile", asked)[0] == 0
        (file,) = Path(asked).rglob("record.json")
        record = json.loads(file.read_text())
        found[asked] = record, load_file(file.parent / "tuned.safetensors")
    (plain, own), (record, tuned) = found["off"], found["on"]
    assert (plain["id"], plain["provenance"]["compiled"], plain["costs"]["compile_seconds"]) == (
        record["id"], False, 0.0,
    )  # fmt: skip
    assert record["provenance"]["compiled"]
    assert record["costs"]["compile_seconds"] > 0
    assert all(torch.allclose(own[name], tuned[name], atol=1e-4) for name in own)
