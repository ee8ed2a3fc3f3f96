"""What an attachment puts into the backbone in a step.

Shape legend: P prompt length, H width of word embeddings, L layers with a prefix, A key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from bench.model.sites import Sites

CHANGE = "change."


@dataclass(frozen=True)
class Prompts:
    """Vectors for the prompt slots, keys and values in front of layers' own, changes inside modules; any, or none.

    All prefixes are of one shape: a model whose layers differ in the size of their heads, or in that of keys and values
    (DeepSeek's latent attention), takes none, as its proof says (bench.model.proving).
    """

    slots: Tensor | None = None  # (P, H), word embeddings for the slot positions
    prefixes: Tensor | None = None  # (L, 2, A, P, D), keys and values
    layers: tuple[int, ...] = ()  # the backbone layers, from 0, that prefixes[0], prefixes[1], ... belong to
    offset: int = 0  # added to the absolute positions of the real tokens
    changes: Mapping[str, Tensor] = field(default_factory=dict)  # the tensors that the sites name
    sites: Sites = ()  # the modules that are changed, and how (bench.model.changes)

    def tensors(self) -> dict[str, Tensor]:
        """By name what there is of them."""
        tensors = {"slots": self.slots, "prefixes": self.prefixes}
        tensors |= {CHANGE + name: tensor for name, tensor in self.changes.items()}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}
