"""What heads that score words have in common.

Shape legend: R positions read, H hidden size, C classes or columns, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.model.backbone import Backbone


class WordHead(nn.Module):
    """Scores from those that the backbone's own language-model head gives the vocabulary; adds no parameters."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._backbone = [backbone]  # in a list, so that the backbone's parameters do not become this module's

    def forward(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """(R, H), (R,) -> (R, C)."""
        return self.chosen(self._backbone[0].lm_logits(hidden), tokens)

    def chosen(self, logits: Tensor, tokens: Tensor) -> Tensor:
        """From the scores of the vocabulary (R, V) and the tokens wanted (R,) to the head's: (R, C)."""
        raise NotImplementedError
