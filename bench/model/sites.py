"""What a lane changes inside a frozen model: at which modules, and what is done there. No torch here.

Shape legend: r rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class LowRank:
    """y + scaling · (dropout(x) · Aᵀ) · Bᵀ; A (r, in), B (out, r) and S (r, 1) are the lane's tensors of these names.

    With `singular` values S it is scaling / ranks · (dropout(x) · (S ⊙ A)ᵀ) · Bᵀ.
    """

    down: str  # A
    up: str  # B
    scaling: float
    dropout: float = 0.0  # on what enters A, with gradients alone
    singular: str | None = None  # S
    ranks: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """The lane's tensors that it asks for."""
        return (self.down, self.up) if self.singular is None else (self.down, self.up, self.singular)


@dataclass(frozen=True)
class Scale:
    """What enters a module, or what leaves it, times the lane's vector of this name, of any shape."""

    name: str
    where: Literal["in", "out"]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True)
class Bias:
    """The lane's vector of this name in the place of the module's own `bias`."""

    name: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)


Change = LowRank | Scale | Bias
Sites = tuple[tuple[str, Change], ...]  # the path of a module in the model, and what is done there
