"""The published configs of the scale families' members, as far as sizes hang on them."""

from __future__ import annotations

import re
from typing import Any

import transformers as hf

from bench.model.families.scales import Member

Shape = tuple[int, ...]
PYTHIA: dict[str, Shape] = {  # layers, width, vocabulary
    "14m": (6, 128, 50304), "31m": (6, 256, 50304), "70m": (6, 512, 50304), "160m": (12, 768, 50304),
    "410m": (24, 1024, 50304), "1b": (16, 2048, 50304), "1.4b": (24, 2048, 50304), "2.8b": (32, 2560, 50304),
    "6.9b": (32, 4096, 50432), "12b": (36, 5120, 50688),
}  # fmt: skip
ETTIN: dict[str, Shape] = {  # layers, width, feed-forward width, heads
    "17m": (7, 256, 384, 4), "32m": (10, 384, 576, 6), "68m": (19, 512, 768, 8), "150m": (22, 768, 1152, 12),
    "400m": (28, 1024, 2624, 16), "1b": (28, 1792, 3840, 28),
}  # fmt: skip
DEBERTA: dict[str, Shape] = {
    "xsmall": (12, 384, 1536, 6), "small": (6, 768, 3072, 12), "base": (12, 768, 3072, 12),
    "large": (24, 1024, 4096, 16),
}  # fmt: skip
ELECTRA: dict[str, Shape] = {  # and the width of embeddings
    "small": (12, 256, 1024, 4, 128), "base": (12, 768, 3072, 12, 768), "large": (24, 1024, 4096, 16, 1024)
}  # fmt: skip
T5: dict[str, Shape] = {
    "small": (8, 512, 1024, 6), "base": (12, 768, 2048, 12), "large": (24, 1024, 2816, 16), "xl": (24, 2048, 5120, 32),
    "xxl": (24, 4096, 10240, 64),
}  # fmt: skip
SMOLLM2: dict[str, Shape] = {  # and heads of keys and values
    "135m": (30, 576, 1536, 9, 3), "360m": (32, 960, 2560, 15, 5), "1.7b": (24, 2048, 8192, 32, 32)
}  # fmt: skip
QWEN3: dict[str, Shape] = {
    "0.6b": (28, 1024, 3072, 16, 8), "1.7b": (28, 2048, 6144, 16, 8), "4b": (36, 2560, 9728, 32, 8),
    "8b": (36, 4096, 12288, 32, 8),
}  # fmt: skip
GEMMA3: dict[str, Shape] = {  # of 4B and 12B the text part, whose vocabulary has images' tokens too
    "270m": (18, 640, 2048, 4, 1), "1b": (26, 1152, 6912, 4, 1), "4b": (34, 2560, 10240, 8, 4),
    "12b": (48, 3840, 15360, 16, 8),
}  # fmt: skip


def published(family: str, member: Member) -> tuple[Any, Any, int]:
    """The Auto class that the harness loads a member with, its config, and the parameters of a head of its own that
    transformers' class would tie.
    """
    build = BUILDERS[family]
    return build(member.short, member.repo)


def _sizes(shape: Shape, **more: Any) -> dict[str, Any]:
    names = ("num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")
    return {**dict(zip(names, shape, strict=False)), **more}


def _pythia(short: str, _: str) -> tuple[Any, Any, int]:
    layers, width, vocabulary = PYTHIA[short]
    sizes = _sizes((layers, width, 4 * width, 8), vocab_size=vocabulary)
    return hf.AutoModelForCausalLM, hf.GPTNeoXConfig(**sizes), 0


def _miniature(_: str, repo: str) -> tuple[Any, Any, int]:
    layers, width, heads = map(int, re.findall(r"\d+", repo))
    return hf.AutoModelForMaskedLM, hf.BertConfig(**_sizes((layers, width, 4 * width, heads))), 0


def _paper(short: str, _: str) -> tuple[Any, Any, int]:
    large = _sizes((24, 1024, 4096, 16))
    if short == "bert-large":
        return hf.AutoModelForMaskedLM, hf.BertConfig(**large, vocab_size=28996), 0
    roberta = hf.RobertaConfig(**large, vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    return hf.AutoModelForMaskedLM, roberta, 0


def _deberta(short: str, _: str) -> tuple[Any, Any, int]:
    config = hf.DebertaV2Config(
        **_sizes(DEBERTA[short]), vocab_size=128100, type_vocab_size=0, relative_attention=True, position_buckets=256,
        norm_rel_ebd="layer_norm", share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False,
        max_position_embeddings=512,
    )  # fmt: skip
    return hf.AutoModel, config, 0


def _electra(short: str, _: str) -> tuple[Any, Any, int]:
    *shape, embeddings = ELECTRA[short]
    return hf.AutoModel, hf.ElectraConfig(**_sizes(tuple(shape)), embedding_size=embeddings), 0


def _t5(short: str, _: str) -> tuple[Any, Any, int]:
    layers, width, inner, heads = T5[short]
    config = hf.T5Config(
        vocab_size=32128, d_model=width, d_ff=inner, num_layers=layers, num_heads=heads, d_kv=64,
        feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    return hf.AutoModelForSeq2SeqLM, config, 32128 * width  # a checkpoint with a head of its own keeps it


def _qwen3(short: str, _: str) -> tuple[Any, Any, int]:
    sizes = _sizes(QWEN3[short], head_dim=128, vocab_size=151936, tie_word_embeddings=short != "8b")
    return hf.AutoModelForCausalLM, hf.Qwen3Config(**sizes), 0


def _gemma3(short: str, _: str) -> tuple[Any, Any, int]:
    vocabulary = 262_208 if short in ("4b", "12b") else 262_144
    config = hf.Gemma3TextConfig(**_sizes(GEMMA3[short], head_dim=256, vocab_size=vocabulary))
    return hf.AutoModelForCausalLM, config, 0


BUILDERS: dict[str, Any] = {
    "pythia": _pythia,
    "bert-miniatures": _miniature,
    "paper": _paper,
    "ettin-encoder": lambda short, _: (
        hf.AutoModelForMaskedLM, hf.ModernBertConfig(**_sizes(ETTIN[short]), vocab_size=50368), 0
    ),
    "ettin-decoder": lambda short, _: (
        hf.AutoModelForCausalLM, hf.ModernBertDecoderConfig(**_sizes(ETTIN[short]), vocab_size=50368), 0
    ),
    "deberta-v3": _deberta,
    "electra": _electra,
    "t5-v1.1": _t5,
    "flan-t5": _t5,
    "smollm2": lambda short, _: (
        hf.AutoModelForCausalLM,
        hf.LlamaConfig(**_sizes(SMOLLM2[short]), vocab_size=49152, tie_word_embeddings=True), 0,
    ),
    "qwen3": _qwen3,
    "gemma-3": _gemma3,
}  # fmt: skip
