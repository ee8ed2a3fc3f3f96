"""What every head is.

Shape legend: B rows, K positions read of a row, H hidden size, C classes or columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from bench.data.batches import MicroBatch


class Head(nn.Module):
    """From the states that are read to scores. Those of lanes are stacked where their `kind` is the same."""

    takes_dropout = False  # whether what it reads is dropped out while training

    @property
    def kind(self) -> Hashable:
        return (type(self).__name__, *((name, tuple(tensor.shape)) for name, tensor in self.tensors().items()))

    def tensors(self) -> Mapping[str, Tensor]:
        """What is a lane's own: of a row these come to `scores` as (B, *shape)."""
        return {}

    def scores(self, states: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        """(B, K, H) -> (B, K, C)."""
        raise NotImplementedError
