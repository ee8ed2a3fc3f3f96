"""A tiny random copy of each scale family's architecture shows what its members can do in this harness."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.model.families.scales import SCALES
from bench.model.proof import Proof
from bench.model.proofs import prove
from bench.model.source import ModelSource, find_model, known_model
from tests.model.families import (
    _T5_SIZES,
    BERT_LIKE,
    DECODER_LIKE,
    ENCODER_SIZES,
    FAMILIES,
    GROUPED,
    T5_LIKE,
    Write,
    _family,
)

WORDLESS = {"lm_head"}
_DEBERTA = {
    **ENCODER_SIZES, "relative_attention": True, "position_buckets": 16, "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False, "norm_rel_ebd": "layer_norm", "share_att_key": True, "type_vocab_size": 0,
}  # fmt: skip
_GATED_T5 = {**_T5_SIZES, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
_MODERN = {
    **ENCODER_SIZES,
    "cls_token_id": 2,
    "sep_token_id": 3,
    "local_attention": 16,
    "global_attn_every_n_layers": 2,
}
DECODERS = ("pythia", "ettin-decoder", "smollm2", "qwen3", "gemma-3")
COPIES: dict[str, tuple[Write, set[str]]] = {  # of each family, and the needs that it cannot serve
    "pythia": (FAMILIES["gpt_neox"], set()),
    "bert-miniatures": (FAMILIES["bert"], set()),
    "paper": (FAMILIES["roberta"], set()),
    "ettin-encoder": (_family("ModernBertForMaskedLM", "ModernBertConfig", BERT_LIKE, **_MODERN), set()),
    "ettin-decoder": (
        _family("ModernBertDecoderForCausalLM", "ModernBertDecoderConfig", BERT_LIKE, mask=False, **_MODERN), set()
    ),
    "deberta-v3": (_family("DebertaV2Model", "DebertaV2Config", BERT_LIKE, types=True, **_DEBERTA), WORDLESS),
    "electra": (
        _family(
            "ElectraForPreTraining", "ElectraConfig", BERT_LIKE, types=True, **{**ENCODER_SIZES, "embedding_size": 16}
        ),
        WORDLESS,
    ),
    "t5-v1.1": (
        _family("T5ForConditionalGeneration", "T5Config", T5_LIKE, mask=False, sentinel=True, **_GATED_T5), set()
    ),
    "flan-t5": (
        _family("T5ForConditionalGeneration", "T5Config", T5_LIKE, mask=False, sentinel=True, **_GATED_T5), set()
    ),
    "smollm2": (
        _family("LlamaForCausalLM", "LlamaConfig", DECODER_LIKE, mask=False, **GROUPED, tie_word_embeddings=True), set()
    ),
    "qwen3": (FAMILIES["qwen3"], set()),
    "gemma-3": (FAMILIES["gemma3"], set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def write(family: str) -> Path:
        if family not in made:
            made[family] = COPIES[family][0](tmp_path_factory.mktemp("scales") / family)
        return made[family]

    return write


def proved(folder: Path) -> tuple[ModelSource, Proof]:
    source = find_model(str(folder))
    return source, prove(source, torch.device("cpu"))


def test_every_family_has_a_copy() -> None:
    assert set(COPIES) == set(SCALES)


@pytest.mark.parametrize("family", COPIES)
def test_a_copy_proves_itself(family: str, copy: Callable[[str], Path]) -> None:
    _, proof = proved(copy(family))
    assert proof.refused == ""
    assert set(proof.fails) == COPIES[family][1]
    assert len(proof.layers) == proof.num_layers == 2  # prefixes enter each
    assert proof.direction == ("left" if family in DECODERS else "both")


@pytest.mark.parametrize("family", ["deberta-v3", "electra"])
def test_what_was_pretrained_to_tell_replaced_words_says_none(family: str, copy: Callable[[str], Path]) -> None:
    """DeBERTa-v3's config names no architecture; ELECTRA's names a head that is no language model's."""
    folder = copy(family)
    config = json.loads((folder / "config.json").read_text())
    if family == "deberta-v3":
        config.pop("architectures")
        (folder / "config.json").write_text(json.dumps(config))
        known_model.cache_clear()
    source, proof = proved(folder)
    assert "language-model head" in (source.lacks("lm_head") or proof.fails["lm_head"])
    assert all(member.note.startswith("no language-model head") for member in SCALES[family])


@pytest.mark.parametrize("family", ["t5-v1.1", "flan-t5"])
def test_a_head_of_its_own_is_not_tied_to_the_words(family: str, copy: Callable[[str], Path]) -> None:
    from safetensors.torch import load_file, save_file

    from bench.model.loading import load_backbone

    folder = copy(family)
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = torch.randn(weights["shared.weight"].shape, generator=torch.Generator().manual_seed(1))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    known_model.cache_clear()
    source, proof = proved(folder)
    assert (proof.refused, proof.fails) == ("", {})
    backbone = load_backbone(source, torch.device("cpu"), "fp32", frozen=True)
    assert torch.equal(backbone.model.lm_head.weight, weights["lm_head.weight"])
