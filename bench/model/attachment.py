"""The trainable parts of one cell: prompt-slot embeddings, key/value prefixes, or changed weights.

Shape legend: P prompt length, H hidden size, L layers with a prefix, A key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.prompts import Prompts
from bench.task import Task


class Attachment(nn.Module):
    """Base: adds nothing. Its own parameters train; a subclass may also train weights of the backbone."""

    layers: tuple[int, ...] = ()
    offset: int = 0
    drops_inside: bool = False  # whether it has put dropout of its own into the backbone, beside `Method.dropout`

    def __init__(self) -> None:
        super().__init__()
        self._restored: Prompts | None = None

    def prompts(self) -> Prompts:
        """What to put into the backbone, with gradients to this attachment's parameters."""
        return self._restored or self.make()

    def make(self) -> Prompts:
        return Prompts()

    def weights(self) -> dict[str, nn.Parameter]:
        """Parameters of the backbone itself that train, by name."""
        return {}

    def weights_learning_rate(self) -> float | None:
        """The learning rate of `weights` where it is another than the method's."""
        return None

    def begin(self, num_steps: int) -> None:
        """Called once before training, with the number of steps it will take; UsageError when they cannot be right."""

    def penalty(self) -> Tensor | None:
        """What a step's loss has besides the task's, a scalar with gradients; None for nothing."""
        return None

    def after_step(self, step: int) -> None:
        """Called after every optimizer step, the first being 1, while the step's gradients are still there."""

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
        self._restored = Prompts(tensors.get("slots"), tensors.get("prefixes"), self.layers, self.offset)


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
        if (with_lm_head or read) and backbone.family.reaches(name):
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
