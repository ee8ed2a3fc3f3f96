"""Attention written anew for families that transformers' attention interface does not reach, with room for prefixes.

Each is the family's own arithmetic on its own weights; a prefix adds P keys and values in front that every token sees,
at relative bias 0 and beyond any window. `write_attention` puts them in the place of the modules' own.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from torch import nn

from bench.model.families.written import decoders, disentangled, encoders, windows, xlnet

Function = Callable[..., Any]


def write_attention(model: nn.Module) -> int:
    """Replace the attention of every layer that needs it; returns how many were. The layers get their `layer_idx`."""
    _make_full(model)
    count = 0
    for module in model.modules():
        name = _name(module)
        if name in _WRITTEN and not getattr(module, "talking_head", False):  # which mixes heads; nobody has it
            _put(module, *_WRITTEN[name])
            setattr(module, "layer_idx", count)  # noqa: B010  a module's annotations know only parameters and modules
            count += 1
            if hasattr(module, "query_global"):
                windows.drop_global(module)
        elif name in _PADDED:
            _put(module, *_PADDED[name])
    return count


def _make_full(model: Any) -> None:
    """Full attention where a model has another kind too (BigBird's blocks, some of which are drawn at random).

    The model itself goes over to it for good at its first short batch, so that what a row gets would depend on the
    batches before.
    """
    if hasattr(model.base_model, "set_attention_type"):
        model.base_model.set_attention_type("original_full")
        model.config.attention_type = "original_full"  # as it is to be when it is exported


def _name(module: nn.Module) -> tuple[str, str]:
    return type(module).__module__.rpartition("modeling_")[2], type(module).__name__


def _put(module: nn.Module, name: str, function: Function) -> None:
    setattr(module, name, types.MethodType(function, module))


# By the family's file in transformers and the class: (the method that is replaced, what takes its place).
_WRITTEN: dict[tuple[str, str], tuple[str, Function]] = {
    ("big_bird", "BigBirdSelfAttention"): ("forward", encoders.bert),
    ("megatron_bert", "MegatronBertSelfAttention"): ("forward", encoders.bert),
    ("rembert", "RemBertSelfAttention"): ("forward", encoders.bert),
    ("roformer", "RoFormerSelfAttention"): ("forward", encoders.bert),
    ("mpnet", "MPNetSelfAttention"): ("forward", encoders.mpnet),
    ("deberta", "DisentangledSelfAttention"): ("forward", disentangled.deberta),
    ("deberta_v2", "DisentangledSelfAttention"): ("forward", disentangled.deberta_v2),
    ("xlnet", "XLNetRelativeAttention"): ("rel_attn_core", xlnet.xlnet),
    ("longformer", "LongformerSelfAttention"): ("forward", windows.longformer),
    ("led", "LEDEncoderSelfAttention"): ("forward", windows.longformer),
    ("bloom", "BloomAttention"): ("forward", decoders.bloom),
    ("mpt", "MptAttention"): ("forward", decoders.mpt),
    ("falcon", "FalconAttention"): ("forward", decoders.falcon),
    ("gptj", "GPTJAttention"): ("_attn", decoders.gptj),
    ("gpt_neo", "GPTNeoSelfAttention"): ("_attn", decoders.gpt_neo),
}
_PADDED: dict[tuple[str, str], tuple[str, Function]] = {
    ("longformer", "LongformerModel"): ("_pad_to_window_size", windows.longformer_unpadded),
    ("led", "LEDEncoder"): ("_pad_to_window_size", windows.led_unpadded),
}
