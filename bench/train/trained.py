"""Did it train? Every tensor that should train has had a gradient and has moved, and nothing else has.

A tensor that a step is too small for has not moved and is trained all the same: while the rate warms up over thousands
of steps it can lie below what is between two numbers, and the gradient of the biases of keys is nothing but rounding.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.model.ranks import ALONE, Ranks

GRADIENT = (
    1e-6  # from which on a step is of the rate's size: far above AdamW's epsilon, also where gradients are clipped
)
SPACINGS = 16  # between neighbouring numbers, that a rate comes to which cannot but move one
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

    `rates` are the learning rates by name; a tensor without one is asked to move whatever its gradient. Whole numbers
    that train are chosen by a search, which may find nothing better than what it begins with and looks itself whether
    it has a gradient (bench.train.search): they are not asked to move. Of a team of processes each watches what it
    holds, and the check is of what any has seen.
    """

    def __init__(
        self,
        training: Mapping[str, Tensor],
        still: Mapping[str, Tensor],
        ranks: Ranks = ALONE,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        self._ranks, self._rates = ranks, dict(rates or {})
        self.training = {name: tensor for name, tensor in training.items() if tensor.is_floating_point()}
        self.still = dict(still)
        self._before = {name: self._checksum(tensor) for name, tensor in {**self.still, **self.training}.items()}
        self._reached: set[str] = set()
        self._moved: set[str] = set()
        self._strong: set[str] = set()  # whose gradient was more than rounding
        self._due: set[str] = set()  # and the rate large enough for a move that shows

    def saw_gradients(self, factor: float | None = None) -> None:
        """Note which tensors have a gradient that is not all zero; call between backward and the optimizer's step.

        Before the last step that is watched with the `factor` that rates have in it: those that cannot but move by then
        are noted too.
        """
        for name, tensor in self.training.items():
            if tensor.grad is None:
                continue
            gradient = self._ranks.part(tensor.grad)
            if name not in self._reached and bool((gradient != 0).any()):
                self._reached.add(name)
            if factor is not None and name not in self._moved:
                strong = gradient.abs() >= GRADIENT
                if bool(strong.any()):
                    self._strong.add(name)
                    if self._shows(name, tensor, factor, strong):
                        self._due.add(name)

    def saw_moves(self) -> None:
        """Note which tensors have moved; call after the optimizer's step, before anything else may move them back."""
        for name, tensor in self.training.items():
            if name not in self._moved and self._checksum(tensor) != self._before[name]:
                self._moved.add(name)

    def check(self, num_steps: int) -> None:
        """Raise NotTrained with the first tensor that breaks the rule."""
        self.saw_moves()
        reached, moved, due = (self._ranks.united(each) for each in (self._reached, self._moved, self._due))
        for name in self.training:
            if name not in reached:
                raise NotTrained(f"{name} should train but had no gradient in the first {num_steps} steps")
            if name not in moved and (name in due or name not in self._rates):
                raise NotTrained(f"{name} should train but did not move in the first {num_steps} steps")
        changed = {name for name, tensor in self.still.items() if self._checksum(tensor) != self._before[name]}
        changed = self._ranks.united(changed)
        for name in self.still:
            if name in changed:
                raise NotTrained(f"{name} should stay frozen but has moved")

    def check_at_end(self, num_steps: int) -> None:
        """Raise NotTrained with a tensor that has not moved in all of the steps, where the whole rate would show and
        its gradient was more than rounding, or where nothing has moved at all.
        """
        self.saw_moves()
        moved = self._ranks.united(self._moved)
        due = self._ranks.united(
            {name for name in self._strong - moved if self._shows(name, self.training[name], factor=1.0)}
        )
        for name in self.training:
            if name in due or not moved:
                raise NotTrained(f"{name} should train but did not move in {num_steps} steps")

    def _shows(self, name: str, tensor: Tensor, factor: float, among: Tensor | None = None) -> bool:
        """Whether a step at the rate times the factor would move one of a tensor's numbers that are `among`."""
        sizes = self._ranks.part(tensor).detach().abs()
        spacings = torch.nextafter(sizes, torch.full_like(sizes, torch.inf)) - sizes
        seen = spacings * SPACINGS <= self._rates.get(name, 0.0) * factor
        return bool((seen if among is None else seen & among).any())

    def _checksum(self, tensor: Tensor) -> int:
        return checksum(self._ranks.part(tensor))
