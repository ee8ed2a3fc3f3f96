"""A model that does not fit is refused before it is loaded, with the estimate and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cell import Cell, Precision
from bench.errors import UsageError
from bench.model import memory
from bench.model.memory import Sizes, check_memory, estimate
from bench.registry import build, find_method
from bench.resolved import resolve
from tests.model.families import FAMILIES

CPU, GPU = torch.device("cpu"), torch.device("cuda")
BILLION = Sizes(1_000_000_000, 900_000_000, 16, 2048, 8192, False, 16)


def need(method: str, precision: Precision = "fp32", checkpointing: bool = False, **settings: object) -> memory.Need:
    return estimate(BILLION, build(find_method(method), settings), precision, 1000, 128, checkpointing, GPU)


def check(cells: Iterable[Cell], *where: Any) -> None:
    check_memory([resolve(cell) for cell in cells], *where)


def test_frozen_weights_in_fp32_and_bf16() -> None:
    assert (need("ptv2").weights, need("ptv2").training) == (4_000_000_000, 0)
    assert need("ptv2", "bf16").weights == 4_000_000_000 - 2 * 900_000_000
    assert need("ptv2", "bf16").loading == 4_000_000_000  # they are fp32 while they are loaded


def test_weights_that_train_stay_fp32_and_take_gradient_best_and_moments() -> None:
    assert need("finetune", "bf16").weights == 4_000_000_000
    assert need("finetune").training == 16_000_000_000
    assert need("finetune", optimizer="adafactor").training == 8_000_000_000


def test_checkpointing_leaves_a_layers_input_and_one_layer() -> None:
    whole, again = need("ptv2").activations, need("ptv2", checkpointing=True).activations
    one_layer = whole / 16
    assert again == pytest.approx(one_layer + 1000 * 16 * 2048 * 4)


def test_the_activations_are_about_what_autograd_keeps(workshop) -> None:
    from tests.model.test_checkpointing import gradients

    for method in ("prompt_tuning", "finetune"):
        (cell,) = workshop.cells(method)
        sizes = memory.model_sizes(memory.find_model(cell.model_path))
        assert sizes is not None
        _, kept = gradients(workshop, method, False)
        tuned = build(find_method(method), cell.settings)
        longest = 8 * (32 + tuned.slots().count)  # rows a step, all at full length
        assert 0.3 < kept.bytes / estimate(sizes, tuned, "fp32", longest, 32, False, CPU).activations < 1.5


def test_what_does_not_fit_is_one_line_with_need_and_remedy(workshop, monkeypatch) -> None:
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 10_000_000_000)
    check(workshop.cells("ptv2"), CPU, 8, None, False)
    with pytest.raises(UsageError) as refused:
        check(workshop.cells("finetune"), CPU, 8, None, False)
    said = str(refused.value)
    assert said.startswith("model 'tiny-bert' with finetune in fp32 needs about 24.0 GB")
    for words in (
        "1,000 million parameters", "4.0 for weights", "16.0 for training them", "4.0 for copies between steps",
        "9.5 GB of cpu can be used", "another --device or a smaller model",
    ):  # fmt: skip
        assert words in said
    assert "bf16" not in said  # weights that train stay fp32
    assert "\n" not in said


def test_what_would_help_is_named(workshop, monkeypatch) -> None:
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda _: 5_000_000_000)
    with pytest.raises(UsageError, match="give --precision bf16, --checkpointing, a smaller --token-budget, another"):
        check(workshop.cells("ptv2", budget={"batch_size": 64}), CPU, 8, 4096, False)


@pytest.mark.parametrize(("share_free", "fits"), [(0.04, False), (0.06, True)])
def test_a_twentieth_of_what_is_free_is_left(workshop, monkeypatch, share_free: float, fits: bool) -> None:
    cells = workshop.cells("finetune")
    total = estimate(BILLION, build(find_method("finetune"), cells[0].settings), "fp32", 8 * 32, 32, False, CPU).total
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda _: total / (1 - share_free))
    with nullcontext() if fits else pytest.raises(UsageError):
        check(cells, CPU, 8, None, False)


def test_what_is_loaded_for_a_gpu_must_fit_main_memory_first(workshop, monkeypatch) -> None:
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda device: 80e9 if device.type == "cuda" else 3e9)
    with pytest.raises(UsageError, match=r"through main memory: it needs 4\.0 GB there"):
        check(workshop.cells("ptv2"), GPU, 8, None, False)


def test_the_empty_rows_of_a_gpus_micro_batches_are_counted(workshop, monkeypatch) -> None:
    """A step of 8 rows of 32 tokens is filled up to the token budget, 2,048 at this width; not where weights train."""
    free = need("finetune").total / (1 - memory.MARGIN)  # at 1,000 tokens
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda device: free if device.type == "cuda" else 1e12)
    check(workshop.cells("finetune"), GPU, 8, None, False)
    free = need("ptv2").total / (1 - memory.MARGIN)
    check(workshop.cells("ptv2"), GPU, 8, 1000, False)
    with pytest.raises(UsageError, match="smaller --token-budget"):
        check(workshop.cells("ptv2"), GPU, 8, None, False)


def test_sizes_are_read_from_headers_and_config(workshop) -> None:
    sizes = memory.model_sizes(memory.find_model(str(workshop.model)))
    assert sizes is not None
    linear = [part for part in workshop.backbone().model.modules() if isinstance(part, torch.nn.Linear)]
    tied = workshop.backbone().embeddings.weight.numel()  # the head's matrix is the table, and not in the file
    assert sizes.matrices == sum(part.weight.numel() for part in linear) - tied
    assert sizes.parameters == workshop.backbone().geometry.parameters
    assert (sizes.layers, sizes.hidden, sizes.inner, sizes.heads, sizes.gated) == (2, 32, 64, 4, False)


FED_THE_TEXT = ("bart", "mbart", "led", "pegasus")  # the decoder is
FOUR_TIMES = ("gpt2", "bloom", "mpt", "gptj", "gpt_neo")  # as wide inside


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_of_every_family_are_those_of_the_loaded_model(family, folders, load) -> None:
    sizes, backbone = memory.model_sizes(memory.find_model(str(folders(family)))), load(family)
    assert sizes is not None
    tables = {each.weight.data_ptr() for each in backbone.model.modules() if isinstance(each, torch.nn.Embedding)}
    linear = {each.weight.data_ptr(): each for each in backbone.model.modules() if isinstance(each, torch.nn.Linear)}
    projections = {"longformer": 6, "led": 6, "big_bird": 1}.get(family, 0)  # in the file, not loaded
    matrices = sum(each.weight.numel() for at, each in linear.items() if at not in tables)
    assert sizes.matrices == matrices + projections * 32 * 32
    buffers = 86 if family in FED_THE_TEXT else 0  # a bias that is in the file and no parameter
    assert sizes.parameters == backbone.geometry.parameters + buffers + projections * 33 * 32
    layers = 4 if family in (*FED_THE_TEXT, "t5gemma") else 2
    inner = 128 if family in FOUR_TIMES else 64
    assert (sizes.layers, sizes.hidden, sizes.inner, sizes.heads) == (layers, 32, inner, 4)


def test_the_command_refuses_before_anything_is_written(bench, monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda _: 10_000)
    assert "model 'tiny-bert' with ptv2 in fp32 needs about" in bench.refuses()
    assert not Path("out").exists()


def test_a_limit_of_a_group_above_counts(tmp_path: Path) -> None:
    (tmp_path / "job/step").mkdir(parents=True)
    for place, limit in (("job", "1000"), ("job/step", "max")):
        (tmp_path / place / "memory.max").write_text(limit)
        (tmp_path / place / "memory.current").write_text("700")
        (tmp_path / place / "memory.stat").write_text("anon 400\ninactive_file 300\n")
    (tmp_path / "own").write_text("0::/job/step\n")
    assert memory._cgroup_bytes(tmp_path, tmp_path / "own") == [600]


def test_available_memory_is_within_the_machines() -> None:
    assert 0 < memory.available_bytes(CPU) <= memory._machine_bytes() * 1.2
