"""What PEFT calls a finished cell: its config, and the tensors under PEFT's names.

Shape legend: P prompt length, L layers, A key/value heads, D head size, H hidden size.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch import Tensor

from bench.export.running import base_model
from bench.export.tuned import Tuned, Written
from bench.model.attachment import Attachment, LayerPrefixes, SlotPrompts
from bench.model.families.config import first_position
from bench.model.injected import ADAPTER, Injected

PLAIN = "FEATURE_EXTRACTION"
TASK_TYPES = {"CausalLM": "CAUSAL_LM", "Seq2SeqLM": "SEQ_2_SEQ_LM"}  # PEFT's names; it has none for masked words
TYPED = "TOKEN_CLS"  # its prompts leave the text its token types, which PLAIN and CAUSAL_LM drop


def is_adapter(attachment: Attachment) -> bool:
    """Whether an attachment is of a kind that PEFT has."""
    return isinstance(attachment, Injected | LayerPrefixes | SlotPrompts)


def adapter_of(tuned: Tuned) -> Written:
    """PEFT's config and tensors; UsageError with the reason where PEFT has no equal of the cell."""
    attachment, backbone = tuned.attachment, tuned.backbone
    task_type = TASK_TYPES.get(backbone.family.words, PLAIN) if tuned.with_words else PLAIN
    first: int | None = None
    if isinstance(attachment, Injected):
        config, tensors = _injected(tuned, attachment)
    else:
        with torch.no_grad():
            prompts = attachment.prompts()
        if prompts.prefixes is not None:
            config, tensors = _prefixes(tuned, prompts.prefixes)
            first = _first_position(tuned, prompts.offset, prompts.prefixes.shape[3])
        elif prompts.slots is not None and not tuned.inside:
            config, tensors = _slots(tuned, prompts.slots)
        else:
            raise tuned.refused("its prompt stands inside the task's pattern, PEFT's in front of the whole text")
        if len(tuned.types) > 1:
            task_type = TYPED
    config.base_model_name_or_path, config.inference_mode = tuned.source.path, True
    config.revision = tuned.source.revision
    config.task_type = task_type
    return Written("adapter", config, tensors, first)


def _first_position(tuned: Tuned, offset: int, length: int) -> int | None:
    """Of `position_ids` that a caller gives: PEFT adds the length of its prefix to them. None where the positions that
    PEFT's model counts itself, behind the prefix, are those of the cell.
    """
    backbone = tuned.backbone
    if offset == length or backbone.family.positions == "relative":
        return None
    config: Any = backbone.model.config
    return first_position(config.to_dict()) + offset - length


def _prefixes(tuned: Tuned, prefixes: Tensor) -> tuple[Any, dict[str, Tensor]]:
    """Of prefixes (L, 2, A, P, D)."""
    import peft

    layers, _, heads, length, size = prefixes.shape
    if tuned.backbone.decoder is not None:
        raise tuned.refused("PEFT's prefixes of an encoder–decoder are in the decoder, its are in the encoder")
    if layers != tuned.backbone.geometry.layers:
        depth = tuned.backbone.geometry.layers
        raise tuned.refused(f"PEFT's prefixes are in every layer, its are in {layers} of {depth}")
    fields: Any = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * size}
    config = peft.PrefixTuningConfig(num_virtual_tokens=length, num_transformer_submodules=1, **fields)
    return config, {"prompt_embeddings": prefixes.permute(3, 0, 1, 2, 4).reshape(length, -1)}


def _slots(tuned: Tuned, slots: Tensor) -> tuple[Any, dict[str, Tensor]]:
    """Of slot vectors (P, H)."""
    import peft

    (length, width), geometry = slots.shape, tuned.backbone.geometry
    fields: Any = {"num_layers": geometry.layers, "num_attention_heads": geometry.kv_heads, "token_dim": width}
    fields |= {"num_transformer_submodules": 1, "prompt_tuning_init": "RANDOM"}
    scale = getattr(tuned.backbone.embeddings, "embed_scale", 1.0)  # PEFT's vectors enter as they are
    return peft.PromptTuningConfig(num_virtual_tokens=length, **fields), {"prompt_embeddings": slots * scale}


def _injected(tuned: Tuned, attachment: Injected) -> tuple[Any, dict[str, Tensor]]:
    """Tensors under PEFT's names, for the bare model or, with a verbalizer, for the one with its word scores."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    whole: Any = tuned.backbone.model
    base = whole if tuned.with_words else whole.base_model
    inside = "" if base is whole else f"{whole.base_model_prefix}."
    layers: dict[str, Any] = {name: part for name, part in base.named_modules() if isinstance(part, BaseTunerLayer)}
    config = copy.deepcopy(attachment.config)
    # by their whole names, so that PEFT finds none beside these in a model that has more around it
    config.target_modules = sorted(layers)
    if getattr(config, "feedforward_modules", None):
        config.feedforward_modules = sorted(name for name, layer in layers.items() if layer.is_feedforward)
    if not attachment.exportable:
        return config, _with_what_layers_share(tuned, attachment, config, inside)
    return config, {
        f"base_model.model.{name.removeprefix(inside).replace(f'.{ADAPTER}', '')}": tensor
        for name, tensor in attachment.stored().items()
    }


@torch.no_grad()
def _with_what_layers_share(tuned: Tuned, attachment: Injected, config: Any, inside: str) -> dict[str, Tensor]:
    """PEFT's own tensors of an adapter of which it keeps a part beside the model (VeRA's projections), once the cell's
    are in their places in it.
    """
    import peft

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = peft.get_peft_model(base_model(tuned), config)
    named = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    places = dict(named)
    for name, tensor in attachment.stored().items():
        place = places.get(f"base_model.model.{name.removeprefix(inside)}")
        if place is None or place.shape != tensor.shape:
            raise tuned.refused(f"PEFT has no place for its tensor {name}")
        place.copy_(tensor)
    tensors: dict[str, Tensor] = peft.get_peft_model_state_dict(model)
    return tensors
