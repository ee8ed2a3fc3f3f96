"""A model that its config makes larger than its checkpoint is stopped while it is laid out.

transformers lays a model out without memory and fills it from the checkpoint; what the checkpoint lacks it would draw.
A config that somebody broke may ask for a billion layers, or a table of a terabyte.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules import module as hooks

# Times its numbers that a checkpoint may fill: tied tables (of T5 four), a head that is not used, and all of it twice
# where a model is laid out a second time, to see where its weights belong.
TIMES = 16
TIMES_BUFFERED = 4
MORE_WEIGHTS = 1 << 20
MOST_BUFFERED = 1 << 26  # numbers in tables that are no weights (masks, sines), beside those of the checkpoint
MORE_MODULES = 2000  # what a checkpoint with few tensors may have: layers without weights, ALBERT's one for all depths


@contextmanager
def bounded(shapes: Mapping[str, tuple[int, ...]] | None) -> Iterator[None]:
    """Within the block a model may be laid out that these tensors of a checkpoint can fill. ValueError from within
    where it grows beyond; None: they are not known, and nothing is bounded.
    """
    if shapes is None:
        yield
        return
    held = sum(map(math.prod, shapes.values()))
    most = {"weights": TIMES * held + MORE_WEIGHTS, "buffers": TIMES_BUFFERED * held + MOST_BUFFERED}
    most["modules"] = 20 * len(shapes) + MORE_MODULES
    count = dict.fromkeys(most, 0)

    def note(kind: str, number: int) -> None:
        count[kind] += number
        if count[kind] > most[kind]:
            raise ValueError(f"its config describes a model of far more {kind} than its {held:,} numbers can fill")

    def parameter(module: nn.Module, name: str, value: Tensor | None) -> None:
        before = module._parameters.get(name)  # one that is filled, tied or moved takes the place of another
        note("weights", _size(value) - _size(before))

    def buffer(_: nn.Module, name: str, value: Tensor | None) -> None:
        note("buffers", _size(value))

    def part(_: nn.Module, name: str, value: nn.Module | None) -> None:
        note("modules", 1)

    handles = [
        hooks.register_module_parameter_registration_hook(parameter),
        hooks.register_module_buffer_registration_hook(buffer),
        hooks.register_module_module_registration_hook(part),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _size(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.numel()
