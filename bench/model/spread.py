"""A frozen model's layers over several devices: which lies where, and how states get from one to the next.

Layers lie in their order, about as many bytes on each device. All else (embeddings, norms, the language-model head)
lies on the first, where prompts enter and heads read: a layer elsewhere takes what it is given to its own device, and
the last one of a row of layers gives its states back. Moving rounds nothing.

accelerate's hooks would do the same at every module instead of every layer, in the place of forward functions that
others here replace too; transformers puts them there, and `take_over` removes them.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from bench.model.families.family import Family
from bench.model.layers import layers_of

Carry = Callable[[Any], Any]


def layer_devices(model: nn.Module, family: Family, devices: Sequence[torch.device]) -> dict[str, torch.device]:
    """By name of a part its device; "" is what has no other. ValueError for a model of fewer layers than devices.

    The weights may be `meta`: their dtypes and shapes are looked at.
    """
    layers = _named_layers(model, family)
    if len(layers) < len(devices):
        count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
        raise ValueError(f"it has {count}, which cannot go over {len(devices)} devices")
    ties = getattr(model, "all_tied_weights_keys", {})
    whole = sum(weight.nbytes for name, weight in model.named_parameters() if name not in ties)
    sizes = [sum(weight.nbytes for weight in layer.parameters()) for _, layer in layers]
    before, places = whole - sum(sizes), {"": devices[0]}
    for (name, _), size in zip(layers, sizes, strict=True):
        share = (before + size / 2) / whole  # of all bytes, up to the middle of this layer
        places[name] = devices[min(int(share * len(devices)), len(devices) - 1)]
        before += size
    return places


def take_over(model: nn.Module, family: Family, places: dict[str, torch.device]) -> None:
    """Let the layers of a model whose weights lie at their places carry states from device to device."""
    from accelerate.hooks import remove_hook_from_module

    remove_hook_from_module(model, recurse=True)
    for module in model.modules():
        own = vars(module).get("forward")
        if isinstance(own, types.MethodType) and own.__func__ is type(module).forward:  # what removing leaves behind
            del module.forward
    carry_states(model, family, places)


def carry_states(model: nn.Module, family: Family, places: dict[str, torch.device]) -> None:
    """Let each layer that is not on the first device take its inputs there, and the last of a row of layers return."""
    home, layers = places[""], _named_layers(model, family)
    last = {name.rpartition(".")[0]: name for name, _ in layers}  # by the list that layers stand in
    carriers = {device: _carrier(device) for device in {home, *places.values()}}
    for name, layer in layers:
        if places[name] == home:
            continue
        layer.register_forward_pre_hook(_entering(carriers[places[name]]), with_kwargs=True)
        if last[name.rpartition(".")[0]] == name:
            layer.register_forward_hook(_leaving(carriers[home]))


def numbered_devices(encoder: nn.Module, model: nn.Module, family: Family) -> dict[int, torch.device]:
    """By number of an encoder's layer, from 0, the device it lies on."""
    inside = {id(module) for module in encoder.modules()}
    layers = [layer for layer in layers_of(model, family) if id(layer) in inside]
    return {number: next(layer.parameters()).device for number, layer in enumerate(layers)}


def _named_layers(model: nn.Module, family: Family) -> list[tuple[str, nn.Module]]:
    names = {id(module): name for name, module in model.named_modules()}
    return [(names[id(layer)], layer) for layer in layers_of(model, family)]


def _entering(carry: Carry) -> Callable[..., Any]:
    def enter(_: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, Any]:
        return carry(arguments), carry(options)

    return enter


def _leaving(carry: Carry) -> Callable[..., Any]:
    def leave(_: nn.Module, arguments: tuple[Any, ...], output: Any) -> Any:
        return carry(output)

    return leave


def _carrier(device: torch.device) -> Carry:
    """What takes tensors to a device, in tuples, lists and dicts too.

    What is given to every layer (masks, positions, an encoder's states) is sent once, for as long as it lives, so that
    its gradients are added in the order in which one device would add them.
    """
    sent: Any = WeakTensorKeyDictionary()

    def carry(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.device == device:
                return value
            state = (value._version, torch.is_grad_enabled())
            known, there = sent.get(value, (None, None))
            if known != state:
                there = value.to(device)
                if there is not value and not (value.is_leaf and value.requires_grad):
                    sent[value] = (state, there)
            return there
        if type(value) in (tuple, list):
            return type(value)(carry(part) for part in value)
        if type(value) is dict:
            return {name: carry(part) for name, part in value.items()}
        return value

    return carry
