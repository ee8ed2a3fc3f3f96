"""Key/value prefixes enter through the attention function that transformers lets a program register.

While prefixes are active, every self-attention call puts its layer's prefix in front of keys and values and extends
the mask; queries, positions and outputs keep their length, so [CLS] stays where it was. Otherwise it is plain SDPA.

Shape legend: B rows, T tokens, A key/value heads, P prompt length, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    calls: int = 0  # layers that know no index of their own are counted as they are called
    masks: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)  # by id, with the mask that has the id

    def layer_of(self, module: nn.Module) -> int:
        index = getattr(module, "layer_idx", None)
        self.calls += 1
        return self.calls - 1 if index is None else int(index)

    def extended(self, layer: int, mask: Tensor | None) -> Tensor | None:
        """The attention mask (B, 1, T, P + T) with the prefix's columns in front, which every token sees.

        None when nothing is hidden. Made once for all layers that share a mask and a prompt length.
        """
        if mask is None:
            return None
        num_rows, _, length, _ = self.keys[layer].shape
        if id(mask) not in self.masks:
            front = mask.new_ones((num_rows, mask.shape[1], mask.shape[2], length))
            if mask.dtype != torch.bool:  # an additive mask: 0 lets through
                front = torch.zeros_like(front)
            self.masks[id(mask)] = mask, torch.cat([front, mask.expand(num_rows, -1, -1, -1)], dim=-1)
        return self.masks[id(mask)][1]


_active: RowPrefixes | None = None


@contextmanager
def prefixes(row_prefixes: RowPrefixes | None) -> Iterator[None]:
    """Within the block, every attention call of a backbone uses these prefixes."""
    global _active
    outer, _active = _active, row_prefixes
    try:
        yield
    finally:
        _active = outer


def reopened(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs `forward` with the prefixes that are active now, whenever it is called."""
    active = _active
    calls = 0 if active is None else active.calls

    def run(*arguments: Any, **options: Any) -> Any:
        if active is not None:
            active.calls = calls  # a layer that is run again has the number it had
        with prefixes(active):
            return forward(*arguments, **options)

    return run


def active_prefix(module: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Keys (B, A, P, D) and values of the layer a module stands in; or None."""
    if _active is None:
        return None
    layer = _active.layer_of(module)
    return (_active.keys[layer], _active.values[layer]) if layer in _active.keys else None


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    active = _active
    bias = options.pop("position_bias", None)
    if active is not None:
        layer = active.layer_of(module)
        if layer in active.keys:
            attention_mask = active.extended(layer, attention_mask)
            key = torch.cat([active.keys[layer].to(key.dtype), key], dim=2)
            value = torch.cat([active.values[layer].to(value.dtype), value], dim=2)
    if bias is not None:
        attention_mask = _biased(attention_mask, bias, query, key)
    slow = query.device.type == "cpu" and query.dtype == torch.bfloat16
    if slow or options.get("softcap") or options.get("dropout"):
        return _matmul_attention(query, key, value, attention_mask, **options)
    output, weights = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    return output, weights


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
