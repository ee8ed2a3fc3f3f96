"""Families of models: their sizes, their order, and what stands for some of them."""

from __future__ import annotations

import re

import pytest
import torch
import transformers as hf

from bench.errors import UsageError
from bench.model.families.scales import SCALES, Member, expand
from bench.model.source import find_model, weight_shapes

PYTHIA = {  # layers, width, vocabulary of the published configs
    "14m": (6, 128, 50304), "31m": (6, 256, 50304), "70m": (6, 512, 50304), "160m": (12, 768, 50304),
    "410m": (24, 1024, 50304), "1b": (16, 2048, 50304), "1.4b": (24, 2048, 50304), "2.8b": (32, 2560, 50304),
    "6.9b": (32, 4096, 50432), "12b": (36, 5120, 50688),
}  # fmt: skip


def config_of(family: str, member: Member) -> object:
    if family == "pythia":
        layers, width, vocabulary = PYTHIA[member.short]
        sizes = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
        return hf.GPTNeoXConfig(**sizes, num_attention_heads=8, vocab_size=vocabulary)
    if family == "bert-miniatures":
        layers, width, heads = map(int, re.findall(r"\d+", member.reference))
        sizes = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
        return hf.BertConfig(**sizes, num_attention_heads=heads)
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    if member.short == "bert-large":
        return hf.BertConfig(**large, vocab_size=28996)
    return hf.RobertaConfig(**large, vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)


@pytest.mark.parametrize(
    ("family", "member"), [(family, member) for family, members in SCALES.items() for member in members],
    ids=lambda value: value if isinstance(value, str) else value.short,
)  # fmt: skip
def test_a_listed_size_is_that_of_the_model_built_from_its_config(family: str, member: Member) -> None:
    if member.remark:
        assert member.parameters is None
        return
    kind = hf.AutoModelForCausalLM if family == "pythia" else hf.AutoModelForMaskedLM
    with torch.device("meta"):
        model = kind.from_config(config_of(family, member))
    assert sum(weight.numel() for weight in model.parameters()) == member.parameters


@pytest.mark.parametrize("family", SCALES)
def test_families_go_up_in_size_without_repetitions(family: str) -> None:
    sizes = [member.parameters for member in SCALES[family] if member.parameters]
    assert sizes == sorted(sizes)
    assert len({member.reference for member in SCALES[family]}) == len(SCALES[family])


@pytest.mark.parametrize(
    ("name", "shorts"),
    [
        ("pythia:70m", ["70m"]), ("pythia:70m..410m", ["70m", "160m", "410m"]), ("pythia:..31m", ["14m", "31m"]),
        ("pythia:6.9b..", ["6.9b", "12b"]), ("bert-miniatures:12/768", ["12/768"]),
        ("paper", ["bert-large", "roberta-large", "glm-2b", "glm-10b"]),
    ],
)  # fmt: skip
def test_a_family_or_some_of_it(name: str, shorts: list[str]) -> None:
    assert [member.short for member in expand(name) or ()] == shorts


def test_other_names_are_no_families() -> None:
    assert expand("roberta-large") is None
    assert expand("EleutherAI/pythia-70m") is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pythia:71m", "did you mean '70m'"), ("pythia:", "known: 1.4b"), ("pythia:..", "known: 1.4b"),
        ("pythia:1b..70m", "give the smaller one first"),
    ],
)  # fmt: skip
def test_what_a_family_has_not_is_an_error(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        expand(name)


def test_a_folder_goes_before_a_family(tmp_path, monkeypatch) -> None:
    (tmp_path / "pythia").mkdir()
    monkeypatch.chdir(tmp_path)
    assert expand("pythia") is None


def test_an_unknown_name_is_told_the_families(monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"Families of models: pythia, bert-min"):
        find_model("pythja")


def test_a_model_with_code_of_its_own_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="needs code of its own"):
        find_model("THUDM/glm-10b")


def test_shapes_come_from_the_headers(tiny_bert) -> None:
    shapes = weight_shapes(find_model(str(tiny_bert)))
    assert shapes is not None
    assert shapes["bert.embeddings.position_embeddings.weight"] == (64, 32)


def test_models_are_listed_with_their_sizes(bench, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = bench("list", "models")
    assert code == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "pythia:12b 11,846.1 M EleutherAI/pythia-12b" in lines
    assert any(line.startswith("tiny 0.1 M smoke ") for line in lines)
    assert any(line.startswith("paper:glm-2b, paper:glm-10b cannot be loaded: ") for line in lines)
