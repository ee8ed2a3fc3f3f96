"""How to run: nothing that changes a number."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench.cell import Compile
from bench.model.backbone import Backbone
from bench.model.memory import default_token_budget


@dataclass(frozen=True)
class Options:
    """Where cells run, and how many of them together."""

    device: torch.device
    max_lanes: int = 8
    token_budget: int | None = None  # default: by the backbone's width and the device
    save_tuned: bool = True
    checkpointing: bool = False  # make activations again in the backward pass: less memory, more time
    compile: Compile = "auto"  # run layers compiled: minutes at first, less time after (bench.train.compiling)

    def tokens_for(self, backbone: Backbone) -> int:
        """Tokens of a micro-batch."""
        return self.token_budget or default_token_budget(backbone.geometry.hidden, backbone.device)
