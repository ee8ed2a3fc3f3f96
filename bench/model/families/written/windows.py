"""Attention in a window around each token (Longformer: Beltagy et al. 2020, arXiv:2004.05150, section 3), written as
full attention with what lies outside the window hidden. A prefix is seen by every token, however far it stands.

No token has global attention, as none had in pretraining; its projections are not used, and left out.

Shape legend: B rows, T tokens, A heads, D head size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from bench.model.families.written.softmax import attended, heads


def longformer(
    self: Any, hidden_states: Tensor, attention_mask: Any = None, is_index_masked: Any = None, *_: Any, **__: Any
) -> tuple[Tensor]:
    """Scaled dot products with the tokens at most half a window away; `is_index_masked` (B, T) hides padding."""
    query, key, value = (heads(part(hidden_states), self.num_heads) for part in (self.query, self.key, self.value))
    scale = math.sqrt(self.head_dim)
    places = torch.arange(hidden_states.shape[1], device=hidden_states.device)
    far = (places[:, None] - places).abs() > self.one_sided_attn_window_size
    scores = torch.matmul(query, key.transpose(-1, -2)) / scale
    scores = scores.masked_fill(far | is_index_masked[:, None, None, :], torch.finfo(scores.dtype).min)
    return (attended(self, scores, query, value, scale, self.dropout).flatten(2),)


def drop_global(module: Any) -> None:
    """Leave out the projections of tokens with global attention, which would count as parameters."""
    module.query_global = module.key_global = module.value_global = None


def longformer_unpadded(
    self: Any,
    input_ids: Any,
    attention_mask: Any,
    token_type_ids: Any,
    position_ids: Any,
    inputs_embeds: Any,
    pad_token_id: int,
) -> tuple[Any, ...]:
    """What the model would pad to whole windows, which attention written so does not need, and how much was added."""
    return 0, input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds


def led_unpadded(
    self: Any, input_ids: Any, attention_mask: Any, inputs_embeds: Any, pad_token_id: int
) -> tuple[Any, ...]:
    """Likewise for the encoder of LED."""
    return 0, input_ids, attention_mask, inputs_embeds
