"""What every written attention ends in: a softmax over the layer's prefix and the tokens.

Shape legend: B rows, T tokens, A heads, G key/value heads, P prompt length, D head size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.model import attention


def heads(states: Tensor, count: int) -> Tensor:
    """(B, T, A·D) -> (B, A, T, D)."""
    return states.view(*states.shape[:2], count, -1).transpose(1, 2)


def attended(module: nn.Module, scores: Tensor, query: Tensor, value: Tensor, scale: float, rate: float) -> Tensor:
    """Softmax over the layer's prefix and the tokens: scores (B, A, T, T), query (B, A, T, D), value (B, G, T, D) ->
    (B, T, A, D), where G divides A.

    `scores` are finished (bias, mask); the prefix's are query · key / scale, and no mask or window hides them.
    """
    prefix = attention.active_prefix()
    if prefix is not None:
        keys, values = prefix
        front = torch.matmul(query, grouped(keys, query).to(query).transpose(-1, -2)) / scale  # (B, A, T, P)
        scores = torch.cat([front.to(scores.dtype), scores], dim=-1)
        value = torch.cat([grouped(values, value).to(value), value], dim=2)
    weights = nn.functional.dropout(scores.softmax(dim=-1).to(value.dtype), p=rate, training=module.training)
    return torch.matmul(weights, grouped(value, query)).transpose(1, 2)


def grouped(states: Tensor, query: Tensor) -> Tensor:
    """Key/value heads repeated for the query heads that share them: (B, G, N, D) -> (B, A, N, D)."""
    times = query.shape[1] // states.shape[1]
    return states if times == 1 else states.repeat_interleave(times, dim=1)
