"""What lanes of one shape put into the backbone and read off it, stacked, so that a micro-batch's rows gather theirs.

Shape legend: S lanes and nobody (the last, all zeros: the owner of empty rows), B rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import torch
from torch import Tensor

from bench.data.batches import MicroBatch
from bench.model.dropout import RowDraws, row_draws
from bench.model.head import Head
from bench.model.prompts import Prompts
from bench.model.rows import rows_of

HEAD = "head."


def alike(prompts: Prompts, head: Head | None) -> Hashable:
    """Lanes of which this is equal may be stacked."""
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in prompts.tensors().items())
    return (shapes, prompts.layers, prompts.offset, prompts.sites, head.kind if head is not None else None)


class Stacked:
    """Values of lanes, and with `trains` the gradients that micro-batches add up.

    Without `trains` gradients go the usual way, back to what was stacked. `rates` are of dropout on prompt vectors and
    on a linear head's input, by lane. All tensors stay where they are from the beginning to the end, so that what was
    captured once goes on with new values.
    """

    def __init__(
        self,
        prompts: Sequence[Prompts],
        heads: Sequence[Head] = (),
        rates: Sequence[float] = (),
        *,
        trains: bool = False,
    ) -> None:
        self.count, self.layers, self.offset = len(prompts), prompts[0].layers, prompts[0].offset
        self.sites, self.head = prompts[0].sites, heads[0] if heads else None
        self.kind = alike(prompts[0], self.head)
        lanes = zip(prompts, heads or [None] * len(prompts), strict=True)  # type: ignore[list-item]
        if any(alike(*lane) != self.kind for lane in lanes):
            raise ValueError("what is stacked must be of one shape")
        sources = self.sources(prompts, heads)
        self._rates = list(rates) or [0.0] * self.count
        with torch.set_grad_enabled(torch.is_grad_enabled() and not trains):
            self.values = {name: _with_nobody(tensors) for name, tensors in sources.items()}
        self.gradients: dict[str, Tensor] = {}
        if trains:
            self.gradients = {
                name: torch.zeros_like(values, dtype=torch.float32)
                for name, values in self.values.items()
                if values.is_floating_point()
            }
        device = next((tensor.device for tensor in self.values.values()), torch.device("cpu"))
        self._row_rates = torch.tensor([*self._rates, 0.0], device=device)

    def sources(self, prompts: Sequence[Prompts], heads: Sequence[Head]) -> dict[str, list[Tensor]]:
        """By name each lane's tensor, as the lane has it."""
        names = {name: [lane.tensors()[name] for lane in prompts] for name in prompts[0].tensors()}
        for name in heads[0].tensors() if heads else ():
            names[HEAD + name] = [head.tensors()[name] for head in heads]
        return names

    @torch.no_grad()
    def load(
        self, prompts: Sequence[Prompts], heads: Sequence[Head] = (), together: Mapping[str, Tensor] | None = None
    ) -> None:
        """Take the lanes' values as they are now; those that lie `together`, (lanes, *shape) by name, in one piece."""
        sources, together = self.sources(prompts, heads), together or {}
        pairs = [(self.values[name][: self.count], tensor) for name, tensor in together.items()]
        for name in sources.keys() - together.keys():
            pairs += zip(self.values[name].unbind()[: self.count], sources[name], strict=True)
        if pairs:
            torch._foreach_copy_([target for target, _ in pairs], [tensor for _, tensor in pairs])

    def clear(self) -> None:
        """Forget the gradients."""
        if self.gradients:
            torch._foreach_zero_(list(self.gradients.values()))

    def carry(
        self, prompts: Sequence[Prompts], heads: Sequence[Head], together: Mapping[str, Tensor] | None = None
    ) -> None:
        """Take the gradients on to what these values were made of; those in `together` are added to what is there."""
        sources, together = self.sources(prompts, heads), together or {}
        if together:
            of_names = [self.gradients[name][: self.count] for name in together]
            torch._foreach_add_(list(together.values()), of_names)
        pairs = [
            (tensor, gradients[lane].to(tensor.dtype))
            for name, gradients in self.gradients.items()
            if name not in together
            for lane, tensor in enumerate(sources[name])
            if tensor.requires_grad
        ]
        if pairs:
            tensors, of_tensors = (list(part) for part in zip(*pairs, strict=True))
            torch.autograd.backward(tensors, of_tensors)

    def has(self, name: str) -> bool:
        return name in self.values

    def by_row(self, name: str, owners: Tensor, part: int | None = None, draws: RowDraws | None = None) -> Tensor:
        """(B, *shape) of each row's owner, perhaps dropped out; of a `part` that part of the first dimension."""
        values, gradients = self.values[name], self.gradients.get(name)
        if part is not None:
            values, gradients = values[:, part], None if gradients is None else gradients[:, part]
        return rows_of(values, gradients, owners, draws, part or 0)

    def head_by_row(self, owners: Tensor) -> Mapping[str, Tensor]:
        names = [name for name in self.values if name.startswith(HEAD)]
        return {name.removeprefix(HEAD): self.by_row(name, owners) for name in names}

    @property
    def keeps_states(self) -> bool:
        """Whether the states that heads read are the same at every pass: nothing is put in, and nothing else asked."""
        return self.head is not None and self.head.takes_dropout and all(name.startswith(HEAD) for name in self.values)

    @property
    def drops(self) -> bool:
        return any(self._rates)

    def draws(self, batch: MicroBatch, stream: str) -> RowDraws | None:
        """What a micro-batch's rows are dropped out by; None where no lane drops out."""
        if not self.drops or not torch.is_grad_enabled():
            return None
        return row_draws(batch.seeds, self._row_rates.index_select(0, batch.owners), stream)


def _with_nobody(tensors: Sequence[Tensor]) -> Tensor:
    stacked = torch.stack(list(tensors))
    return torch.cat([stacked, torch.zeros_like(stacked[:1])])
