"""Code of layers that has just been made against the layers as they are: states and gradients of a micro-batch.

The micro-batch is of fixed size, and the code is made on it. Code rounds otherwise than the layers do, and how far that
moves a state is the model's: where attention is sharp, as training can make it before the code is tried, a rounding
comes out many times as large. What differs by more than usual is therefore held against the layers as they are with
what each is given moved by a rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.model.layers import layers_of, uncompiled
from bench.model.precisions import computed_in
from bench.model.probe import Probe
from bench.model.prompts import Prompts

if TYPE_CHECKING:
    from bench.model.backbone import Backbone

TOLERANCE = {"fp32": 1e-4, "bf16": 2e-2}  # of a text's states, by norm
NOTHING = 0.01  # share of all norms
ROUNDING = {"fp32": 2**-24, "bf16": 2**-9}  # of a number
ROUNDINGS = 4  # a layer's ten or so, of which each goes its own way, are together as this many of its input
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
    if not (_told("states", found, expected, limit) or _told("gradients", gradients, expected_gradients, limit)):
        return ""
    with uncompiled(), _moved(trial):
        moved, moved_gradients = trial.run()
    return _told("states", found, expected, limit, moved) or _told(
        "gradients", gradients, expected_gradients, limit, moved_gradients
    )


def _told(
    what: str, found: Sequence[Tensor], expected: Sequence[Tensor], limit: float, moved: Sequence[Tensor] | None = None
) -> str:
    """Tensors differ by more than a limit of their norms, and than a few roundings that `moved` is away by, gradients
    by more than three times that; of those that are rounding and nothing else (gradients of the biases of keys), of a
    hundredth of all norms together.
    """
    least = NOTHING * float(torch.stack([own.double().norm() for own in expected]).norm()) if expected else 0.0
    times = 3 if what == "gradients" else 1  # which come twice the way
    for mine, own, away in zip(found, expected, moved or expected, strict=True):
        if mine.dtype != own.dtype:
            return f"their {what} are {mine.dtype}, not {own.dtype}"
        size = max(float(own.double().norm()), least, 1e-30)
        by = float((mine.double() - own.double()).norm()) / size
        rounded = float((away.double() - own.double()).norm()) / size if moved else 0.0
        allowed = times * max(limit, ROUNDINGS * rounded)
        if not by <= allowed:
            return f"compiled, their {what} differ by {by:.2g} of their size, and {allowed:.2g} is allowed"
    return ""


@contextmanager
def _moved(trial: _Trial) -> Iterator[None]:
    """Within the block each layer is given states that lie a rounding beside those it was to be given."""
    backbone = trial.probe.backbone
    by = ROUNDING[computed_in(backbone.precision)]
    draw = torch.Generator().manual_seed(2)

    def move(layer: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        states = arguments[0] if arguments else options.get("hidden_states")
        if not isinstance(states, Tensor):
            return arguments, options
        share = by * (2 * torch.rand(states.shape, generator=draw) - 1)
        states = (states.float() * (1 + share.to(states.device))).to(states.dtype)
        return ((states, *arguments[1:]), options) if arguments else ((), {**options, "hidden_states": states})

    inside = {id(module) for module in backbone.encoder.modules()}
    layers = [layer for layer in layers_of(backbone.model, backbone.family) if id(layer) in inside]
    hooks = [layer.register_forward_pre_hook(move, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
