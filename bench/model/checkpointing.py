"""Activation checkpointing: a layer's activations are made again in the backward pass instead of being kept.

transformers' own switch wants layers in training mode, which turns their dropout on; the backbone stays in eval mode
here. Prefixes, changes by row and draws of dropout come from contexts (bench.model.attention, changes, inner_dropout),
which are gone by the time of the backward pass, so that each layer's second run opens them again.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from bench.model import attention, changes, inner_dropout
from bench.model.attention import LayerForward
from bench.model.families.family import Family
from bench.model.layers import layers_of


def checkpoint_layers(model: nn.Module, family: Family) -> int:
    """Let every layer of a model keep its inputs only; returns how many layers that are. ValueError when none is found.

    Scores and gradients stay what they are, bit for bit on a CPU; a step takes about a third more time.
    """
    layers = layers_of(model, family)
    if not layers:
        raise ValueError("--checkpointing finds no layers in it")
    for layer in layers:
        assert isinstance(layer.forward, LayerForward)
        inner: Any = layer.forward.inner
        layer.forward.inner = types.MethodType(_recomputed(inner.__func__), layer)
    return len(layers)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    """A method in the place of `forward`, whose layer is an argument, so that a copy of a layer runs itself."""

    def run(layer: nn.Module, *arguments: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(layer, *arguments, **options)
        again = inner_dropout.reopened(attention.reopened(changes.reopened(forward)))
        return checkpoint(again, layer, *arguments, use_reentrant=False, **options)

    return run
