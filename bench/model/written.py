"""Attention written anew for families that transformers' attention interface does not reach, with room for prefixes.

Each is the family's own arithmetic on its own weights; a prefix adds P keys and values in front that every token sees,
at relative bias 0. `write_attention` puts them in the place of the modules' own forward.

Shape legend: B rows, T tokens, A heads, P prompt length, D head size.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bench.model import attention


def write_attention(model: nn.Module) -> int:
    """Replace the attention of every layer that needs it; returns how many were. The layers get their `layer_idx`."""
    count = 0
    for module in model.modules():
        forward = _WRITTEN.get(type(module).__name__)
        if forward is not None:
            setattr(module, "layer_idx", count)  # noqa: B010  a module's annotations know only parameters and modules
            setattr(module, "forward", types.MethodType(forward, module))  # noqa: B010
            count += 1
    return count


def _attended(module: nn.Module, scores: Tensor, query: Tensor, value: Tensor, scale: float, rate: float) -> Tensor:
    """Softmax over the layer's prefix and the tokens: scores (B, A, T, T), query, value (B, A, T, D) -> (B, T, A·D).

    `scores` are finished (bias, mask); the prefix's are query · key / scale.
    """
    found = attention.active_prefix(module)
    if found is not None:
        keys, values, valid = found
        front = torch.matmul(query, keys.to(query.dtype).transpose(-1, -2)) / scale  # (B, A, T, P)
        if valid is not None:
            front = front.masked_fill(~valid.bool()[:, None, None, :], torch.finfo(front.dtype).min)
        scores = torch.cat([front, scores], dim=-1)
        value = torch.cat([values.to(value.dtype), value], dim=2)
    weights = nn.functional.dropout(scores.softmax(dim=-1), p=rate, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).flatten(2)


def _heads(states: Tensor, heads: int) -> Tensor:
    """(B, T, A·D) -> (B, A, T, D)."""
    return states.view(*states.shape[:2], heads, -1).transpose(1, 2)


def _mpnet(
    self: Any, hidden_states: Tensor, attention_mask: Any = None, position_bias: Any = None, *_: Any, **__: Any
) -> tuple[Tensor]:
    """Scaled dot products plus a relative position bias that all layers share (Song et al. 2020, arXiv:2004.09297)."""
    query, key, value = (_heads(part(hidden_states), self.num_attention_heads) for part in (self.q, self.k, self.v))
    scale = math.sqrt(self.attention_head_size)
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale
    if position_bias is not None:
        scores = scores + position_bias
    if attention_mask is not None:
        scores = scores + attention_mask
    return (self.o(_attended(self, scores, query, value, scale, self.dropout.p)),)


def _deberta_v2(
    self: Any,
    hidden_states: Tensor,
    attention_mask: Tensor,
    output_attentions: bool = False,
    query_states: Tensor | None = None,
    relative_pos: Tensor | None = None,
    rel_embeddings: Tensor | None = None,
) -> tuple[Tensor, None]:
    """Content with content, content with position and position with content (He et al. 2021, arXiv:2006.03654)."""
    asking = hidden_states if query_states is None else query_states
    heads, factor = self.num_attention_heads, 1 + sum(kind in self.pos_att_type for kind in ("c2p", "p2c"))
    query, key = _heads(self.query_proj(asking), heads), _heads(self.key_proj(hidden_states), heads)
    value = _heads(self.value_proj(hidden_states), heads)
    scale = math.sqrt(query.shape[-1] * factor)
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale
    if self.relative_attention:
        rows = self.pos_dropout(rel_embeddings)
        flat = query.flatten(0, 1), key.flatten(0, 1)  # (B·A, T, D), as the module's own bias wants them
        scores = scores + self.disentangled_attention_bias(*flat, relative_pos, rows, factor).view_as(scores)
    scores = scores.masked_fill(~attention_mask.bool(), torch.finfo(scores.dtype).min)
    return _attended(self, scores, query, value, scale, self.dropout.p), None


_WRITTEN: dict[str, Callable[..., Any]] = {"MPNetSelfAttention": _mpnet, "DisentangledSelfAttention": _deberta_v2}
