"""Key/value prefixes enter through the attention function that transformers lets a program register.

While prefixes are active, every self-attention call puts its layer's prefix in front of keys and values and extends
the mask; queries, positions and outputs keep their length, so [CLS] stays where it was. Otherwise it is plain SDPA.

Which layer runs is known by what runs around its forward pass (`LayerForward`): within it, the layer's keys and values
are plain tensors in this module, so that a compiled layer (bench.model.compiled) reads them as it reads its inputs.

Shape legend: B rows, T tokens, A key/value heads, P prompt length, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "tuning_bench_prefix"


@dataclass
class RowPrefixes:
    """The prefixes of one micro-batch, by layer."""

    keys: dict[int, Tensor]  # layer -> (B, A, P, D)
    values: dict[int, Tensor]  # layer -> (B, A, P, D)


class _Pass:
    """One pass of an encoder over a micro-batch."""

    def __init__(self, prefixes: RowPrefixes | None) -> None:
        self.prefixes = prefixes or RowPrefixes({}, {})
        self.calls = 0  # layers that know no number of their own are counted as they are called


class LayerForward:
    """A layer's forward pass with the layer's own prefix in place; `inner` is what runs."""

    def __init__(self, layer: nn.Module) -> None:
        self.inner: Callable[..., Any] = layer.forward
        numbers = (getattr(module, "layer_idx", None) for module in layer.modules())
        self._number = next((int(number) for number in numbers if number is not None), None)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if _pass is None:
            return self.inner(*arguments, **options)
        number = _pass.calls if self._number is None else self._number
        _pass.calls += 1
        prefixes = _pass.prefixes
        with _within(number, prefixes.keys.get(number), prefixes.values.get(number)):
            return self.inner(*arguments, **options)


_pass: _Pass | None = None
_layer: int | None = None
_keys: Tensor | None = None  # (B, A, P, D) of the layer that runs
_values: Tensor | None = None


def know_layers(layers: Sequence[nn.Module]) -> None:
    """Let each layer of a model have its own prefix while it runs."""
    for layer in layers:
        layer.forward = LayerForward(layer)


@contextmanager
def prefixes(row_prefixes: RowPrefixes | None) -> Iterator[None]:
    """Within the block, an encoder's pass over a micro-batch has these prefixes."""
    global _pass
    outer, _pass = _pass, _Pass(row_prefixes)
    try:
        yield
    finally:
        _pass = outer


@contextmanager
def _within(layer: int | None, keys: Tensor | None, values: Tensor | None) -> Iterator[None]:
    global _layer, _keys, _values
    outer = _layer, _keys, _values
    _layer, _keys, _values = layer, keys, values
    try:
        yield
    finally:
        _layer, _keys, _values = outer


def reopened(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs `forward` in the layer that runs now, with its prefix, whenever it is called."""
    layer, keys, values = _layer, _keys, _values

    def run(*arguments: Any, **options: Any) -> Any:
        with _within(layer, keys, values):
            return forward(*arguments, **options)

    return run


def running_layer() -> int | None:
    """The number of the layer that runs, from 0; None outside."""
    return _layer


def active_prefix() -> tuple[Tensor, Tensor] | None:
    """Keys (B, A, P, D) and values of the layer that runs; or None."""
    return None if _keys is None or _values is None else (_keys, _values)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    bias = options.pop("position_bias", None)
    prefix = active_prefix()
    if prefix is not None:
        keys, values = prefix
        attention_mask = extended(attention_mask, keys.shape[2])
        key = torch.cat([keys.to(key), key], dim=2)
        value = torch.cat([values.to(value), value], dim=2)
    if bias is not None:
        attention_mask = _biased(attention_mask, bias, query, key)
    slow = query.device.type == "cpu" and query.dtype == torch.bfloat16
    if slow or options.get("softcap") or options.get("dropout"):
        return _matmul_attention(query, key, value, attention_mask, **options)
    output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output, weights


def extended(mask: Tensor | None, length: int) -> Tensor | None:
    """The attention mask (B, 1, T, P + T) with the columns of a prefix of that length in front, which every token sees.

    None when nothing is hidden.
    """
    if mask is None:
        return None
    return nn.functional.pad(mask, (length, 0), value=mask.dtype == torch.bool)  # of an additive mask 0 lets through


def _biased(mask: Tensor | None, bias: Tensor, query: Tensor, key: Tensor) -> Tensor:
    """An additive mask (B, A, T, P + T) with the relative position bias (1, A, T, T) in it, which is 0 for a prefix."""
    bias = nn.functional.pad(bias, (key.shape[2] - bias.shape[3], 0)).to(query.dtype)
    if mask is None:
        return bias
    if mask.dtype == torch.bool:
        return torch.where(mask, bias, torch.finfo(bias.dtype).min)
    return bias + mask.to(bias.dtype)


def _matmul_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    softcap: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention written out: for scores with a soft cap, which the fused kernel does not know; for dropout, which it
    would draw for all rows together; and for bf16 on a CPU, where its backward pass takes four times as long.

    Causal calls come with a written-out mask (`_mask`), so `is_causal` needs no care here.
    """
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    # the scores are the largest tensor here, so the query is scaled instead, and the mask added in place
    query = query * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    scores = torch.matmul(query, key.transpose(2, 3))
    if softcap:
        scores = torch.tanh(scores / softcap) * softcap
    if mask is not None:
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, torch.finfo(scores.dtype).min)
        scores = scores.add_(mask)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


def _mask(*arguments: Any, **options: Any) -> Tensor | None:
    """SDPA's mask, always written out: `is_causal` would hide the prefix, and whether rows of a fixed shape happen to
    need no mask must not choose the kernel.
    """
    options["allow_is_causal_skip"] = options["allow_is_bidirectional_skip"] = False
    mask: Tensor | None = sdpa_mask(*arguments, **options)
    return mask


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, _mask)
