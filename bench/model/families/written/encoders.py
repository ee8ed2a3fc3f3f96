"""Encoders whose scores are scaled dot products, rotated or with a bias that the model gives.

Shape legend: B rows, T tokens, A heads, D head size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from bench.model.families.written.softmax import attended, heads


def bert(
    self: Any, hidden_states: Tensor, attention_mask: Any = None, sinusoidal_pos: Any = None, **_: Any
) -> tuple[Tensor, None]:
    """Scaled dot products as in BERT: RemBERT, Megatron-BERT, the full attention of BigBird.

    With `sinusoidal_pos` queries and keys are rotated by their positions (RoFormer: Su et al. 2021, arXiv:2104.09864,
    section 3.2). A prefix is not: it stands nowhere, as near to one token as to the other.
    """
    query, key, value = (
        heads(part(hidden_states), self.num_attention_heads) for part in (self.query, self.key, self.value)
    )
    if sinusoidal_pos is not None:
        rotate = self.apply_rotary_position_embeddings
        if self.rotary_value:
            query, key, value = rotate(sinusoidal_pos, query, key, value)
        else:
            query, key = rotate(sinusoidal_pos, query, key)
    scale = math.sqrt(self.attention_head_size)
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale
    if attention_mask is not None:
        scores = scores + attention_mask
    return attended(self, scores, query, value, scale, self.dropout.p).flatten(2), None


def mpnet(
    self: Any, hidden_states: Tensor, attention_mask: Any = None, position_bias: Any = None, *_: Any, **__: Any
) -> tuple[Tensor]:
    """Scaled dot products plus a relative position bias that all layers share (Song et al. 2020, arXiv:2004.09297)."""
    query, key, value = (heads(part(hidden_states), self.num_attention_heads) for part in (self.q, self.k, self.v))
    scale = math.sqrt(self.attention_head_size)
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale
    if position_bias is not None:
        scores = scores + position_bias
    if attention_mask is not None:
        scores = scores + attention_mask
    return (self.o(attended(self, scores, query, value, scale, self.dropout.p).flatten(2)),)
