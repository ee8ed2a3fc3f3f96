"""Prompts that are chosen among candidates, and not moved by an optimizer.

Shape legend: P prompt length, H width of word embeddings.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.model.attachment import Attachment
from bench.model.prompts import Prompts


class Searched(Attachment):
    """An attachment whose values are whole numbers, chosen among candidates.

    In each step the loop (bench.train.search) gives it the gradient at its slots, scores what it proposes and what it
    has on other rows, and tells it which proposal to take, if any is better.
    """

    def propose(self, gradient: Tensor, generator: torch.Generator) -> list[Prompts]:
        """Prompts that may be better, at least one; `gradient` (P, H) is the loss's at the slots as they are."""
        raise NotImplementedError

    def take(self, number: int) -> None:
        """Go on with what was proposed last under this number."""
        raise NotImplementedError

    def leave_out(self, tokens: Tensor) -> None:
        """Propose none of these tokens from now on."""
        raise NotImplementedError
