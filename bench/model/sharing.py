"""Does a change by rows give what changing the model gives? Shown once for each backbone and place of change.

A family may read a bias without its module's forward pass, call a module on what all rows share, or send rows through
it in an order of its own. No list of families says so; two short rows, each with values of its own, do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.data.rows import Row
from bench.errors import CannotShare, is_out_of_memory
from bench.model.backbone import Backbone
from bench.model.changes import install, rows_first
from bench.model.layers import uncompiled
from bench.model.precisions import computed_in
from bench.model.probe import Probe
from bench.model.prompts import Prompts
from bench.model.sites import LowRank, Sites
from bench.task import Task

TOLERANCE = {"fp32": 1e-3, "bf16": 0.1}  # of what the change does to the states, both as root mean squares
SIZE = 0.3  # standard deviation of what is added to scales and biases


@dataclass(frozen=True)
class ChangedModel:
    """The same model with the change in its own modules: `tensors` are its parameters that make it, by name."""

    backbone: Backbone
    tensors: Mapping[str, Tensor]


def check_sharing(backbone: Backbone, task: Task, sites: Sites, model: ChangedModel) -> None:
    """CannotShare with the reason unless rows of many lanes, changed at these sites, give what the changed model gives.

    The model's tensors have other values afterwards.
    """
    install(backbone.model, sites)
    decodes = backbone.decoder is not None and not task.reads_tokens
    key = (sites, decodes)
    if key not in backbone.sharing:
        backbone.sharing[key] = _difference(backbone, decodes, sites, model)
    if backbone.sharing[key]:
        raise CannotShare(backbone.sharing[key])


@torch.no_grad()
def _difference(backbone: Backbone, decodes: bool, sites: Sites, model: ChangedModel) -> str:
    """What is not the same, or nothing."""
    ours, theirs = (Probe(each, backbone.positions) for each in (backbone, model.backbone))
    rows = ours.fed if decodes else [ours.short, ours.long]
    values = [_drawn(sites, model.tensors, seed) for seed in range(len(rows))]
    try:
        plain = _seen(ours, rows, sites)
        found = _seen(ours, rows, sites, [_prompts(of_row, sites, backbone.device) for of_row in values])
        expected = [_changed(theirs, rows, sites, model.tensors, of_row)[at] for at, of_row in enumerate(values)]
    except Exception as error:  # each family breaks in its own way
        if is_out_of_memory(error):
            raise
        return f"it does not run with a change of its own for each row ({' '.join(str(error).split())[:160]})"
    for of_row in zip(plain, expected, found, strict=True):
        if len({len(places) for places in of_row}) > 1:
            return "changed by row other modules run"
        for at, (before, after, row) in enumerate(zip(*of_row, strict=True)):
            off, effect = (_size(part.float() - after.float()) for part in (row, before))
            if not off <= TOLERANCE[computed_in(backbone.precision)] * effect:
                where = "its states are" if at == 0 else "what a module gives is"
                return f"changed by row {where} off by {off:.1g}, where the change is {effect:.1g}"
    return ""


def _changed(
    probe: Probe, rows: list[Row], sites: Sites, tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]
) -> list[list[Tensor]]:
    for name, tensor in tensors.items():
        tensor.data = values[name]  # not in place: the memory may be the backbone's
    return _seen(probe, rows, sites)


def _seen(probe: Probe, rows: list[Row], sites: Sites, prompts: Sequence[Prompts] = ()) -> list[list[Tensor]]:
    """By row its states, and what the module of each site gives for it: where one site of many is wrong the states of a
    deep model in bf16 do not tell it from rounding.
    """
    backbone, given = probe.backbone, list[Tensor]()
    modules = [backbone.model.get_submodule(path) for path, _ in sites]
    hooks = [module.register_forward_hook(lambda *call: given.append(call[-1])) for module in modules]
    try:
        with uncompiled(), backbone.autocast():  # which keeps what it has cast of a parameter until it ends
            states = probe.states(rows, prompts)
    finally:
        for hook in hooks:
            hook.remove()
    by_row = [rows_first(part, len(rows), backbone.family.query_stream) for part in given]
    return [[of_row, *(part[at] for part in by_row)] for at, of_row in enumerate(states)]


def _drawn(sites: Sites, tensors: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Values that change every site visibly, from a generator of their own."""
    generator = torch.Generator().manual_seed(seed)
    factors = {name for _, change in sites if isinstance(change, LowRank) for name in (change.down, change.up)}
    drawn = {}
    for name, tensor in tensors.items():
        noise = torch.randn(tensor.shape, generator=generator)
        noise = noise / tensor.shape[-1] ** 0.5 if name in factors else SIZE * noise
        drawn[name] = noise.to(tensor.device) if name in factors else tensor.detach() + noise.to(tensor.device)
    return drawn


def _prompts(values: Mapping[str, Tensor], sites: Sites, device: torch.device) -> Prompts:
    return Prompts(changes={name: value.to(device) for name, value in values.items()}, sites=sites)


def _size(states: Tensor) -> float:
    return float(states.square().mean().sqrt())
