"""Did it train? Every tensor that should train has had a gradient and has moved, and nothing else has."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

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
    itself whether it has a gradient (bench.train.search): they are not asked to move.
    """

    def __init__(self, training: Mapping[str, Tensor], still: Mapping[str, Tensor]) -> None:
        self.training = {name: tensor for name, tensor in training.items() if tensor.is_floating_point()}
        self.still = dict(still)
        self._before = {name: checksum(tensor) for name, tensor in {**self.still, **self.training}.items()}
        self._reached: set[str] = set()
        self._moved: set[str] = set()

    def saw_gradients(self) -> None:
        """Note which tensors have a gradient that is not all zero; call between backward and the optimizer's step."""
        for name, tensor in self.training.items():
            if name not in self._reached and tensor.grad is not None and bool((tensor.grad != 0).any()):
                self._reached.add(name)

    def saw_moves(self) -> None:
        """Note which tensors have moved; call after the optimizer's step, before anything else may move them back."""
        for name, tensor in self.training.items():
            if name not in self._moved and checksum(tensor) != self._before[name]:
                self._moved.add(name)

    def check(self, num_steps: int) -> None:
        """Raise NotTrained with the first tensor that breaks the rule."""
        self.saw_moves()
        for name in self.training:
            if name not in self._reached:
                raise NotTrained(f"{name} should train but had no gradient in the first {num_steps} steps")
            if name not in self._moved:
                raise NotTrained(f"{name} should train but did not move in the first {num_steps} steps")
        for name, tensor in self.still.items():
            if checksum(tensor) != self._before[name]:
                raise NotTrained(f"{name} should stay frozen but has moved")
