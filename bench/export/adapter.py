"""What PEFT calls a finished cell: its config, and the tensors under PEFT's names.

Shape legend: P prompt length, L layers, A key/value heads, D head size, H hidden size.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.cell import Cell
from bench.data.specials import special
from bench.errors import UsageError
from bench.model.attachment import Attachment, LayerPrefixes, SlotPrompts
from bench.model.backbone import Backbone
from bench.model.injected import ADAPTER, Injected
from bench.model.source import find_model
from bench.resolved import ResolvedCell
from bench.task import SEP_MARK

PLAIN = "FEATURE_EXTRACTION"
TASK_TYPES = {"CausalLM": "CAUSAL_LM", "Seq2SeqLM": "SEQ_2_SEQ_LM"}  # PEFT's names; it has none for masked words


@dataclass(frozen=True, eq=False)
class Tuned:
    """A finished cell on its backbone, its stored tensors in place."""

    resolved: ResolvedCell
    backbone: Backbone
    attachment: Attachment
    tensors: dict[str, Tensor]

    @property
    def with_words(self) -> bool:
        """Whether scores are the language-model head's."""
        return self.resolved.method.head == "verbalizer"

    @property
    def base_class(self) -> str:
        """The class of transformers whose modules the adapter belongs to."""
        return f"AutoModelFor{self.backbone.family.words}" if self.with_words else "AutoModel"

    def refused(self, reason: str) -> UsageError:
        return refused(self.resolved.cell, reason)


def adapter_of(tuned: Tuned) -> tuple[Any, dict[str, Tensor]]:
    """PEFT's config and tensors; UsageError with the reason where PEFT has no equal of the cell."""
    cell, attachment, backbone = tuned.resolved.cell, tuned.attachment, tuned.backbone
    if isinstance(attachment, Injected) and attachment.exportable:
        config, tensors = _injected(tuned, attachment)
    else:
        with torch.no_grad():
            prompts = attachment.prompts()
        place = tuned.resolved.method.slots().place
        if isinstance(attachment, LayerPrefixes) and prompts.prefixes is not None:
            config, tensors = _prefixes(tuned, prompts.prefixes, prompts.offset)
        elif isinstance(attachment, SlotPrompts) and prompts.slots is not None and place == "front":
            config, tensors = _slots(tuned, prompts.slots)
        elif place == "pattern":
            raise tuned.refused("its prompt stands inside the task's pattern, PEFT's in front of the whole text")
        else:
            raise tuned.refused("PEFT has no adapter of this kind")
    source = find_model(cell.model_path)
    config.base_model_name_or_path, config.inference_mode = source.path, True
    config.revision = source.revision
    config.task_type = TASK_TYPES.get(backbone.family.words, PLAIN) if tuned.with_words else PLAIN
    return config, tensors


def _prefixes(tuned: Tuned, prefixes: Tensor, offset: int) -> tuple[Any, dict[str, Tensor]]:
    """Of prefixes (L, 2, A, P, D)."""
    import peft

    layers, _, heads, length, size = prefixes.shape
    if tuned.backbone.decoder is not None:
        raise tuned.refused("PEFT's prefixes of an encoder–decoder are in the decoder, its are in the encoder")
    if layers != tuned.backbone.geometry.layers:
        depth = tuned.backbone.geometry.layers
        raise tuned.refused(f"PEFT's prefixes are in every layer, its are in {layers} of {depth}")
    if offset != length:
        raise tuned.refused("PEFT moves the text's positions behind the prefix; train it with offset_positions=true")
    _check_types(tuned)
    fields: Any = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * size}
    config = peft.PrefixTuningConfig(num_virtual_tokens=length, num_transformer_submodules=1, **fields)
    return config, {"prompt_embeddings": prefixes.permute(3, 0, 1, 2, 4).reshape(length, -1)}


def _slots(tuned: Tuned, slots: Tensor) -> tuple[Any, dict[str, Tensor]]:
    """Of slot vectors (P, H)."""
    import peft

    _check_types(tuned)
    (length, width), geometry = slots.shape, tuned.backbone.geometry
    fields: Any = {"num_layers": geometry.layers, "num_attention_heads": geometry.kv_heads, "token_dim": width}
    fields |= {"num_transformer_submodules": 1, "prompt_tuning_init": "RANDOM"}
    scale = getattr(tuned.backbone.embeddings, "embed_scale", 1.0)  # PEFT's vectors enter as they are
    return peft.PromptTuningConfig(num_virtual_tokens=length, **fields), {"prompt_embeddings": slots * scale}


def _check_types(tuned: Tuned) -> None:
    """PEFT drops token types where there are prompts; refuse a model and form that have more than one."""
    task, backbone = tuned.resolved.task, tuned.backbone
    form = (task.pattern if tuned.with_words else task.plain) or ""
    known = special(backbone.tokenizer, backbone.reader)
    paired = SEP_MARK in form or task.facts.pairs_texts
    types = {*known.types, *known.ends[1]} if paired else {known.types[0], *known.ends[0]}
    if len(types) > 1 and backbone.has_types:
        raise tuned.refused("PEFT drops the token types that tell the task's two texts apart; a cloze form has none")


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
    return config, {
        f"base_model.model.{name.removeprefix(inside).replace(f'.{ADAPTER}', '')}": tensor
        for name, tensor in attachment.stored().items()
    }


def refused(cell: Cell, reason: str) -> UsageError:
    return UsageError(f"cell {cell.id} ({cell.label}) cannot be exported: {reason}")
