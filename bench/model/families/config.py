"""What a checkpoint's config says, with what is known of its family. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.model.families.family import DECODER, ENCODER, Family
from bench.model.families.named import AFTER_PADDING, DECODERS, NAMED

LEFT_ONLY = ("ForCausalLM", "LMHeadModel")
BOTH_WAYS = ("ForMaskedLM", "ForPreTraining")


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint, from its config.json."""
    model_type = str(config.get("model_type"))
    if model_type in NAMED:
        return NAMED[model_type]
    architectures = tuple(config.get("architectures") or ())
    if any(name.endswith(BOTH_WAYS) for name in architectures):
        return ENCODER
    if model_type in DECODERS or any(name.endswith(LEFT_ONLY) for name in architectures):
        return DECODER
    return ENCODER


def first_position(config: Mapping[str, Any]) -> int:
    """The row of the position table that a text's first token takes."""
    name = str(config.get("model_type"))
    padding = 1 if name == "mpnet" else int(config.get("pad_token_id") or 0)  # MPNet's is 1 whatever its config says
    return padding + 1 if name in AFTER_PADDING else 0


def reading_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that describes what reads the text, where it has parts."""
    parts = (config.get(name) for name in ("text_config", "encoder"))
    return next((part for part in parts if isinstance(part, Mapping)), config)


def most_positions(config: Mapping[str, Any]) -> int:
    """The rows of the shortest table of absolute positions; 0 where there is none, or it has no end."""
    if family_of(config).positions == "relative":
        return 0
    config = reading_part(config)
    names = (
        "max_encoder_position_embeddings",
        "max_decoder_position_embeddings",
    )  # of LED; the shorter is the decoder's
    tables = [int(config[name]) for name in names if config.get(name)]
    return min(tables) if tables else int(config.get("max_position_embeddings") or config.get("n_positions") or 0)


def decoder_start(config: Mapping[str, Any]) -> int | None:
    """The first token a decoder is fed; None where its tokenizer has it."""
    family = family_of(config)
    if not family.start:
        return None
    return next((int(config[name]) for name in (family.start, "pad_token_id") if config.get(name) is not None), 0)


def num_kv_heads(config: Any) -> int:
    """Heads of keys and values in a layer, from transformers' config of the part that reads the text; 0 where they are
    as many as the queries'.
    """
    if config.model_type == "falcon":
        shares_heads = config.multi_query and not config.new_decoder_architecture
        return 1 if shares_heads else int(config.num_kv_heads)
    return int(getattr(config, "num_key_value_heads", None) or 0)


def runs_of_a_layer(config: Any) -> int:
    """How many depths a layer's weights serve, from transformers' config; 1 but for families that share layers."""
    groups = getattr(config, "num_hidden_groups", None)
    return int(config.num_hidden_layers) // int(groups) if groups else 1


def expert_share(config: Any) -> float:
    """The share of a layer's experts that a token goes through, from transformers' config; 1.0 where there are none."""
    names = ("num_local_experts", "num_experts", "n_routed_experts")
    experts = next((int(number) for name in names if (number := getattr(config, name, None))), 0)
    taken = int(getattr(config, "num_experts_per_tok", None) or 0)
    return taken / experts if experts and taken else 1.0


def refuse(config: Mapping[str, Any]) -> None:
    """ValueError with the reason when a family is known not to work."""
    name = str(config.get("model_type"))
    if config.get("is_encoder_decoder") and not family_of(config).decoder:
        known = ", ".join(model_type for model_type, family in NAMED.items() if family.decoder)
        raise ValueError(f"models of the family {name} cannot be used: of encoder–decoders this version knows {known}")
