"""XLNet's attention: content, position and segment (Yang et al. 2019, arXiv:1906.08237, sections 2.4 and 2.5).

Shape legend: B rows, T tokens, A heads, D head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.model.families.written.softmax import attended


def xlnet(
    self: Any,
    q_head: Tensor,
    k_head_h: Tensor,
    v_head_h: Tensor,
    k_head_r: Tensor,
    seg_mat: Tensor | None = None,
    attn_mask: Tensor | None = None,
    output_attentions: bool = False,
) -> Tensor:
    """Each term has a bias of its own on the query. A prefix has neither position nor segment, in the content stream
    and in the query stream.

    Queries, keys and values are (T, B, A, D), relative positions (2 T, B, A, D), `seg_mat` (T, T, B, 2), 1 in
    `attn_mask` (T, T, B, 1) hides -> (T, B, A, D).
    """
    query, key, value = (part.permute(1, 2, 0, 3) for part in (q_head, k_head_h, v_head_h))  # (B, A, T, D)
    content_query = query + self.r_w_bias[:, None]
    by_position = torch.matmul(query + self.r_r_bias[:, None], k_head_r.permute(1, 2, 3, 0))  # (B, A, T, 2 T)
    scores = torch.matmul(content_query, key.transpose(-1, -2)) + self.rel_shift_bnij(by_position, klen=key.shape[2])
    if seg_mat is not None:
        by_segment = torch.einsum("bnid,snd->bnis", query + self.r_s_bias[:, None], self.seg_embed)
        scores = scores + torch.einsum("ijbs,bnis->bnij", seg_mat, by_segment)
    scores = scores * self.scale
    if attn_mask is not None:
        scores = scores.masked_fill(attn_mask.permute(2, 3, 0, 1) > 0, torch.finfo(scores.dtype).min)
    return attended(self, scores, content_query, value, 1 / self.scale, self.dropout.p).transpose(0, 1)
