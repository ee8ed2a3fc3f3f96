"""Attention written anew for families that transformers' attention interface does not reach, with room for prefixes.

Each is the family's own arithmetic on its own weights; a prefix adds P keys and values in front that every token sees,
at relative bias 0. `write_attention` puts them in the place of the modules' own.

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
        written = _WRITTEN.get(type(module).__name__)
        if written is not None:
            name, function = written
            setattr(module, "layer_idx", count)  # noqa: B010  a module's annotations know only parameters and modules
            setattr(module, name, types.MethodType(function, module))
            count += 1
    return count


def _attended(module: nn.Module, scores: Tensor, query: Tensor, value: Tensor, scale: float, rate: float) -> Tensor:
    """Softmax over the layer's prefix and the tokens: scores (B, A, T, T), query, value (B, A, T, D) -> (B, T, A, D).

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
    return torch.matmul(weights, value).transpose(1, 2)


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
    return (self.o(_attended(self, scores, query, value, scale, self.dropout.p).flatten(2)),)


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
    return _attended(self, scores, query, value, scale, self.dropout.p).flatten(2), None


def _xlnet(
    self: Any,
    q_head: Tensor,
    k_head_h: Tensor,
    v_head_h: Tensor,
    k_head_r: Tensor,
    seg_mat: Tensor | None = None,
    attn_mask: Tensor | None = None,
    output_attentions: bool = False,
) -> Tensor:
    """Content, position and segment, each with a bias of its own on the query (Yang et al. 2019, arXiv:1906.08237,
    sections 2.4 and 2.5). A prefix has neither position nor segment, in the content stream and in the query stream.

    Queries, keys and values are (T, B, A, D), relative positions (2 T, B, A, D), `seg_mat` (T, T, B, 2), 1 in
    `attn_mask` (T, T, B, 1) hides -> (T, B, A, D).
    """
    query, key, value = (each.permute(1, 2, 0, 3) for each in (q_head, k_head_h, v_head_h))  # (B, A, T, D)
    asking = query + self.r_w_bias[:, None]
    positions = torch.matmul(query + self.r_r_bias[:, None], k_head_r.permute(1, 2, 3, 0))  # (B, A, T, 2 T)
    scores = torch.matmul(asking, key.transpose(-1, -2)) + self.rel_shift_bnij(positions, klen=key.shape[2])
    if seg_mat is not None:
        same = torch.einsum("bnid,snd->bnis", query + self.r_s_bias[:, None], self.seg_embed)
        scores = scores + torch.einsum("ijbs,bnis->bnij", seg_mat, same)
    scores = scores * self.scale
    if attn_mask is not None:
        scores = scores.masked_fill(attn_mask.permute(2, 3, 0, 1) > 0, torch.finfo(scores.dtype).min)
    return _attended(self, scores, asking, value, 1 / self.scale, self.dropout.p).transpose(0, 1)


_WRITTEN: dict[str, tuple[str, Callable[..., Any]]] = {
    "MPNetSelfAttention": ("forward", _mpnet),
    "DisentangledSelfAttention": ("forward", _deberta_v2),
    "XLNetRelativeAttention": ("rel_attn_core", _xlnet),
}
