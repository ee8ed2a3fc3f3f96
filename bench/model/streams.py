"""Two streams (Yang et al. 2019, arXiv:1906.08237, section 2.3): content, and queries that do not see their own token.

Shape legend: B rows, T tokens, N most masked positions of a row, M masked positions of all rows, H hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.data.batches import MicroBatch


@dataclass(frozen=True)
class Queries:
    """The masked positions that heads read; what stands there is seen by no token, and said by the query stream."""

    rows: list[int]  # (M,)
    columns: list[int]  # (M,)
    numbers: list[int]  # (M,) which of its row's

    def inputs(self, batch: MicroBatch) -> dict[str, Any]:
        """The model's arguments: who sees whom, and a query for each masked position."""
        count, width = batch.ids.shape
        perm_mask = torch.zeros((count, width, width), device=batch.ids.device)
        perm_mask[self.rows, :, self.columns] = 1
        target_mapping = torch.zeros((count, batch.read_columns.shape[1], width), device=batch.ids.device)
        target_mapping[self.rows, self.numbers, self.columns] = 1
        return {"perm_mask": perm_mask, "target_mapping": target_mapping, "output_hidden_states": True}

    def states(self, answer: Any) -> Tensor:
        """(B, T, H): the content stream, with the query stream's at the masked positions."""
        content: Tensor = answer.hidden_states[-2]  # the layers' states are listed in turn, content and query
        query = answer.last_hidden_state[self.rows, self.numbers]
        indices = tuple(torch.tensor(index, device=query.device) for index in (self.rows, self.columns))
        return content.index_put(indices, query)


def queries(batch: MicroBatch, mask_id: int | None) -> Queries | None:
    """The queries of a micro-batch; None when no head reads a masked position."""
    places = [
        (at, column, number)
        for at, row in enumerate(batch.rows)
        for number, column in enumerate(column for column in row.read if row.ids[column] == mask_id)
    ]
    if not places:
        return None
    rows, columns, numbers = (list(values) for values in zip(*places, strict=True))
    return Queries(rows, columns, numbers)
