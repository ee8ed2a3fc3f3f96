"""What heads that score words have in common.

Shape legend: B rows, K positions read of a row, H hidden size, C classes or columns, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.model.backbone import Backbone
from bench.model.head import Head


class WordHead(Head):
    """Scores from those that the backbone's own language-model head gives the vocabulary; adds no parameters."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._backbone = [backbone]  # in a list, so that the backbone's parameters do not become this module's

    @property
    def device(self) -> torch.device:
        return self._backbone[0].device

    def scores(self, states: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        logits = self._backbone[0].lm_logits(states.flatten(0, 1)).view(*states.shape[:2], -1)
        return self.chosen(logits, batch, of_rows)

    def chosen(self, logits: Tensor, batch: MicroBatch, of_rows: Mapping[str, Tensor]) -> Tensor:
        """From the scores of the vocabulary (B, K, V) to the head's: (B, K, C)."""
        raise NotImplementedError
