"""The trainable parts of one cell: prompt-slot embeddings, key/value prefixes, changes by row, or changed weights.

Shape legend: P prompt length, H width of word embeddings, L layers with a prefix, A key/value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.model.backbone import Backbone
from bench.model.prompts import Prompts
from bench.task import Task


class Attachment(nn.Module):
    """What trains in a cell, and the contract between a method and the loop. This base adds nothing and trains nothing.

    `Method.attach` makes one; then, in this order:

    - it is moved to the backbone's device, and `begin` is called once;
    - in every step the backbone runs on the values of `prompts`, in as many micro-batches as it takes, backward too;
      `prompts` is called with gradients on, and those of the values are carried back through it to the parameters in
      one go; `penalty` is called; the optimizer's step is taken, and `after_step` called. (Where memory turns out to
      be short, or kernels to have no fixed order, a step begins again before its optimizer's.)
    - for every evaluation `prompts` is called without gradients, as it may be at any time;
    - at the end every parameter and weight that trained is set back to the step that was chosen, in place, and `found`
      and `stored` are called. What must go back with them must be a parameter: buffers stay as the last step left them.

    All parameters of the module train, unless they need no gradient; each must have one that is not all zero, and must
    move, within the first three steps, or where these are too small to show by the end. Of the backbone nothing but
    `weights` may move, no buffer either.

    To choose from: `SlotPrompts`, `LayerPrefixes`, `Weights`, bench.model.injected.Injected, and what changes a shared
    model by row: bench.model.row_adapter.RowAdapter, bench.model.row_biases.RowBiases. Where none of them fits a
    subclass of this one gives `make`, or one of bench.model.searched.Searched what a search asks.
    """

    drops_inside: bool = False  # whether it has put dropout of its own into the backbone, beside `Method.dropout`

    def __init__(self) -> None:
        super().__init__()
        self._restored: Prompts | None = None

    def prompts(self) -> Prompts:
        """What to put into the backbone: what `make` gives, or after `restore` the stored values, without gradients."""
        return self._restored or self.make()

    def make(self) -> Prompts:
        """The prompts of a step or an evaluation, with gradients to the parameters: what a subclass writes.

        As many `slots` (P, H) as `Method.slots` has asked the encoder for, of the width of `backbone.word_embeddings`;
        `prefixes` (L, 2, A, P, D) of `layers` among `backbone.geometry.prefixed`, where `Method.needs` says "prefixes";
        `changes` by name, for `sites` that bench.model.sharing.check_sharing has found to work.
        The same parameters must give the same prompts: what is random in training is `Method.dropout`, which the loop
        draws by row. Asked for before `begin` too, when its shapes are looked at. On a GPU it is captured after the
        first steps and replayed, as `penalty` is where there is no `after_step`: it may not look at a tensor's values.
        """
        return Prompts()

    def weights(self) -> dict[str, nn.Parameter]:
        """Weights of the backbone that train, by a name for users and files; the same ones at every call.

        Only on a backbone that is not `shared`. They are stored beside the prompts, so that no name is "slots",
        "prefixes", or begins with "head.".
        """
        return {}

    def learning_rates(self) -> Iterable[tuple[Iterable[nn.Parameter], float]]:
        """Parameters or weights with a learning rate of their own, each in one entry; all others have the method's.

        Asked once, after `begin`. Warm-up and decay multiply these as they do the method's.
        """
        return ()

    def begin(self, num_steps: int) -> None:
        """Called once before training, with the number of steps it will take; UsageError when they cannot be right.

        Where a first stage trains several data sets it is called once for all of them. Not called where nothing trains.
        """

    def penalty(self) -> Tensor | None:
        """What a step's loss has besides the task's: a scalar with gradients, once a step; None for nothing."""
        return None

    def after_step(self, step: int) -> None:
        """Called after every optimizer step, the first being 1, while the step's gradients are still there.

        Never where prompts are searched for, which has no optimizer.
        """

    def found(self) -> dict[str, Any]:
        """What a person can read of the result, for the record, as JSON values; nothing where it is vectors."""
        return {}

    def stored(self) -> dict[str, Tensor]:
        """What must be kept to use the result: finished prompts (no reparameterisation) and changed weights, copied."""
        prompts = self.prompts()
        tensors = {"slots": prompts.slots, "prefixes": prompts.prefixes, **prompts.changes, **self.weights()}
        return {name: tensor.detach().clone() for name, tensor in tensors.items() if tensor is not None}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Use what `stored` gave, of an attachment with the same settings, from now on. KeyError when it lacks one.

        The tensors are on the backbone's device.
        """
        with torch.no_grad():
            for name, weight in self.weights().items():
                weight.copy_(tensors[name])
            prompts = self.make()
        slots = None if prompts.slots is None else tensors["slots"]
        prefixes = None if prompts.prefixes is None else tensors["prefixes"]
        changes = {name: tensors[name] for name in prompts.changes}
        self._restored = Prompts(slots, prefixes, prompts.layers, prompts.offset, changes, prompts.sites)


class SlotPrompts(Attachment):
    """Vectors in the prompt slots, for methods that put something into the input and leave the model alone.

    `vectors` (P, H) are trained as they are, or are what `encoder`, which trains too, makes (P, H) of: any module, its
    input may be of another width. P is the `count` of `Method.slots`, H is `backbone.geometry.embedding`. Stored is
    what comes out, so that the encoder is not needed afterwards. `encoder_learning_rate` where it is another than the
    method's.
    """

    def __init__(
        self, vectors: Tensor, encoder: nn.Module | None = None, encoder_learning_rate: float | None = None
    ) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)
        self.encoder = encoder
        self.encoder_learning_rate = encoder_learning_rate

    def make(self) -> Prompts:
        return Prompts(slots=self.encoder(self.vectors) if self.encoder is not None else self.vectors)

    def learning_rates(self) -> Iterable[tuple[Iterable[nn.Parameter], float]]:
        if self.encoder is None or self.encoder_learning_rate is None:
            return ()
        return [(self.encoder.parameters(), self.encoder_learning_rate)]


class LayerPrefixes(Attachment):
    """Keys and values in front of every chosen layer's own, for methods that reach into the layers of a frozen model.

    `vectors` are (P, L·2·A·D), or with an `encoder`, which trains too, what it maps to that width. `layers` count from
    0 and are among `backbone.geometry.prefixed`; A `heads` and D `head_size` are `backbone.geometry`'s. With `offset`
    the real tokens' absolute positions start there, as if the prefix stood in front of them; `Method.positions` then
    says so too. Stored are the finished (L, 2, A, P, D). The method's `needs` have "prefixes".
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
        prefixes = flat.view(length, len(self.layers), 2, self.heads, self.head_size).permute(1, 2, 3, 0, 4)
        return Prompts(prefixes=prefixes, layers=self.layers, offset=self.offset)


class Weights(Attachment):
    """The backbone's own weights, all or those whose name `chosen` accepts, for methods that change the model.

    Of them those alone that the scores of the `task` depend on: the language-model head's where a verbalizer asks it
    (`with_lm_head`). `slots` are an attachment whose slot prompts train beside them, `learning_rate` is that of the
    weights where it is another than the method's. Stored are the weights whole, as they have become. UsageError when
    the backbone has no weight that `chosen` accepts; `chosen_are` says there what was looked for. The backbone is its
    alone: the method `changes_weights`, or is attached to one that is not `shared`.
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
        self._weights = chosen_weights(backbone, task, with_lm_head, chosen, chosen_are)
        self._learning_rate = learning_rate
        for weight in self._weights.values():
            weight.requires_grad_(True)

    def make(self) -> Prompts:
        return self.slots.prompts() if self.slots is not None else Prompts()

    def weights(self) -> dict[str, nn.Parameter]:
        return self._weights

    def learning_rates(self) -> Iterable[tuple[Iterable[nn.Parameter], float]]:
        yield from self.slots.learning_rates() if self.slots is not None else ()
        if self._learning_rate is not None:
            yield self._weights.values(), self._learning_rate


def chosen_weights(
    backbone: Backbone, task: Task, with_lm_head: bool, chosen: Callable[[str], bool], chosen_are: str
) -> dict[str, nn.Parameter]:
    """Of the weights a loss can reach those whose name `chosen` accepts, by name. UsageError when there are none."""
    weights = {name: weight for name, weight in trainable_weights(backbone, task, with_lm_head) if chosen(name)}
    if not weights:
        kind = type(backbone.model).__name__
        raise UsageError(f"the model ({kind}) has no {chosen_are} to train; choose another method or model")
    return weights


def trainable_weights(backbone: Backbone, task: Task, with_lm_head: bool) -> Iterator[tuple[str, nn.Parameter]]:
    """The weights a loss can reach: those of the parts that read the text, the decoder's when it is read there, and the
    language-model head's and what only a word's score asks when scores go through it.
    """
    part_ids = {id(parameter) for part in backbone.reached(task) for parameter in part.parameters()}
    for name, parameter in backbone.model.named_parameters():
        reads_text = id(parameter) in part_ids and name.rpartition(".")[2] not in backbone.family.saying
        if (with_lm_head or reads_text) and backbone.family.reaches(name):
            yield name, parameter
