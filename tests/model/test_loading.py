"""Weights come straight to where they belong, and have the bits that they always had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from bench.model import proofs
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.matrices import multiply_in_fp32
from bench.model.pretrained import Place, load_config, load_model
from bench.model.proofs import prove
from bench.model.source import ModelSource, find_model
from tests.model.pretended import AWAY, HOME

CPU = torch.device("cpu")
FAMILIES = ("bert", "gpt2", "llama", "gemma", "mixtral", "xlnet", "t5", "bart", "deberta-v2", "gemma3")
SMOKE = sorted((Path(__file__).parents[2] / "suites" / "smoke" / "models").iterdir())


def tensors(backbone: Backbone | nn.Module) -> dict[str, Tensor]:
    """All of a model's tensors under all of their names."""
    model = backbone.model if isinstance(backbone, Backbone) else backbone
    named = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    return {name: tensor.detach() for name, tensor in named}


def cast_afterwards(source: ModelSource, backbone: Backbone) -> dict[str, Tensor]:
    """The whole model in fp32, and then its linear layers in bf16."""
    assert backbone.proof is not None
    with_words = source.has_lm_head and "lm_head" not in backbone.proof.fails
    model, _ = load_model(source, backbone.family, backbone.proof.attention, with_words)
    for part in model.modules():
        if isinstance(part, nn.Linear):
            part.weight = nn.Parameter(part.weight.to(torch.bfloat16), requires_grad=False)
    return tensors(model)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype, name
        assert torch.equal(tensor, expected[name]), name


def check(folder: Path) -> Backbone:
    source = find_model(str(folder))
    backbone = load_backbone(source, CPU, "bf16", True)
    assert type(backbone.model) is getattr(transformers, type(backbone.model).__name__)  # the family's own again
    assert_same(tensors(backbone), cast_afterwards(source, backbone))
    return backbone


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frozen_bf16_backbone_has_the_bits_of_one_that_is_cast_afterwards(folders, family: str) -> None:
    check(folders(family))


@pytest.mark.parametrize("folder", SMOKE, ids=lambda folder: folder.name)
def test_embedded_models_have_the_bits_they_had(folder: Path) -> None:
    check(folder)


def tied(folder: Path, keep: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    """A Llama with tied embeddings, whose checkpoint has these tensors."""
    from tests.model.families import BOS_LIKE, GROUPED, _family

    _family("LlamaForCausalLM", "LlamaConfig", BOS_LIKE, mask=False, **GROUPED, tie_word_embeddings=True)(folder)
    file = folder / "model.safetensors"
    save_file(keep(load_file(file)), file, {"format": "pt"})
    return folder


TABLE, HEAD = "model.embed_tokens.weight", "lm_head.weight"


@pytest.mark.parametrize(
    "keep",
    [
        lambda found: found,
        lambda found: {HEAD if name == TABLE else name: tensor for name, tensor in found.items()},
        lambda found: {**found, HEAD: found[TABLE].clone()},
        lambda found: {**found, HEAD: found[TABLE] + 1e-5},
    ],
    ids=["the table alone", "the head alone", "both alike", "both, unlike"],
)
def test_a_table_that_a_head_shares_is_not_rounded_through_it(tmp_path: Path, keep: Any) -> None:
    folder = tied(tmp_path / "tied", keep)
    backbone = check(folder)
    stored = load_file(folder / "model.safetensors")
    found = tensors(backbone)
    assert torch.equal(found[TABLE], stored.get(TABLE, stored.get(HEAD)))
    assert torch.equal(found[HEAD], stored.get(HEAD, stored.get(TABLE)).to(torch.bfloat16))


@contextmanager
def registered() -> Iterator[list[tuple[str, torch.dtype]]]:
    """Within the block the linear weights with values that modules are given: their shapes and dtypes."""
    seen: list[tuple[str, torch.dtype]] = []

    def see(module: nn.Module, name: str, weight: Any) -> None:
        if isinstance(module, nn.Linear) and name == "weight" and not weight.is_meta:
            seen.append((str(tuple(weight.shape)), weight.dtype))

    hook = register_module_parameter_registration_hook(see)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize("family", ["llama", "bert", "t5"])
def test_no_matrix_is_in_fp32_on_the_way(folders, family: str) -> None:
    source = find_model(str(folders(family)))
    prove(source, CPU)
    with registered() as seen:
        backbone = load_backbone(source, CPU, "bf16", True)
    head = backbone.model.get_output_embeddings()
    table = str(tuple(head.weight.shape))
    assert {dtype for shape, dtype in seen if shape != table} == {torch.bfloat16}


def half_checkpoint(folder: Path, family: str, write: Callable[[str], Path]) -> ModelSource:
    """A family's checkpoint with its weights in bf16, as most large models have theirs."""
    source = find_model(str(write(family)))
    kind = getattr(transformers, load_config(source).architectures[0])
    kind.from_pretrained(source.path, dtype=torch.bfloat16).save_pretrained(folder)
    for file in Path(source.path).glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return find_model(str(folder))


@pytest.mark.parametrize("family", ["llama", "t5", "bert", "mpnet"])
def test_a_model_that_is_too_large_in_fp32_shows_the_same_with_its_matrices_in_bf16(
    folders, family: str, tmp_path: Path, monkeypatch, nothing_is_known
) -> None:
    source = half_checkpoint(tmp_path / "half", family, folders)
    in_fp32 = prove(source, CPU)
    sizes = proofs.model_sizes(source)
    assert sizes is not None
    held = []
    monkeypatch.setattr(proofs, "multiply_in_fp32", lambda model: (held.append(model), multiply_in_fp32(model)))
    monkeypatch.setattr(proofs, "known_proof", lambda *_: None)
    monkeypatch.setattr(proofs, "available_bytes", lambda _: sizes.parameters * 4 - 1)
    found = prove(source, CPU)
    assert held
    assert {**found.record(), "seconds": 0} == {**in_fp32.record(), "seconds": 0}


def test_a_model_is_examined_on_one_device_where_it_fits_and_over_all_where_not(folders, monkeypatch) -> None:
    source = find_model(str(folders("llama")))
    sizes = proofs.model_sizes(source)
    assert sizes is not None
    whole, half = sizes.parameters * 4, sizes.parameters * 4 - sizes.matrices * 2
    found = []
    for free in (whole, half, half - 1, 10):
        monkeypatch.setattr(proofs, "available_bytes", lambda _, free=free: free / (1 - proofs.MARGIN) + 1e-3)
        found.append(proofs._place(source, HOME, (AWAY,)))
    # two layers: each device may have both of them
    assert found == [Place((HOME,)), Place((HOME,), half=True), None, None]
    monkeypatch.setattr(proofs, "weight_bytes", lambda sizes, half, count: whole // count)
    monkeypatch.setattr(proofs, "available_bytes", lambda _: whole * 0.6)
    assert proofs._place(source, HOME, (AWAY,)) == Place((HOME, AWAY))


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", [*FAMILIES, "bloom", "gptj", "roformer", "modernbert"])
def test_weights_and_buffers_on_a_gpu_are_those_of_the_processor(folders, family: str, precision: Any) -> None:
    source = find_model(str(folders(family)))
    here, there = (load_backbone(source, torch.device(name), precision, True) for name in ("cpu", "cuda"))
    found = tensors(there)
    assert {tensor.device.type for tensor in found.values()} == {"cuda"}
    assert_same({name: tensor.cpu() for name, tensor in found.items()}, tensors(here))
