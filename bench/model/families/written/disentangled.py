"""DeBERTa's attention: content with content, content with position, position with content (He et al. 2021,
arXiv:2006.03654, section 3.1). A prefix has content alone.

Shape legend: B rows, T tokens, A heads, D head size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from bench.model.families.written.softmax import attended, heads


def deberta(
    self: Any,
    hidden_states: Tensor,
    attention_mask: Tensor,
    output_attentions: bool = False,
    query_states: Tensor | None = None,
    relative_pos: Tensor | None = None,
    rel_embeddings: Tensor | None = None,
) -> tuple[Tensor, None]:
    """The first version: one projection, with biases on queries and values alone."""
    count = self.num_attention_heads
    query, key, value = heads(self.in_proj(hidden_states), count).chunk(3, dim=-1)
    factor = 1 + len(self.pos_att_type)
    query = (query + heads(self.q_bias[None, None], count)) / math.sqrt(query.shape[-1] * factor)
    value = value + heads(self.v_bias[None, None], count)
    scores = torch.matmul(query, key.transpose(-1, -2))
    if self.relative_attention and rel_embeddings is not None and relative_pos is not None:
        embeddings = self.pos_dropout(rel_embeddings)
        scores = scores + self.disentangled_att_bias(query, key, relative_pos, embeddings, factor)
    scores = scores.masked_fill(~attention_mask.bool(), torch.finfo(scores.dtype).min)
    return attended(self, scores, query, value, 1.0, self.dropout.p).flatten(2), None


def deberta_v2(
    self: Any,
    hidden_states: Tensor,
    attention_mask: Tensor,
    output_attentions: bool = False,
    query_states: Tensor | None = None,
    relative_pos: Tensor | None = None,
    rel_embeddings: Tensor | None = None,
) -> tuple[Tensor, None]:
    """The second and third version: projections of their own, positions in buckets."""
    query_input = hidden_states if query_states is None else query_states
    count, factor = self.num_attention_heads, 1 + sum(term in self.pos_att_type for term in ("c2p", "p2c"))
    query, key = heads(self.query_proj(query_input), count), heads(self.key_proj(hidden_states), count)
    value = heads(self.value_proj(hidden_states), count)
    scale = math.sqrt(query.shape[-1] * factor)
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale
    if self.relative_attention:
        embeddings = self.pos_dropout(rel_embeddings)
        flat = query.flatten(0, 1), key.flatten(0, 1)  # (B·A, T, D), as the module's own bias wants them
        scores = scores + self.disentangled_attention_bias(*flat, relative_pos, embeddings, factor).view_as(scores)
    scores = scores.masked_fill(~attention_mask.bool(), torch.finfo(scores.dtype).min)
    return attended(self, scores, query, value, scale, self.dropout.p).flatten(2), None
