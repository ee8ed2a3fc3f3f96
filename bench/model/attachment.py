"""The trainable parts of one cell: prompt-slot embeddings, key/value prefixes, or changed weights.

Shape legend: P prompt length, H hidden size, L layers with a prefix, A key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.families import is_reached

if TYPE_CHECKING:
    from bench.model.backbone import Backbone
    from bench.task import Task


@dataclass(frozen=True)
class Prompts:
    """What an attachment puts into the backbone this step."""

    slots: Tensor | None = None  # (P, H), word embeddings for the slot positions
    prefixes: Tensor | None = None  # (L, 2, A, P, D), keys and values
    layers: tuple[int, ...] = ()  # the backbone layers that prefixes[0], prefixes[1], ... belong to
    offset: int = 0  # added to the absolute positions of the real tokens

    def leaves(self) -> Prompts:
        """The same values cut off from their graph, so that many micro-batches can add up gradients in them."""

        def leaf(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.detach().requires_grad_()

        return Prompts(leaf(self.slots), leaf(self.prefixes), self.layers, self.offset)


class Attachment(nn.Module):
    """Base: adds nothing. Its own parameters train; a subclass may also train weights of the backbone."""

    drops_inside: bool = False  # whether it has put dropout of its own into the backbone, beside `Method.dropout`

    def __init__(self) -> None:
        super().__init__()
        self._restored: Prompts | None = None

    def prompts(self) -> Prompts:
        """What to put into the backbone, with gradients to this attachment's parameters."""
        return self._restored or self.make()

    def make(self) -> Prompts:
        """A step's prompts; asked for before `begin` too, when their shapes are looked at."""
        return Prompts()

    def weights(self) -> dict[str, nn.Parameter]:
        """Parameters of the backbone itself that train, by name."""
        return {}

    def weights_learning_rate(self) -> float | None:
        """The learning rate of `weights` where it is another than the method's."""
        return None

    def begin(self, num_steps: int) -> None:
        """Called once before training, with the number of steps it will take; UsageError when they cannot be right.

        Where a first stage trains several data sets it is called once for all of them.
        """

    def penalty(self) -> Tensor | None:
        """What a step's loss has besides the task's, a scalar with gradients; None for nothing."""
        return None

    def after_step(self, step: int) -> None:
        """Called after every optimizer step, the first being 1, while the step's gradients are still there.

        Never where prompts are searched for, which has no optimizer.
        """

    def found(self) -> dict[str, Any]:
        """What a person can read of the result, for the record; nothing where it is vectors."""
        return {}

    def stored(self) -> dict[str, Tensor]:
        """What must be kept to use the result: finished prompts (no reparameterisation), changed weights."""
        prompts = self.prompts()
        kept = {"slots": prompts.slots, "prefixes": prompts.prefixes, **self.weights()}
        return {name: tensor.detach().clone() for name, tensor in kept.items() if tensor is not None}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Use stored tensors instead of this attachment's own. KeyError when one is lacking."""
        with torch.no_grad():
            for name, weight in self.weights().items():
                weight.copy_(tensors[name])
            drawn = self.make()
        slots = None if drawn.slots is None else tensors["slots"]
        prefixes = None if drawn.prefixes is None else tensors["prefixes"]
        self._restored = Prompts(slots, prefixes, drawn.layers, drawn.offset)


class Weights(Attachment):
    """Trains the backbone's own weights, all or those whose name `chosen` accepts, and optionally prompts in its slots.

    Only those that the scores of the `task` depend on, the language-model head's where a verbalizer asks it. UsageError
    when the backbone has no weight that `chosen` accepts; `chosen_are` says there what was looked for.
    """

    def __init__(
        self,
        backbone: Backbone,
        task: Task,
        with_lm_head: bool,
        slots: Attachment | None = None,
        learning_rate: float | None = None,
        chosen: Callable[[str], bool] = lambda name: True,
        chosen_are: str = "weights",
    ) -> None:
        super().__init__()
        self.slots = slots
        reached = trainable_weights(backbone, task, with_lm_head)
        self._weights = {name: weight for name, weight in reached if chosen(name)}
        if not self._weights:
            kind = type(backbone.model).__name__
            raise UsageError(f"the model ({kind}) has no {chosen_are} to train; choose another method or model")
        self._learning_rate = learning_rate
        for weight in self._weights.values():
            weight.requires_grad_(True)

    def make(self) -> Prompts:
        return self.slots.prompts() if self.slots is not None else Prompts()

    def weights(self) -> dict[str, nn.Parameter]:
        return self._weights

    def weights_learning_rate(self) -> float | None:
        return self._learning_rate


def trainable_weights(backbone: Backbone, task: Task, with_lm_head: bool) -> Iterator[tuple[str, nn.Parameter]]:
    """The weights a loss can reach: those of the parts that read the text, the decoder's when it is read there, and the
    language-model head's and what only a word's score asks when scores go through it.
    """
    inside = {id(parameter) for part in backbone.reached(task) for parameter in part.parameters()}
    for name, parameter in backbone.model.named_parameters():
        read = id(parameter) in inside and name.rpartition(".")[2] not in backbone.family.saying
        if (with_lm_head or read) and is_reached(backbone.family, name):
            yield name, parameter


class SlotPrompts(Attachment):
    """Vectors for the prompt slots: one trained tensor, or the output of a reparameterisation."""

    def __init__(self, vectors: Tensor, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)  # (P, H)
        self.encoder = encoder

    def make(self) -> Prompts:
        return Prompts(slots=self.encoder(self.vectors) if self.encoder is not None else self.vectors)


class LayerPrefixes(Attachment):
    """Keys and values in front of every chosen layer: one trained tensor, or the output of a reparameterisation.

    `vectors` is (P, L·2·A·D) without an encoder, (P, H) with one that maps to that width. With `offset` the real
    tokens' absolute positions start there, as if the prefix stood in front of them.
    """

    def __init__(
        self,
        vectors: Tensor,
        layers: tuple[int, ...],
        heads: int,
        head_size: int,
        encoder: nn.Module | None = None,
        offset: int = 0,
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)
        self.encoder = encoder
        self.layers, self.heads, self.head_size = layers, heads, head_size
        self.offset = offset

    def make(self) -> Prompts:
        flat = self.encoder(self.vectors) if self.encoder is not None else self.vectors
        length = self.vectors.shape[0]
        shaped = flat.view(length, len(self.layers), 2, self.heads, self.head_size).permute(1, 2, 3, 0, 4)
        return Prompts(prefixes=shaped, layers=self.layers, offset=self.offset)
