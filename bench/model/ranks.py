"""Who works on a backbone: this process alone, which is the default here, or a team of processes (bench.model.sharded).

Whoever trains or evaluates asks these questions at every step, and alone they cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from torch import Tensor

from bench.data.cutting import Cut, Tickets
from bench.data.table import ItemSizes

Result = TypeVar("Result")
Outputs = list[tuple[Cut, tuple[Tensor, ...]]]  # of micro-batches


class Ranks:
    """One process, which has all rows and whole tensors."""

    rank, count = 0, 1

    @property
    def alone(self) -> bool:
        return self.count == 1

    def pass_through(self, work: Callable[[], Result]) -> Result:
        """What `work` makes of a micro-batch: all that reads weights, and no way back."""
        return work()

    def deal(self, sizes: ItemSizes, tickets: Tickets, cut: Callable[[Tickets], Sequence[Cut]]) -> list[Cut]:
        """The micro-batches of this process, as `cut` makes them; every process has the same number."""
        return list(cut(tickets))

    def collected(self, outputs: Outputs) -> Outputs:
        """The outputs of every process's micro-batches."""
        return outputs

    def add_up(self, losses: Tensor, gradients: Mapping[str, Tensor], weights: Iterable[Tensor]) -> None:
        """Make sums over the processes of what each has of its own rows; of the weights it is their gradients."""

    def total(self, number: Tensor) -> Tensor:
        """The sum of the processes' numbers."""
        return number

    def divides(self, tensor: Tensor) -> bool:
        """Whether each process holds a part of it only."""
        return False

    def part(self, tensor: Tensor) -> Tensor:
        """What this process holds of a tensor, in the tensor's own memory."""
        return tensor.detach()

    def whole(self, tensor: Tensor) -> Tensor:
        """The tensor with what every process holds of it, for each of them."""
        return tensor

    def kept(self, tensor: Tensor) -> Tensor:
        """The whole tensor in main memory, for the process that writes; nothing for the others."""
        return tensor.cpu().contiguous()

    def united(self, names: set[str]) -> set[str]:
        """What any process names."""
        return names

    def smallest(self, number: int) -> int:
        """The smallest of the processes' numbers."""
        return number


ALONE = Ranks()
