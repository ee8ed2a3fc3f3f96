"""`--precision int8|nf4` from the request to the record and the exported adapter."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.cell import Plan
from bench.errors import UsageError
from bench.plan.cells import plan
from bench.request import RunRequest
from tests.model.families import FAMILIES

PRECISIONS = pytest.mark.parametrize("precision", ["int8", "nf4"])


def planned(workshop, precision, *methods, model=None, **grid) -> Plan:
    request = RunRequest(
        suite="superglue", tasks=("rte",), methods=methods, models=(str(model or workshop.model),), data=workshop.data,
        max_length=32, seeds=(0,), **grid,
    )  # fmt: skip
    return plan(request, precision)


@pytest.fixture
def installed(monkeypatch):
    """A plan asks only whether the package is there."""
    monkeypatch.setattr("bench.model.precisions.is_installed", lambda name: True)


@PRECISIONS
def test_what_changes_the_models_weights_is_skipped(workshop, installed, precision):
    loha = {"peft": {"config": '{"peft_type": "LOHA"}'}}
    found = planned(workshop, precision, "ptv2", "finetune", "bitfit", "lora", "peft", set=loha)
    assert {(cell.method, cell.precision) for cell in found.cells} == {
        (name, precision) for name in ("ptv2", "bitfit", "lora")
    }
    reason = f"--precision {precision} is for frozen weights, and method '{{}}' changes them; take bf16 or fp32"
    assert [skip.reason for skip in found.skips] == [reason.format(name) for name in ("finetune", "peft")]


def test_each_precision_has_cells_of_its_own(workshop, installed):
    ids = {planned(workshop, each, "ptv2").cells[0].id for each in ("fp32", "bf16", "int8", "nf4")}
    assert len(ids) == 4


@PRECISIONS
def test_a_model_without_linear_layers_is_skipped(workshop, installed, tmp_path, precision):
    folder = FAMILIES["gpt2"](tmp_path / "gpt2")
    with pytest.raises(UsageError) as refused:
        planned(workshop, precision, "ptv2", model=folder)
    assert str(refused.value) == (
        f"nothing can be run: model 'gpt2' has no linear layers that --precision {precision} could quantise (Conv1D)"
    )


@PRECISIONS
def test_without_the_package_it_is_refused_with_the_line_that_brings_it(bench, monkeypatch, precision):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert bench.refuses("--precision", precision) == (
        f"error: --precision {precision} needs the package bitsandbytes: pip install 'tuning-bench[large]'; bf16 and "
        "fp32 need none"
    )
    assert not Path("out").exists()


@PRECISIONS
def test_a_run_says_its_precision_and_its_adapter_is_exported_as_any_other(bench, precision):
    version = pytest.importorskip("bitsandbytes").__version__
    code, _, err = bench.run("--methods", "lora,linear_probe", "--precision", precision)
    assert code == 0, err
    records = [json.loads(path.read_text()) for path in Path("out/cells").glob("*/record.json")]
    assert {(each["cell"]["precision"], each["status"]) for each in records} == {(precision, "done")}
    assert {each["provenance"]["packages"]["bitsandbytes"] for each in records} == {version}
    (lora,) = (each["id"] for each in records if each["cell"]["method"] == "lora")
    code, _, err = bench("export", lora, "--to", "adapter", "--in", "out")
    assert code == 0, err
    assert json.loads(Path("adapter/head.json").read_text())["precision"] == precision
