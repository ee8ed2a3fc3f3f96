"""A model that does not fit is refused before it is loaded, with the estimate and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.cell import Cell, Precision
from bench.errors import UsageError
from bench.model.memory import MARGIN, MemoryNeed, estimate
from bench.model.sizes import Sizes, model_sizes
from bench.model.source import find_model
from bench.registry import build, find_method
from bench.resolved import resolve
from bench.train import memory
from bench.train.memory import bytes_needed, check_memory, work_of


def check(cells: Iterable[Cell], *where: Any) -> None:
    check_memory([resolve(cell) for cell in cells], *where)


CPU, GPU = torch.device("cpu"), torch.device("cuda")
BILLION = Sizes(1_000_000_000, 900_000_000, 16, 2048, 8192, False, 16)


@pytest.fixture
def need(workshop):
    """What a method needs on a model of a billion parameters, with 1,000 tokens in a micro-batch on a GPU."""

    def estimated(
        method: str, precision: Precision = "fp32", checkpointing: bool = False, **settings: Any
    ) -> MemoryNeed:
        (cell,) = workshop.cells(method, settings={method: settings})
        cell = cell.changed(precision=precision)
        tuned = build(find_method(method), cell.settings)
        return estimate(BILLION, work_of(cell, tuned, 1000, checkpointing, GPU))

    return estimated


def test_frozen_weights_in_fp32_and_bf16(need) -> None:
    assert (need("ptv2").weights, need("ptv2").training) == (4_000_000_000, 0)
    assert need("ptv2", "bf16").weights == 4_000_000_000 - 2 * 900_000_000
    assert need("ptv2", "bf16").total < 4_000_000_000  # nor are they fp32 while they are loaded


@pytest.mark.parametrize("method", ["lora", "ia3", "adalora", "bitfit"])
def test_what_changes_a_model_by_row_needs_what_a_frozen_one_does_and_more_on_one_of_its_own(workshop, method) -> None:
    (cell,) = workshop.cells(method)
    cell, tuned = cell.changed(precision="bf16"), build(find_method(method), cell.settings)
    shared, alone = (estimate(BILLION, work_of(cell, tuned, 1000, False, GPU, each)) for each in (True, False))
    assert (shared.weights, shared.training) == (4_000_000_000 - 2 * 900_000_000, 0)
    assert (alone.weights, alone.training > 0) == (4_000_000_000, True)


def test_weights_that_train_stay_fp32_and_take_gradient_best_and_moments(need) -> None:
    assert need("finetune", "bf16").weights == 4_000_000_000
    assert need("finetune").training == 16_000_000_000
    assert need("finetune", optimizer="adafactor").training == 8_000_000_000


def test_the_best_weights_are_kept_where_a_run_is_evaluated_before_its_end(workshop) -> None:
    trained = []
    for evaluations in (1, 2):
        (cell,) = workshop.cells("finetune", budget={"evaluations": evaluations})
        tuned = build(find_method("finetune"), cell.settings)
        trained.append(estimate(BILLION, work_of(cell, tuned, 1000, False, GPU)).training)
    assert trained == [12_000_000_000, 16_000_000_000]


def test_checkpointing_leaves_a_layers_input_and_one_layer(need) -> None:
    whole, again = need("ptv2").activations, need("ptv2", checkpointing=True).activations
    one_layer = whole / 16
    assert again == pytest.approx(one_layer + 1000 * 16 * 2048 * 4)


def test_the_activations_are_about_what_autograd_keeps(workshop) -> None:
    from tests.model.test_checkpointing import gradients

    for method in ("prompt_tuning", "finetune"):
        (cell,) = workshop.cells(method)
        sizes = model_sizes(find_model(cell.model_path))
        assert sizes is not None
        _, kept = gradients(workshop, method, False)
        tuned = build(find_method(method), cell.settings)
        longest = 8 * (32 + tuned.slots().count)  # rows a step, all at full length
        assert 0.3 < kept.bytes / estimate(sizes, work_of(cell, tuned, longest, False, CPU)).activations < 1.5


def test_copies_that_products_make_of_weights_stay_until_the_backward_pass_but_with_a_team(workshop) -> None:
    for method, settings, copied in (("finetune", {}, (True, False)), ("peft", {"config": "LOHA:r=2"}, (True, True))):
        (cell,) = workshop.cells(method, settings={method: settings})
        tuned = build(find_method(method), cell.settings)
        for num_devices, expected in zip((1, 2), copied, strict=True):
            works = [
                work_of(cell.changed(precision=precision), tuned, 1000, False, GPU, True, num_devices)
                for precision in ("fp32", "bf16")
            ]
            bare = replace(works[1], copies=False)
            more = estimate(BILLION, works[1]).activations - estimate(BILLION, bare).activations
            assert more == (2 * 900_000_000 if expected else 0)
            assert estimate(BILLION, works[0]) == estimate(BILLION, replace(works[0], copies=False))


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
    tuned = build(find_method("finetune"), cells[0].settings)
    total = estimate(BILLION, work_of(cells[0], tuned, 8 * 32, False, CPU)).total
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda _: total / (1 - share_free))
    with nullcontext() if fits else pytest.raises(UsageError):
        check(cells, CPU, 8, None, False)


def test_what_is_loaded_for_a_gpu_needs_no_main_memory(workshop, monkeypatch) -> None:
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda device: 80e9 if device.type == "cuda" else 3e9)
    check(workshop.cells("ptv2"), GPU, 8, None, False)


def test_a_frozen_model_over_several_gpus_has_a_share_and_up_to_a_layer_more_on_each(workshop) -> None:
    (cell,) = workshop.cells("ptv2")
    tuned = build(find_method("ptv2"), cell.settings)
    one, four = (estimate(BILLION, work_of(cell, tuned, 1000, False, GPU, num_devices=n)) for n in (1, 4))
    assert four.weights == 4_000_000_000 * (1 / 4 + 1 / 16)
    assert four.activations == pytest.approx(one.activations * (1 / 4 + 1 / 16))


def test_weights_that_train_over_several_gpus_are_divided_and_a_layer_is_gathered(workshop) -> None:
    (cell,) = workshop.cells("finetune")
    tuned = build(find_method("finetune"), cell.settings)
    one, four = (estimate(BILLION, work_of(cell, tuned, 1000, False, GPU, num_devices=n)) for n in (1, 4))
    assert four.weights == 1_000_000_000 + 2 * 250_000_000
    assert (four.training, four.activations) == (one.training // 4, one.activations)


@pytest.fixture
def gpus(monkeypatch):
    """A machine with so many GPUs of which so many bytes are free; the model has a billion parameters."""

    def machine(count: int, free: float) -> None:
        monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
        monkeypatch.setattr(memory, "available_bytes", lambda device: free)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return machine


def test_a_model_that_does_not_fit_one_gpu_is_told_how_many_would_do(workshop, gpus) -> None:
    cells = workshop.cells("ptv2")
    gpus(4, 2_000_000_000)
    with pytest.raises(UsageError, match=r"give --precision bf16, --checkpointing.*, --shard 3 or a smaller model"):
        check(cells, GPU, 8, None, False)
    three = tuple(torch.device("cuda", number) for number in range(3))
    check_memory([resolve(cell) for cell in cells], three[0], 8, None, False, others=three[1:])
    with pytest.raises(UsageError, match=r"on each of 2 devices .* --shard 3 or"):
        check_memory([resolve(cell) for cell in cells], three[0], 8, None, False, others=three[1:2])


def test_what_is_foretold_is_of_each_of_a_workers_devices_in_micro_batches_that_fit(workshop, gpus) -> None:
    pair = [torch.device("cuda", number) for number in range(2)]
    (tuned,), (frozen,) = ([resolve(cell) for cell in workshop.cells(method)] for method in ("finetune", "ptv2"))
    gpus(2, 80e9)
    one, two = (bytes_needed([tuned], devices, 1000, False) for devices in (pair[:1], pair))
    assert one > 20e9
    assert two < 0.75 * one
    roomy = bytes_needed([frozen], pair[:1], None, False)
    gpus(2, 6e9)
    assert bytes_needed([frozen], pair[:1], None, False) <= 6e9 * (1 - MARGIN) < roomy


@pytest.mark.parametrize(
    ("free", "said"),
    [
        (2e9, r"a machine with 3 GPUs like this one for --shard 3 \(this one has 2\)"),
        (2e8, r"a larger GPU \(no number of these would do\)"),
    ],
)
def test_what_this_machine_has_not_is_said(workshop, gpus, free: float, said: str) -> None:
    gpus(2, free)
    with pytest.raises(UsageError, match=said):
        check(workshop.cells("ptv2"), GPU, 8, None, False)


def test_a_model_that_trains_is_told_over_how_many_gpus_it_would(workshop, gpus) -> None:
    gpus(8, 8_000_000_000)
    with pytest.raises(UsageError, match=r"with finetune in fp32 needs about 2.* GB.*--shard 4"):
        check(workshop.cells("finetune"), GPU, 8, None, False)


def test_the_empty_rows_of_a_gpus_micro_batches_are_counted(workshop, need, monkeypatch) -> None:
    """A step of 8 rows of 32 tokens is filled up to a token budget; where none is given micro-batches are smaller."""
    free = need("ptv2").total / (1 - MARGIN)  # at 1,000 tokens
    monkeypatch.setattr(memory, "model_sizes", lambda _: BILLION)
    monkeypatch.setattr(memory, "available_bytes", lambda device: free if device.type == "cuda" else 1e12)
    check(workshop.cells("ptv2"), GPU, 8, 1000, False)
    with pytest.raises(UsageError, match="smaller --token-budget"):
        check(workshop.cells("ptv2"), GPU, 8, 2048, False)
    check(workshop.cells("ptv2"), GPU, 8, None, False)


def test_the_command_refuses_before_anything_is_written(bench, monkeypatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda _: 10_000)
    assert "model 'tiny-bert' with ptv2 in fp32 needs about" in bench.refuses()
    assert not Path("out").exists()


@pytest.mark.parametrize(("precision", "num_bytes"), [("int8", 1), ("nf4", 0.515869140625)])
@pytest.mark.parametrize("shared", [True, False])
def test_quantised_matrices_of_layers_take_their_bits(workshop, precision, num_bytes, shared) -> None:
    (cell,) = workshop.cells("lora")
    cell, tuned = cell.changed(precision=precision), build(find_method("lora"), cell.settings)
    sizes = replace(BILLION, largest=10_000_000, inner_matrices=800_000_000)
    need = estimate(sizes, work_of(cell, tuned, 1000, False, GPU, shared))
    outside = 100_000_000 * 2  # a language-model head
    assert need.weights == round(800_000_000 * num_bytes) + outside + 100_000_000 * 4
    if shared:  # to several devices it comes in bf16
        spread = [
            estimate(sizes, work_of(cell.changed(precision=each), tuned, 1000, False, GPU, True, 2)).weights
            for each in (precision, "bf16")
        ]
        assert spread[0] == spread[1]
    plain = estimate(sizes, work_of(cell.changed(precision="bf16"), tuned, 1000, False, GPU, shared))
    copies = 0 if shared else 2 * 900_000_000  # that products make of fp32 weights
    assert need.activations == plain.activations - copies + 2 * 10_000_000  # a matrix as it is multiplied


def test_what_a_model_has_within_its_layers_is_known_from_its_names(workshop) -> None:
    (cell,) = workshop.cells("ptv2")
    sizes = model_sizes(find_model(cell.model_path))
    backbone = workshop.backbone()
    linear = {name: part for name, part in backbone.model.named_modules() if isinstance(part, torch.nn.Linear)}
    assert sizes is not None
    assert sizes.inner_matrices == sum(part.weight.numel() for name, part in linear.items() if ".layer." in name)


def test_fewer_bits_are_named_where_they_would_help(workshop, monkeypatch) -> None:
    monkeypatch.setattr(memory, "model_sizes", lambda _: replace(BILLION, inner_matrices=900_000_000))
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1_000_000_000)
    for precision, named in (("bf16", True), ("int8", True), ("nf4", False)):
        cells = [cell.changed(precision=precision) for cell in workshop.cells("ptv2")]
        with pytest.raises(UsageError) as refused:
            check(cells, GPU, 8, 4096, False)
        assert ("--precision nf4" in str(refused.value)) is named
