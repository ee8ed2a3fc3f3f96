"""Code of layers that has just been made against the layers as they are: states and gradients of a micro-batch.

The micro-batch is of fixed size, and the code is made on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.model.layers import uncompiled
from bench.model.precisions import computed_in
from bench.model.probe import Probe
from bench.model.prompts import Prompts

if TYPE_CHECKING:
    from bench.model.backbone import Backbone

TOLERANCE = {
    "fp32": 1e-4,
    "bf16": 2e-2,
}  # of a text's states, by norm; gradients, which come twice the way, thrice that
NOTHING = 0.01  # share of all norms
# What code is made and tried on. No two of these numbers, a model's width and its heads are equal: equal sizes would be
# taken for one and the same.
ROWS, TOKENS = 17, 112
PREFIX, ALIGNED = 21, 48
"""Prompt lengths: kernels of attention want masks whose rows are multiples of 16 long, and are called otherwise if they
are not, so that there is code for either."""


def like(length: int) -> int:
    """The prompt length whose code serves prefixes of this length too."""
    return length if length < 2 else ALIGNED if length % 16 == 0 else PREFIX


def difference(backbone: Backbone, length: int, alone: bool) -> str:
    """Run a micro-batch both ways; in words how they differ by more than they may, or nothing.

    Its prefixes are of this length, its rows one where `alone`.
    """
    trial = _Trial(backbone, length, alone)
    with uncompiled():
        expected, expected_gradients = trial.run()
    found, gradients = trial.run()
    limit = TOLERANCE[computed_in(backbone.precision)]
    return _told("states", found, expected, limit) or _told("gradients", gradients, expected_gradients, 3 * limit)


def _told(what: str, found: Sequence[Tensor], expected: Sequence[Tensor], limit: float) -> str:
    """Tensors differ by more than a limit of their norms; of those that are rounding and nothing else (gradients of the
    biases of keys), by more than a limit of a hundredth of all norms together.
    """
    least = NOTHING * float(torch.stack([own.double().norm() for own in expected]).norm()) if expected else 0.0
    for mine, own in zip(found, expected, strict=True):
        if mine.dtype != own.dtype:
            return f"their {what} are {mine.dtype}, not {own.dtype}"
        by = float((mine.double() - own.double()).norm()) / max(float(own.double().norm()), least, 1e-30)
        if not by <= limit:
            return f"compiled, their {what} differ by {by:.1g} of their size, and {limit:.1g} is allowed"
    return ""


class _Trial:
    """A micro-batch of fixed size, and what trains in it."""

    def __init__(self, backbone: Backbone, length: int, alone: bool) -> None:
        self.probe = Probe(backbone, backbone.positions)
        self.draw = torch.Generator().manual_seed(0)
        self.device, geometry = backbone.device, backbone.geometry
        tokens = min(TOKENS, backbone.positions - 16) if backbone.positions else TOKENS
        slotted = not length and torch.is_grad_enabled()
        lengths = [max(2, tokens - 3 * (row % 4)) for row in range(1 if alone else ROWS)]
        self.rows = [self.probe.text(length, row, slotted) for row, length in enumerate(lengths)]
        self.prompts = Prompts()
        if length:
            shape = (len(geometry.prefixed), 2, geometry.kv_heads, length, geometry.head_size)
            self.prompts = Prompts(prefixes=self._drawn(*shape), layers=geometry.prefixed)
        elif slotted:
            self.prompts = Prompts(slots=self._drawn(1, geometry.embedding))
        given = (self.prompts.prefixes, self.prompts.slots)
        self.trained = [
            *(tensor for tensor in given if tensor is not None),
            *(weight for weight in backbone.encoder.parameters() if weight.requires_grad),
        ]

    def _drawn(self, *shape: int) -> Tensor:
        drawn = torch.randn(shape, generator=self.draw) * 0.1
        return drawn.to(self.device).requires_grad_(torch.is_grad_enabled())

    def run(self) -> tuple[list[Tensor], list[Tensor]]:
        """States of each text, and gradients of what trains, under a weight for every number of a state."""
        states = self.probe.states(self.rows, [self.prompts])
        found = [each.detach().clone() for each in states]
        if not torch.is_grad_enabled():
            return found, []
        draw = torch.Generator().manual_seed(1)  # a sum of squares would not do: a last LayerNorm makes it a constant
        weights = torch.randn(states[0].shape, generator=draw).to(self.device)
        loss = sum(((each * weights[: len(each)]).sum() for each in states), torch.zeros((), device=self.device))
        gradients = torch.autograd.grad(loss, self.trained, allow_unused=True)
        return found, [gradient for gradient in gradients if gradient is not None]
