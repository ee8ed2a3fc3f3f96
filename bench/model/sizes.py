"""The sizes of a model that is not loaded yet, from its checkpoint's headers and its config. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.model.families.config import family_of, reading_part
from bench.model.families.family import Family
from bench.model.families.scales import listed_size
from bench.model.source import ModelSource, read_config, weight_shapes

INNER = (
    "intermediate_size",
    "n_inner",
    "d_ff",
    "d_inner",
    "ffn_dim",
    "encoder_ffn_dim",
    "ffn_hidden_size",
    "hidden_dim",
)


@dataclass(frozen=True)
class Sizes:
    """`matrices` are the parameters in linear layers, which a frozen backbone in bf16 holds in bf16; `inner_matrices`
    those of them inside the model's layers, which int8 and nf4 hold in few bits.

    `layers` are those that a text's tokens go through: a decoder's too where it is fed the text, but not where it is
    fed two tokens.
    """

    parameters: int
    matrices: int
    layers: int
    hidden: int
    inner: int  # width of the feed-forward part
    gated: bool
    heads: int
    largest: int = 0  # elements of the largest tensor
    inner_matrices: int = 0


@cache
def model_sizes(model: ModelSource) -> Sizes | None:
    """From the checkpoint's headers and its config, or for a model of a scale family from its list; None if unknown."""
    config = read_config(model)
    family, part = family_of(config), reading_part(config)
    shapes = weight_shapes(model)
    if shapes is not None:
        counts = list(map(math.prod, shapes.values()))
        parameters, largest = sum(counts), max(counts, default=0)
        of_linear = {name: math.prod(shape) for name, shape in shapes.items() if _is_matrix(name, shape, family)}
        matrices = sum(of_linear.values())
        inner = sum(count for name, count in of_linear.items() if _in_a_layer(name))
    else:
        parameters, matrices, inner, largest = listed_size(model.path) or 0, 0, 0, 0
        if not parameters:
            return None
    hidden = _first(part, "hidden_size", "d_model", "n_embd", "dim")
    return Sizes(
        parameters=parameters,
        matrices=matrices,
        layers=model.layers + (_decoder_layers(config) if family.decoder and not family.sentinel else 0),
        hidden=hidden,
        inner=_first(part, *INNER) or 4 * hidden,
        # families with grouped heads have gated feed-forward parts too
        gated="num_key_value_heads" in part or str(part.get("feed_forward_proj")).startswith("gated"),
        heads=_first(part, "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
        largest=largest,
        inner_matrices=inner,
    )


def _is_matrix(name: str, shape: tuple[int, ...], family: Family) -> bool:
    """Whether a tensor is the weight of an nn.Linear."""
    tables = ("embeddings", "embedding.", "embed_", "wte", "wpe", "shared.weight", "relative_attention_bias")
    experts = (".experts.", ".gate.weight")  # a layer's experts and what chooses them are tensors of their own
    linear = ("embed_out", "embeddings_project", "embedding_transformation")  # called after what they stand beside
    excluded = any(mark in name.lower() for mark in tables + experts) and not any(mark in name for mark in linear)
    return len(shape) == 2 and name.endswith("weight") and not excluded and not family.conv1d


def _in_a_layer(name: str) -> bool:
    """Whether a tensor belongs to a numbered layer, not to what stands before or after them."""
    return any(part.isdigit() for part in name.split("."))


def _decoder_layers(config: Mapping[str, Any]) -> int:
    part = config.get("decoder")
    return _first(part, "num_hidden_layers") if isinstance(part, Mapping) else _first(config, "decoder_layers")


def _first(config: Mapping[str, Any], *names: str) -> int:
    return next((int(config[name]) for name in names if isinstance(config.get(name), int)), 0)
