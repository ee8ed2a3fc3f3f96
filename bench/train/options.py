"""How to run: nothing that changes a number."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.cell import Compile
from bench.resolved import ResolvedCell
from bench.train.memory import fitting_tokens


@dataclass(frozen=True)
class Options:
    """Where cells run, and how many of them together.

    `others` are the further devices of this worker: a frozen backbone's layers are spread over all of them, and what
    heads and prompts have lies on `device`.
    """

    device: torch.device
    max_lanes: int = 8
    token_budget: int | None = None  # default: by the backbone's width and the device
    save_tuned: bool = True
    checkpointing: bool = False  # make activations again in the backward pass: less memory, more time
    compile: Compile = "auto"  # run layers compiled: minutes at first, less time after (bench.train.compiling)
    others: tuple[torch.device, ...] = ()

    def tokens_for(self, resolved: ResolvedCell, shared: bool = True) -> int:
        """Tokens of a micro-batch of cells like this one, their model being loaded; `shared` as in check_memory."""
        return self.token_budget or fitting_tokens(resolved, self.devices, self.checkpointing, shared)

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """All of this worker's devices."""
        return (self.device, *self.others)


def default_lanes(device: torch.device) -> int:
    """Most cells in a loop. A GPU takes a step of twenty in little more than one's time; a processor gains nothing, and
    fewer cells are lost when a loop is interrupted.
    """
    return 32 if device.type == "cuda" else 8
