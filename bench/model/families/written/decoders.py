"""Decoders with linear biases (ALiBi: Press et al. 2022, arXiv:2108.12409), rotations, or local windows.

transformers writes ALiBi's bias of a key at j as slope · j, which is slope · (j − i) but for a constant that a softmax
over tokens does not see. Beside a prefix it matters, so it is slope · (j − i) here, and 0 for the prefix.

Shape legend: B rows, T tokens, A heads, G key/value heads, D head size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bench.model.families.written.softmax import attended, heads


def _relative(alibi: Tensor) -> Tensor:
    """Biases by the key's position, (B, A, 1, T), as biases by its distance from the query: (B, A, T, T)."""
    return alibi - alibi.transpose(-1, -2)


def bloom(
    self: Any, hidden_states: Tensor, residual: Tensor, alibi: Tensor, attention_mask: Tensor, **_: Any
) -> tuple[Tensor, None]:
    """Scaled dot products and ALiBi, whose positions the model counts from each row's mask: (B·A, 1, T)."""
    query, key, value = self._reshape(self.query_key_value(hidden_states))
    bias = _relative(alibi.view(*query.shape[:2], 1, -1))
    scores = torch.matmul(query, key.transpose(-1, -2)) * self.inv_norm_factor + bias + attention_mask
    output = attended(self, scores, query, value, 1 / self.inv_norm_factor, self.attention_dropout.p)
    output = nn.functional.dropout(self.dense(output.flatten(2)), p=self.hidden_dropout, training=self.training)
    return output + residual, None


def mpt(
    self: Any, hidden_states: Tensor, position_bias: Tensor, past_key_values: Any = None, attention_mask: Any = None,
    **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Scaled dot products and ALiBi: `position_bias` (A, 1, the model's longest text) ends in −slope, 0. True in
    `attention_mask` hides.

    The slopes serve texts of any length, where the model's own bias ends with its table.
    """
    states = self.Wqkv(hidden_states)
    if self.clip_qkv:
        states = states.clamp(min=-self.clip_qkv, max=self.clip_qkv)
    query, key, value = (heads(part, self.n_heads) for part in states.chunk(3, dim=2))
    places = torch.arange(query.shape[2], device=query.device)
    bias = -position_bias[:, :, -2:-1] * (places - places[:, None])  # (A, T, T)
    scores = torch.matmul(query, key.transpose(-1, -2)) * self.softmax_scale + bias
    if attention_mask is not None:
        scores = scores.masked_fill(attention_mask, torch.finfo(scores.dtype).min)
    output = attended(self, scores, query, value, 1 / self.softmax_scale, self.attn_dropout_p)
    return self.out_proj(output.flatten(2)), None


def falcon(
    self: Any, hidden_states: Tensor, alibi: Tensor | None, attention_mask: Tensor, position_embeddings: Any = None,
    **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Scaled dot products of grouped heads, with rotations or ALiBi (Almazrouei et al. 2023, arXiv:2311.16867).

    `attention_mask` has ALiBi in it, by the key's position and scaled as the products are. (transformers' eager
    attention adds it a second time; its SDPA attention, as what the models were trained with, does not.)
    """
    query, key, value = (part.transpose(1, 2) for part in self._split_heads(self.query_key_value(hidden_states)))
    scale = math.sqrt(self.head_dim)
    if alibi is None:
        cos, sin = (part[:, None] for part in position_embeddings)
        query, key = query * cos + _turned(query) * sin, key * cos + _turned(key) * sin
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale + attention_mask
    if alibi is not None:
        scores = scores - alibi.transpose(-1, -2) / scale
    rate = 0.0 if alibi is None else self.attention_dropout.p  # as in the model
    return self.dense(attended(self, scores, query, value, scale, rate).flatten(2)), None


def _turned(states: Tensor) -> Tensor:
    first, second = states.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def gptj(self: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any = None) -> tuple[Tensor, None]:
    """Scaled dot products of what the module has rotated, in fp32."""
    query, key = query.float(), key.float()
    scores = torch.matmul(query, key.transpose(-1, -2)) / self.scale_attn
    if attention_mask is not None:
        scores = scores + attention_mask
    return attended(self, scores, query, value, self.scale_attn, self.attn_dropout.p).transpose(1, 2), None


def gpt_neo(self: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any = None) -> tuple[Tensor, None]:
    """Dot products, not scaled, in fp32; in every other layer of a window of the last tokens, which the module's `bias`
    holds. A prefix is seen beyond the window too.
    """
    query, key = query.float(), key.float()
    tokens = query.shape[2]
    scores = torch.matmul(query, key.transpose(-1, -2))
    scores = scores.masked_fill(~self.bias[:, :, :tokens, :tokens], torch.finfo(scores.dtype).min)
    if attention_mask is not None:
        scores = scores + attention_mask
    return attended(self, scores, query, value, 1.0, self.attn_dropout.p).transpose(1, 2), None
