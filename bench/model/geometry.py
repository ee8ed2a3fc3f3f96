"""The sizes of a loaded model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.model.families.config import expert_share, num_kv_heads, runs_of_a_layer
from bench.model.proof import Proof
from bench.model.quantized import QuantizedLinear


@dataclass(frozen=True)
class Geometry:
    """Sizes that methods need. `parameters` counts the backbone as loaded, tied weights once.

    `embedding` is the width of word embeddings, which some families widen to `hidden` afterwards. Of an encoder–decoder
    `layers`, `kv_heads` and `head_size` are the encoder's, where prompts enter. `prefixed` are the layers, from 0, that
    take a prefix: all, but of hybrids those that have attention.
    """

    layers: int
    prefixed: tuple[int, ...]
    kv_heads: int
    head_size: int
    hidden: int
    embedding: int
    parameters: int


def geometry_of(model: Any, config: Any, proof: Proof | None) -> Geometry:
    """`config` is of the part that reads the text."""
    heads = getattr(config, "num_attention_heads", None) or 1  # state-space models have none
    layers = config.num_hidden_layers
    return Geometry(
        layers=layers,
        prefixed=proof.layers if proof else tuple(range(layers)),
        kv_heads=(proof.kv_heads if proof else 0) or num_kv_heads(config) or heads,
        head_size=(proof.head_size if proof else 0) or getattr(config, "head_dim", None) or config.hidden_size // heads,
        hidden=config.hidden_size,
        embedding=model.base_model.get_input_embeddings().weight.shape[1],
        parameters=sum(weight.numel() for weight in (*model.parameters(), *dict(_matrices(model)).values())),
    )


def token_weights(part: nn.Module, config: Any) -> Iterator[tuple[Tensor, float]]:
    """The parameters that a token is multiplied with in a part of a model, each with how often that happens.

    Embedding tables are looked up, and left out. A layer that serves several depths is run as often, and of a mixture's
    experts a token takes a few.
    """
    runs, taken = runs_of_a_layer(config), expert_share(config)
    tables = {id(module.weight) for module in part.modules() if isinstance(module, nn.Embedding)}
    for name, weight in (*part.named_parameters(), *_matrices(part)):
        if id(weight) not in tables:
            yield weight, runs * (taken if ".experts." in name else 1.0)


def _matrices(part: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Quantised matrices, which are no parameters, by name: shapes without numbers."""
    for name, module in part.named_modules():
        if isinstance(module, QuantizedLinear):
            yield f"{name}.weight", torch.empty(module.out_features, module.in_features, device="meta")
