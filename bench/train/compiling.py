"""Whether a backbone's layers are compiled, by what a plan has to run on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.model.backbone import Backbone
from bench.model.compile_price import worth_compiling
from bench.model.compiled import compile_layers
from bench.model.precisions import QUANTIZED
from bench.resolved import ResolvedCell
from bench.train.groups import Group
from bench.train.lane import budget_steps
from bench.train.options import Options
from bench.train.run_data import RunData, TextModel

Place = tuple[str, str]  # a model's path and a precision


@dataclass(frozen=True)
class Compiling:
    """What the decision follows from, the same for every worker of a run: `before`, what a plan's earlier records had,
    and else `tokens`, those that all cells of the plan put through a model while they train.
    """

    tokens: Mapping[Place, int] = field(default_factory=dict)
    before: Mapping[Place, bool] = field(default_factory=dict)


def decide(backbone: Backbone, options: Options, compiling: Compiling, group: Group, data: RunData) -> None:
    """Compile a backbone's layers where that is asked for or pays, once for each backbone; a plan that does not know
    its tokens on a model has those of the group.

    Layers whose activations are made again in the backward pass stay as they are, those on several devices, and those
    of quantised matrices: bitsandbytes' kernels take most of what a step costs beside the products, and code cannot
    reach into them.
    """
    if backbone.compiled is not None:
        return
    as_they_are = options.checkpointing or len(backbone.devices) > 1 or backbone.precision in QUANTIZED
    asked = "off" if as_they_are else options.compile
    place = place_of(group.cells[0])
    if asked == "auto" and place in compiling.before:
        asked = "on" if compiling.before[place] else "off"
    if asked == "auto":
        tokens = compiling.tokens.get(place)
        if tokens is None:
            tokens = sum(num_tokens(resolved, data, backbone) for resolved in group.cells)
        parameters = sum(weight.numel() for weight in backbone.encoder.parameters())
        parameters -= sum(weight.numel() for weight in backbone.embeddings.parameters())
        asked = "on" if worth_compiling(backbone.device.type, parameters, tokens) else "off"
    backbone.compiled = asked == "on" and compile_layers(backbone) > 0


def place_of(resolved: ResolvedCell) -> Place:
    return (resolved.cell.model_path, resolved.cell.precision)


def planned_tokens(cells: Iterable[ResolvedCell], data: RunData, models: Mapping[str, TextModel]) -> dict[Place, int]:
    """By model and precision the tokens that cells put through it; `models` by path, their data being encoded."""
    tokens: dict[Place, int] = {}
    for resolved in cells:
        place = place_of(resolved)
        tokens[place] = tokens.get(place, 0) + num_tokens(resolved, data, models[resolved.cell.model_path])
    return tokens


def num_tokens(resolved: ResolvedCell, data: RunData, model: TextModel) -> int:
    """About how many tokens a cell puts through the model while it trains."""
    if not resolved.method.trains:
        return 0
    of_cell = data.of(resolved, model)
    rows = budget_steps(resolved.cell.budget, of_cell) * resolved.cell.budget.batch_size
    return rows * sum(item.num_tokens for item in of_cell.train) // max(1, len(of_cell.train))
