"""Did it train? Every tensor that should train has had a gradient and has moved, and nothing else has."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.model.ranks import ALONE, Ranks

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class NotTrained(RuntimeError):
    """A tensor that should have trained did not, or one that should not have did."""


def checksum(tensor: Tensor) -> int:
    """A number that changes when the tensor's bits do: two sums over its bits, one weighted by position."""
    bits = tensor.detach().contiguous().view(_BITS[tensor.element_size()]).flatten().to(torch.int64)
    weights = torch.arange(1, bits.numel() + 1, device=bits.device).remainder_(65_521)
    return int(bits.sum()) ^ (int((bits * weights).sum()) << 1)


class Watch:
    """Watches tensors by name from before the first step to the check.

    Whole numbers that train are chosen by a search, which may find nothing better than what it begins with and looks
    itself whether it has a gradient (bench.train.search): they are not asked to move. Of a team of processes each
    watches what it holds, and the check is of what any has seen.
    """

    def __init__(self, training: Mapping[str, Tensor], still: Mapping[str, Tensor], ranks: Ranks = ALONE) -> None:
        self._ranks = ranks
        self.training = {name: tensor for name, tensor in training.items() if tensor.is_floating_point()}
        self.still = dict(still)
        self._before = {name: self._checksum(tensor) for name, tensor in {**self.still, **self.training}.items()}
        self._reached: set[str] = set()
        self._moved: set[str] = set()

    def saw_gradients(self) -> None:
        """Note which tensors have a gradient that is not all zero; call between backward and the optimizer's step."""
        for name, tensor in self.training.items():
            if name in self._reached or tensor.grad is None:
                continue
            if bool((self._ranks.part(tensor.grad) != 0).any()):
                self._reached.add(name)

    def saw_moves(self) -> None:
        """Note which tensors have moved; call after the optimizer's step, before anything else may move them back."""
        for name, tensor in self.training.items():
            if name not in self._moved and self._checksum(tensor) != self._before[name]:
                self._moved.add(name)

    def check(self, num_steps: int) -> None:
        """Raise NotTrained with the first tensor that breaks the rule."""
        self.saw_moves()
        reached, moved = self._ranks.united(self._reached), self._ranks.united(self._moved)
        for name in self.training:
            if name not in reached:
                raise NotTrained(f"{name} should train but had no gradient in the first {num_steps} steps")
            if name not in moved:
                raise NotTrained(f"{name} should train but did not move in the first {num_steps} steps")
        changed = {name for name, tensor in self.still.items() if self._checksum(tensor) != self._before[name]}
        changed = self._ranks.united(changed)
        for name in self.still:
            if name in changed:
                raise NotTrained(f"{name} should stay frozen but has moved")

    def _checksum(self, tensor: Tensor) -> int:
        return checksum(self._ranks.part(tensor))
