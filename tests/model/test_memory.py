"""The sizes of a model that is not loaded, and the memory that is free."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.model import free_memory
from bench.model.sizes import model_sizes
from bench.model.source import find_model
from tests.model.families import FAMILIES

FED_THE_TEXT = ("bart", "mbart", "led", "pegasus")  # the decoder is
FOUR_TIMES = ("gpt2", "bloom", "mpt", "gptj", "gpt_neo")  # as wide inside


def test_sizes_are_read_from_headers_and_config(workshop) -> None:
    sizes = model_sizes(find_model(str(workshop.model)))
    assert sizes is not None
    linear = [part for part in workshop.backbone().model.modules() if isinstance(part, torch.nn.Linear)]
    tied = workshop.backbone().embeddings.weight.numel()  # the head's matrix is the table, and not in the file
    assert sizes.matrices == sum(part.weight.numel() for part in linear) - tied
    assert sizes.parameters == workshop.backbone().geometry.parameters
    assert (sizes.layers, sizes.hidden, sizes.inner, sizes.heads, sizes.gated) == (2, 32, 64, 4, False)


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_of_every_family_are_those_of_the_loaded_model(family, folders, load) -> None:
    sizes, backbone = model_sizes(find_model(str(folders(family)))), load(family)
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


def test_a_limit_of_a_group_above_counts(tmp_path: Path) -> None:
    (tmp_path / "job/step").mkdir(parents=True)
    for place, limit in (("job", "1000"), ("job/step", "max")):
        (tmp_path / place / "memory.max").write_text(limit)
        (tmp_path / place / "memory.current").write_text("700")
        (tmp_path / place / "memory.stat").write_text("anon 400\ninactive_file 300\n")
    (tmp_path / "own").write_text("0::/job/step\n")
    assert free_memory._cgroup_bytes(tmp_path, tmp_path / "own") == [600]


def test_available_memory_is_within_the_machines() -> None:
    assert 0 < free_memory.available_bytes(torch.device("cpu")) <= free_memory._machine_bytes() * 1.2
