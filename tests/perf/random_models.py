"""Checkpoints of known layouts with random weights, for scripts that ask what a step costs and not what it learns."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM, PretrainedConfig

from bench.model.source import SENTENCE_PIECES, TOKENIZER_FILES, TOKENIZER_SETTINGS


def _bert(layers: int, hidden: int, heads: int) -> Callable[..., BertConfig]:
    def config(**words: Any) -> BertConfig:
        return BertConfig(
            num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=heads, intermediate_size=4 * hidden,
            **words,
        )  # fmt: skip

    return config


def _llama(layers: int, hidden: int, heads: int, kv_heads: int, inner: int) -> Callable[..., LlamaConfig]:
    def config(**words: Any) -> LlamaConfig:
        return LlamaConfig(
            num_hidden_layers=layers, hidden_size=hidden, num_attention_heads=heads, num_key_value_heads=kv_heads,
            intermediate_size=inner, tie_word_embeddings=False, **words,
        )  # fmt: skip

    return config


LAYOUTS: dict[str, Callable[..., PretrainedConfig]] = {
    "tiny": _bert(2, 64, 4),  # the two small ones: to try a script
    "tiny-decoder": _llama(2, 64, 4, 2, 128),
    "23m": _bert(6, 384, 12),
    "110m": _bert(12, 768, 12),
    "335m": _bert(24, 1024, 16),
    "1b": _llama(16, 2048, 32, 8, 8192),
    "1.5b": _llama(24, 2048, 16, 8, 8192),
    "2b": _llama(24, 2560, 32, 8, 8960),
    "10b": _llama(46, 4096, 32, 8, 14336),
}


def layout(name: str, tokenizer_folder: Path) -> PretrainedConfig:
    """A layout's config with the vocabulary of a tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    ends = {"bos_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    return LAYOUTS[name](vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **ends)


def write_model(name: str, tokenizer_folder: Path, folder: Path, device: torch.device) -> Path:
    """Write a layout's checkpoint with its language-model head, weights in bf16 to be read fast; returns its folder."""
    config = layout(name, tokenizer_folder)
    torch.manual_seed(0)
    kind: Any = BertForMaskedLM if isinstance(config, BertConfig) else LlamaForCausalLM
    with device:
        model = kind(config).to(torch.bfloat16)
    target = folder / name
    model.save_pretrained(target)
    for file in (*TOKENIZER_FILES, *SENTENCE_PIECES, *TOKENIZER_SETTINGS):
        if (tokenizer_folder / file).is_file():
            shutil.copy(tokenizer_folder / file, target)
    return target


def num_inner_parameters(config: PretrainedConfig) -> int:
    """Parameters that every token is multiplied with: those of the layers, without embeddings, pooler and heads."""
    from transformers import AutoModel

    with torch.device("meta"):
        model = AutoModel.from_config(config)
    outside = [part for part in model.modules() if isinstance(part, torch.nn.Embedding)]
    outside += [part for part in (getattr(model, "pooler", None),) if part is not None]
    left_out = {id(weight) for part in outside for weight in part.parameters()}
    return sum(weight.numel() for weight in model.parameters() if id(weight) not in left_out)
