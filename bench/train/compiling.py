"""Whether a backbone's layers are compiled, by what a plan has left to run on it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.model.backbone import Backbone
from bench.model.compile_price import worth_compiling
from bench.model.compiled import compile_layers
from bench.model.precisions import QUANTIZED
from bench.resolved import ResolvedCell
from bench.train.lane import budget_steps
from bench.train.options import Options
from bench.train.run_data import RunData


def decide(backbone: Backbone, options: Options, left: Sequence[ResolvedCell], data: RunData) -> None:
    """Compile a backbone's layers where that is asked for or pays, once for each backbone; `left` are the cells that
    are still to run on its model, or on a copy of it, which would use the same code.

    Layers whose activations are made again in the backward pass stay as they are, those on several devices, and those
    of quantised matrices: bitsandbytes' kernels take most of what a step costs beside the products, and code cannot
    reach into them.
    """
    if backbone.compiled is not None:
        return
    as_they_are = options.checkpointing or len(backbone.devices) > 1 or backbone.precision in QUANTIZED
    asked = "off" if as_they_are else options.compile
    if asked == "auto":
        tokens = sum(num_tokens(resolved, data, backbone) for resolved in left)
        parameters = sum(weight.numel() for weight in backbone.encoder.parameters())
        parameters -= sum(weight.numel() for weight in backbone.embeddings.parameters())
        asked = "on" if worth_compiling(backbone.device.type, parameters, tokens) else "off"
    backbone.compiled = asked == "on" and compile_layers(backbone) > 0


def num_tokens(resolved: ResolvedCell, data: RunData, backbone: Backbone) -> int:
    """About how many tokens a cell puts through the model while it trains."""
    if not resolved.method.trains:
        return 0
    of_cell = data.of(resolved, backbone)
    rows = budget_steps(resolved.cell.budget, of_cell) * resolved.cell.budget.batch_size
    return rows * sum(item.num_tokens for item in of_cell.train) // max(1, len(of_cell.train))
