"""Memory that lacks is no fault of a model: nothing is held against it, the error names it, another try may go well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel, field_serializer
from pydantic_core import PydanticSerializationError

from bench.errors import OutOfMemory, is_out_of_memory, out_of_memory_line, with_memory_to
from bench.model import backbone as backbones
from bench.model import pretrained, proofs
from bench.model.loading import load_backbone
from bench.model.proof import known_proof
from bench.model.proofs import proofs_of, prove
from bench.model.source import find_model

CPU = torch.device("cpu")
ALLOCATOR = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
ERRORS = [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(ALLOCATOR), MemoryError()]
KINDS = ["device", "allocator", "python"]


@pytest.fixture(autouse=True)
def _anew(nothing_is_known):
    """Every proof is made here."""


def raising(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", ERRORS, ids=KINDS)
def test_a_proof_that_had_no_memory_is_none(error: Exception, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = find_model(str(tiny_bert))
    with monkeypatch.context() as machine:
        machine.setattr(backbones.Backbone, "hidden", raising(error))
        with pytest.raises(OutOfMemory, match=f"not enough memory to let model {tiny_bert} prove itself"):
            prove(model, CPU)
        assert known_proof(model.fingerprint, "cpu") is None
        (proof,) = proofs_of([model], CPU, fetch=True).values()
        assert proof.refused.startswith("it cannot be loaded: not enough memory")
        assert known_proof(model.fingerprint, "cpu") is None
    assert prove(model, CPU).refused == ""


@pytest.mark.parametrize("error", ERRORS, ids=KINDS)
@pytest.mark.parametrize("place", ["loading", "load_config", "load_tokenizer", "load_model", "examine"])
def test_a_way_that_had_no_memory_once_is_not_taken_for_wrong(
    error: Exception, place: str, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the model would be right in its own way alone, which takes no prefixes, from then on."""
    model, module = find_model(str(tiny_bert)), pretrained if place == "loading" else proofs
    plain, left = getattr(module, place), [error]

    def once(*arguments: Any) -> Any:
        if left:
            raise left.pop()
        return plain(*arguments)

    with monkeypatch.context() as machine:
        machine.setattr(module, place, once)
        with pytest.raises(OutOfMemory):
            prove(model, CPU)
    assert known_proof(model.fingerprint, "cpu") is None
    assert "prefixes" not in prove(model, CPU).fails


@pytest.mark.parametrize("error", [*ERRORS, OSError(5, "Input/output error")], ids=[*KINDS, "disk"])
def test_a_way_that_fails_once_while_it_is_loaded_is_not_taken_for_wrong(
    error: Exception, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passes without memory being short is tried again at once."""
    model, plain, left = find_model(str(tiny_bert)), torch.nn.Module.__init__, [error]

    def once(*arguments: Any, **named: Any) -> None:
        if left and type(arguments[0]).__name__ == "BertEncoder":
            raise left.pop()
        plain(*arguments, **named)

    with monkeypatch.context() as machine:
        machine.setattr(torch.nn.Module, "__init__", once)
        if is_out_of_memory(error):
            with pytest.raises(OutOfMemory):
                prove(model, CPU)
            assert known_proof(model.fingerprint, "cpu") is None
        proof = prove(model, CPU)
    assert (left, proof.attention, "prefixes" in proof.fails) == ([], "interface", False)


@pytest.mark.parametrize("error", ERRORS, ids=KINDS)
@pytest.mark.parametrize("place", ["transformers.AutoConfig.from_pretrained", "torch.nn.Module.to"])
def test_a_model_that_has_no_memory_to_load_is_named(
    error: Exception, place: str, tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model(str(tiny_bert))
    prove(model, CPU)
    with monkeypatch.context() as machine:
        machine.setattr(place, raising(error))
        with pytest.raises(OutOfMemory, match=f"not enough memory to load model {tiny_bert}"):
            load_backbone(model, CPU, "fp32", frozen=True)


def written_without_memory() -> Exception:
    """What becomes of it where a model's own code writes a field."""

    class Model(BaseModel):
        size: int = 0

        @field_serializer("size")
        def _written(self, size: int) -> int:
            raise MemoryError

    with pytest.raises(PydanticSerializationError) as told:
        Model().model_dump_json()
    return told.value


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        *((error, True) for error in ERRORS),
        (RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (OutOfMemory("not enough memory to load"), True),
        (written_without_memory(), True),
        (RuntimeError("shapes do not fit"), False),
        (ValueError("can't allocate memory"), False),
        (OSError(28, "No space left on device"), False),
    ],
)
def test_what_is_want_of_memory(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it


def test_its_line_says_what_a_library_said_and_what_to_do() -> None:
    to_do = "end other programs, or take a smaller --token-budget or model"
    assert out_of_memory_line(MemoryError()) == f"not enough memory; {to_do}"
    assert out_of_memory_line(ERRORS[0]) == f"not enough memory (CUDA out of memory.); {to_do}"
    with pytest.raises(OutOfMemory, match=r"^not enough memory to read it$"), with_memory_to("read it"):
        raise MemoryError
    with pytest.raises(KeyError), with_memory_to("read it"):
        raise KeyError("x")
