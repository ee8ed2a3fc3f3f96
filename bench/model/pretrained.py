"""From a checkpoint on disk to transformers' objects: config, tokenizer, model.

Code of a checkpoint's own runs where its source says so (`ModelSource.code`), and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging

from bench.data.specials import Reader
from bench.errors import UnfitModel, UsageError, is_out_of_memory, with_memory_to
from bench.model import attention
from bench.model.bounded import bounded
from bench.model.families.config import decoder_start, family_of, refuse
from bench.model.families.family import Direction, Family
from bench.model.families.written import write_attention
from bench.model.layers import layers_of
from bench.model.matrices import declared, undeclared
from bench.model.proof import Proof, Way
from bench.model.source import ModelSource, weight_shapes
from bench.model.spread import layer_devices, take_over
from bench.model.trust import NEEDS_CODE

# A checkpoint's names for the weights of its text part, beside other parts, as that part names them alone.
PART_NAMES = {r"^(?:model\.)?language_model\.(?:model\.)?(?!lm_head)": "model.", r"^language_model\.lm_head": "lm_head"}
PIECES = (
    "its tokenizer is a SentencePiece or tiktoken file, which needs a package: pip install sentencepiece protobuf "
    "tiktoken; or give it a tokenizer.json"
)
PANIC = "PanicException"  # of Rust, which tokenizers is written in; its class cannot be imported
UNKNOWN = "does not recognize this architecture"
_ASKS_FOR_CODE = ("trust_remote_code", "custom code")

logging.set_verbosity_error()  # unused pooler and head weights are expected here
logging.disable_progress_bar()
# PEFT imports it where it is installed; what it lacks is said by who uses it (bench.model.quantized)
logging.get_logger("bitsandbytes").setLevel(logging.log_levels["error"])


def _options(source: ModelSource) -> dict[str, Any]:
    """What is said to transformers whatever is loaded. Without a word on code it would ask on the terminal."""
    return {"revision": source.revision, "trust_remote_code": bool(source.code)}


def load_config(source: ModelSource) -> Any:
    """A checkpoint's config; UsageError when transformers does not know it, or its family cannot be used."""
    with loading(source):
        config = AutoConfig.from_pretrained(source.path, **_options(source))
        try:
            refuse(config.to_dict())
        except ValueError as error:
            raise UnfitModel(str(error)) from error
        return config


def load_tokenizer(source: ModelSource) -> Any:
    """A checkpoint's tokenizer, with a look at its config first; UsageError when transformers knows either not."""
    load_config(source)
    with loading(source):
        try:
            tokenizer = AutoTokenizer.from_pretrained(source.path, **_options(source))
        except (ImportError, ValueError) as error:
            if "sentencepiece" in str(error).lower() or "tiktoken" in str(error):  # what transformers reads them with
                raise ValueError(PIECES) from error
            raise
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError("its tokenizer does not say which characters a token stands for (no tokenizer.json)")
        return tokenizer


def family_for(config: dict[str, Any], proof: Proof | None) -> Family:
    """The family a config describes; where the model has shown that it reads another way, that one."""
    family = family_of(config)
    return family if proof is None else reading(family, proof.direction)


def reading(family: Family, direction: Direction) -> Family:
    """The family as it is when its tokens see the way they do."""
    if direction == family.direction:
        return family
    return replace(family, direction=direction, words="CausalLM" if direction == "left" else "MaskedLM")


def reader_for(config: dict[str, Any], family: Family) -> Reader:
    start = decoder_start(config) if family.decoder else None
    wraps = bool(family.decoder) and not family.start
    return Reader(
        causal=family.direction == "left", start=0 if wraps else start, sentinel=family.sentinel, wraps=wraps,
        wordless=bool(family.wordless),
    )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where weights go, and `half`: whether matrices come in bf16 (bench.model.matrices).

    On several devices the layers are spread over them (bench.model.spread).
    """

    devices: tuple[torch.device, ...] = (torch.device("cpu"),)
    half: bool = False


ON_CPU = Place()


def load_model(
    source: ModelSource, family: Family, way: Way, with_words: bool, place: Place = ON_CPU
) -> tuple[nn.Module, str]:
    """The model (safetensors only, fp32, without gradients), and why it has no language-model head.

    Weights come to their place one by one, each as it is to be there, without a whole copy in main memory. The reason
    is empty where the model has a head. Without `with_words` it is not looked for. UsageError when transformers cannot
    load the model.
    """
    reason = ""
    with loading(source):
        if with_words:
            try:
                auto_class: Any = getattr(transformers, f"AutoModelFor{family.words}")
                model, missing = _from_pretrained(auto_class, source, family, way, place)
            except ValueError as error:
                if "Unrecognized configuration class" not in str(error):
                    raise
                reason = "transformers has no class with that head for its family"
            else:
                base_name = f"{model.base_model_prefix}."
                if missing and not any(name.startswith(base_name) for name in missing):
                    reason = _lacking(missing, "its language-model head is made of")
        if reason or not with_words:
            model, missing = _from_pretrained(AutoModel, source, family, way, place)
        if missing:  # transformers would draw them at random and go on
            raise ValueError(_lacking(missing, "its config describes"))
        if way == "written" and write_attention(model) != model.config.num_hidden_layers:
            raise ValueError("its attention layers are not the ones this version knows")
        attention.know_layers(layers_of(model, family))
    if getattr(model.base_model, "pooler", None) is not None:
        model.base_model.pooler = _NoPooler()  # heads read states; an unused pooler would count as parameters
    return model.requires_grad_(False).eval(), reason


class _NoPooler(nn.Module):
    """In the place of a pooler, which some families call, and go on from, whether it is there or not."""

    def forward(self, states: Any, *_: Any, **__: Any) -> Any:
        return states


def _from_pretrained(
    auto_class: Any, source: ModelSource, family: Family, way: Way, place: Place
) -> tuple[Any, list[str]]:
    """The model, and the weights it wants that the checkpoint lacks."""
    config, home = load_config(source), place.devices[0]
    options = {"key_mapping": PART_NAMES} if family.part else {}
    if family.part:
        config = getattr(config, family.part)
    kind, places = auto_class, {"": home}
    if place.half or len(place.devices) > 1:
        with bounded(weight_shapes(source)):
            kind, places = _laid_out(auto_class, config, family, place, bool(source.code))
    with bounded(weight_shapes(source)):
        model, report = kind.from_pretrained(
            source.path,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=attention.NAME if way == "interface" else "eager",
            output_loading_info=True,
            device_map=None if home.type == "cpu" else places,
            **_options(source),
            **options,
        )
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ValueError("an adapter lies beside it (adapter_config.json); give a model alone, or merge them")
    if place.half:
        undeclared(model)
    if len(place.devices) > 1:
        take_over(model, family, places)
    return model, [name for name in sorted(report["missing_keys"]) if "pooler." not in name]


def _laid_out(
    auto_class: Any, config: Any, family: Family, place: Place, own_code: bool
) -> tuple[Any, dict[str, torch.device]]:
    """The class that loads a model to its place, and by name of a part its device, from a model without weights."""
    with torch.device("meta"):
        blank = auto_class.from_config(config, dtype=torch.float32, trust_remote_code=own_code)
        kind: Any = type(blank)
        if place.half:
            kind = declared(kind)
            blank = kind(blank.config)
    return kind, layer_devices(blank, family, place.devices)


def _lacking(missing: list[str], what: str) -> str:
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"its weights lack {missing[0]}{more} of what {what}"


@contextmanager
def loading(source: ModelSource) -> Iterator[None]:
    """Within the block whatever transformers raises becomes one line, which names the model."""
    with with_memory_to(f"load model {source.path}"):
        try:
            yield
        except BaseException as error:  # transformers, tokenizers, safetensors and the hub client each have their own
            if is_out_of_memory(error) or (not isinstance(error, Exception) and type(error).__name__ != PANIC):
                raise
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            if "ignore_mismatched_sizes" in reason:
                reason = "its weights are of other sizes than its config describes"
            if any(mark in str(error) for mark in _ASKS_FOR_CODE):
                raise UnfitModel(NEEDS_CODE) from error
            if isinstance(error, UnfitModel) or UNKNOWN in reason:
                raise UnfitModel(reason) from error
            raise UsageError(f"model {source.path} cannot be loaded: {reason}") from error
