"""Two streams (Yang et al. 2019, arXiv:1906.08237, section 2.3): content, and queries that do not see their own token.

Shape legend: B rows, T tokens, K positions read of a row, H hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bench.data.batches import MicroBatch


@dataclass(frozen=True)
class Queries:
    """The masked positions that heads read; what stands there is seen by no token, and said by the query stream."""

    columns: Tensor  # (B, K) the position; T where what is read is not masked
    width: int  # T

    def inputs(self) -> dict[str, Any]:
        """The model's arguments: who sees whom, and a query for each masked position."""
        targets = one_hot(self.columns, self.width + 1)[..., : self.width].float()  # (B, K, T)
        unseen = targets.amax(dim=1)[:, None].expand(-1, self.width, -1)  # (B, T, T), by every token
        return {"perm_mask": unseen.contiguous(), "target_mapping": targets, "output_hidden_states": True}

    def states(self, answer: Any) -> Tensor:
        """(B, T, H): the content stream, with the query stream's at the masked positions."""
        content: Tensor = answer.hidden_states[-2]  # the layers' states are listed in turn, content and query
        widened = torch.nn.functional.pad(content, (0, 0, 0, 1))  # a place for what is not masked
        rows = torch.arange(len(content), device=content.device)[:, None].expand_as(self.columns)
        return widened.index_put((rows, self.columns), answer.last_hidden_state)[:, : self.width]


def queries(batch: MicroBatch, mask_id: int | None) -> Queries | None:
    """The queries of a micro-batch; None when no head reads a masked position."""
    if not batch.masks or mask_id is None:
        return None
    masked = batch.is_read & (batch.ids.gather(1, batch.read) == mask_id)
    return Queries(batch.read.masked_fill(~masked, batch.ids.shape[1]), batch.ids.shape[1])
