"""A config that describes more than its checkpoint holds is refused before anything of it is made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.errors import UsageError
from bench.model.bounded import bounded
from bench.model.proof import known_proof
from bench.model.proofs import proofs_of, prove
from bench.model.source import find_model
from tests.model.test_own_code import change

CPU = torch.device("cpu")
FAR_MORE = r"cannot be loaded: its config describes a model of far more (weights|buffers|modules) than its"


@pytest.fixture
def folder(tiny_bert: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bert, tmp_path / "model"))


@pytest.mark.parametrize(
    "config",
    [
        {"hidden_size": 10**9, "num_attention_heads": 1}, {"num_hidden_layers": 10**7}, {"vocab_size": 10**12},
        {"max_position_embeddings": 10**12}, {"intermediate_size": 10**10}, {"type_vocab_size": 10**10},
    ],
)  # fmt: skip
def test_a_huge_config_is_refused(folder: Path, config: dict) -> None:
    change(folder / "config.json", **config)
    with pytest.raises(UsageError, match=FAR_MORE):
        prove(find_model(str(folder)), CPU)


def test_nothing_is_noted_after_the_block() -> None:
    with pytest.raises(ValueError, match="far more weights"), bounded({"a": (2, 2)}):
        nn.Linear(2000, 2000, device="meta")
    assert nn.Linear(2000, 2000, device="meta").weight.numel() == 4_000_000
    with bounded(None):
        nn.Linear(2000, 2000, device="meta")


def test_a_model_that_cannot_be_loaded_is_refused_beside_others(folder: Path, tiny_bert: Path) -> None:
    change(folder / "config.json", hidden_size=64)
    broken, fine = find_model(str(folder)), find_model(str(tiny_bert))
    proofs = proofs_of([broken, fine], CPU, fetch=False)
    reason = "it cannot be loaded: its weights are of other sizes than its config describes"
    assert (proofs[broken.fingerprint].refused, proofs[fine.fingerprint].refused) == (reason, "")
    assert known_proof(broken.fingerprint, "cpu") is None  # another day it may be


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 5000, "nested too deep"), ("[]", "it is no table"), ('{"model_type": 7}', "names no model_type"),
        ('{"model_type": "bert", "max_position_embeddings": -4}', "it has -4 positions"),
        ('{"model_type": "bert", "num_hidden_layers": 1e999}', "does not describe a transformers checkpoint"),
        ('{"model_type": "bert", "architectures": 5}', "does not describe a transformers checkpoint"),
        ("\udcff", "utf-8"),
    ],
)  # fmt: skip
def test_a_broken_config_is_one_line(folder: Path, text: str, said: str) -> None:
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=said) as caught:
        find_model(str(folder))
    assert str(folder / "config.json") in str(caught.value)


def test_a_header_that_claims_a_terabyte_is_refused_by_its_length(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((10**12).to_bytes(8, "little") + b"{}")
    with pytest.raises(UsageError, match="its header is cut off"):
        find_model(str(folder))
    entry = {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}
    header = json.dumps({"a": entry}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UsageError, match="but its header says 4000000000"):
        find_model(str(folder))


def test_weights_that_take_the_place_of_others_are_no_more_than_before() -> None:
    with bounded({"table": (2000, 1000)}):
        table = nn.Embedding(2000, 1000, device="meta")
        for _ in range(40):  # filled, tied, moved, halved
            table.weight = nn.Parameter(table.weight.detach())


def test_many_times_the_weights_of_a_large_checkpoint_are_refused() -> None:
    with bounded({"table": (2000, 1000)}):
        for _ in range(16):
            nn.Embedding(2000, 1000, device="meta")
        with pytest.raises(ValueError, match="far more weights than its 2,000,000 numbers"):
            nn.Embedding(2000, 1000, device="meta")
