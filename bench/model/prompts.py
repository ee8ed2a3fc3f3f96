"""What an attachment puts into the backbone in a step.

Shape legend: P prompt length, H width of word embeddings, L layers with a prefix, A key/value heads, D head size.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prompts:
    """Vectors for the prompt slots, keys and values in front of layers' own, both or neither.

    All prefixes are of one shape: a model whose layers differ in the size of their heads, or in that of keys and values
    (DeepSeek's latent attention), takes none, as its proof says (bench.model.proving).
    """

    slots: Tensor | None = None  # (P, H), word embeddings for the slot positions
    prefixes: Tensor | None = None  # (L, 2, A, P, D), keys and values
    layers: tuple[int, ...] = ()  # the backbone layers, from 0, that prefixes[0], prefixes[1], ... belong to
    offset: int = 0  # added to the absolute positions of the real tokens

    def tensors(self) -> dict[str, Tensor]:
        """By name what there is of them."""
        tensors = {"slots": self.slots, "prefixes": self.prefixes}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}
