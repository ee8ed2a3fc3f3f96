"""Families of models: their sizes, their order, and what stands for some of them."""

from __future__ import annotations

import re

import pytest
import torch

from bench.errors import UsageError
from bench.model.families.scales import SCALES, Member, expand, family_named, listed_size
from bench.model.source import find_model, weight_shapes
from tests.model.scale_configs import published


@pytest.mark.parametrize(
    ("family", "member"), [(family, member) for family, members in SCALES.items() for member in members],
    ids=lambda value: value if isinstance(value, str) else value.short,
)  # fmt: skip
def test_a_listed_size_is_that_of_the_model_built_from_its_config(family: str, member: Member) -> None:
    if member.parameters is None:
        assert member.remark
        return
    kind, config, own_head = published(family, member)
    with torch.device("meta"):
        model = kind.from_config(config)
    assert sum(weight.numel() for weight in model.parameters()) + own_head == member.parameters


@pytest.mark.parametrize("family", SCALES)
def test_families_go_up_in_size_without_repetitions(family: str) -> None:
    sizes = [member.parameters for member in SCALES[family] if member.parameters]
    assert sizes == sorted(sizes)
    assert len({member.repo for member in SCALES[family]}) == len(SCALES[family])


@pytest.mark.parametrize("family", SCALES)
def test_every_family_can_be_cut(family: str) -> None:
    first, *_, last = members = SCALES[family]
    for cut in ("", f":{first.short}..{last.short}", f":..{last.short}", f":{first.short}.."):
        assert expand(f"{family}{cut}") == members
    assert expand(f"{family}:{last.short}") == (last,)


def test_a_revision_is_part_of_what_a_family_stands_for() -> None:
    (base,) = expand("deberta-v3:base") or ()
    assert base.reference == "microsoft/deberta-v3-base@82d8d18a7b88346261ba15d8b1044900a452cf90"
    assert listed_size("microsoft/deberta-v3-base") == base.parameters


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("jhu-clsp/ettin-encoder-17m", "ettin-encoder"), ("google/t5-v1_1-base@refs/pr/1", "t5-v1.1"),
        ("SmolLM2-135M", "smollm2"), ("bert-large-cased", ""), ("bert-base-cased", ""), ("tiny", ""),
    ],
)  # fmt: skip
def test_a_model_s_name_tells_its_family(model: str, family: str) -> None:
    assert family_named(model) == family


@pytest.mark.parametrize(
    ("name", "shorts"),
    [
        ("pythia:70m", ["70m"]), ("pythia:70m..410m", ["70m", "160m", "410m"]), ("pythia:..31m", ["14m", "31m"]),
        ("pythia:6.9b..", ["6.9b", "12b"]), ("bert-miniatures:12/768", ["12/768"]),
        ("paper", ["bert-large", "roberta-large", "glm-2b", "glm-10b"]), ("deberta-v3:base..", ["base", "large"]),
        ("ettin-decoder:..32m", ["17m", "32m"]), ("t5-v1.1:xl", ["xl"]), ("qwen3:0.6b..1.7b", ["0.6b", "1.7b"]),
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
