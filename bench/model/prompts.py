"""What an attachment puts into the backbone in a step.

Shape legend: P prompt length, H width of word embeddings, L layers with a prefix, A key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from bench.model.sites import Sites


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

    def leaves(self) -> Prompts:
        """The same values cut off from their graph, so that many micro-batches can add up gradients in them."""

        def leaf(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.detach().requires_grad_()

        changes = {name: tensor.detach().requires_grad_() for name, tensor in self.changes.items()}
        return Prompts(leaf(self.slots), leaf(self.prefixes), self.layers, self.offset, changes, self.sites)

    def tensors(self) -> Iterator[Tensor]:
        """Slots, prefixes and changes that there are, in an order that is that of the leaves too."""
        yield from (tensor for tensor in (self.slots, self.prefixes) if tensor is not None)
        yield from self.changes.values()
