"""What the harness must know of a model's family. Nothing outside this room names one. No torch here.

Encoders read both ways and have a mask token; decoders read to the left, so a sequence is judged at its last token and
a verbalizer scores the next one. A family that is not named here is what the architecture in its config says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["both", "left"]


@dataclass(frozen=True)
class Family:
    """`direction`: what a token sees. `attention`: "interface" where prefixes enter through the attention function
    that transformers lets a program register, "written" where this room writes the family's attention anew.
    `mixes_neighbours`: embeddings are mixed with those beside them, so that padding must be embedded as zero.
    `inside`: the part of the base model that its language-model class calls directly.
    """

    direction: Direction = "both"
    attention: Literal["interface", "written"] = "interface"
    mixes_neighbours: bool = False
    inside: str = ""


ENCODER, DECODER = Family(), Family(direction="left")
NAMED: dict[str, Family] = {
    "mpnet": Family(attention="written"),
    "deberta-v2": Family(attention="written"),
    "mobilebert": Family(mixes_neighbours=True),
    "opt": Family(direction="left", inside="decoder"),
}
# Bare models (no head in `architectures`) of these families are decoders.
DECODERS = {
    "gpt2", "gpt_neo", "gpt_neox", "gptj", "bloom", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma",
    "gemma2", "gemma3_text", "phi", "phi3", "olmo", "olmo2", "falcon", "stablelm", "starcoder2", "glm", "glm4",
    "cohere", "granite", "smollm3",
}  # fmt: skip
AFTER_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet")  # positions count from the padding index + 1
LEFT_ONLY = ("ForCausalLM", "LMHeadModel")
BOTH_WAYS = ("ForMaskedLM", "ForPreTraining")
UNSUPPORTED = {
    "xlnet": "its attention takes prefixes in a form of its own",
    "t5": "encoder–decoder models are not supported yet",
    "bart": "encoder–decoder models are not supported yet",
}


def family_of(config: Mapping[str, Any]) -> Family:
    """The family of a checkpoint, from its config.json."""
    name = str(config.get("model_type"))
    if name in NAMED:
        return NAMED[name]
    architectures = tuple(config.get("architectures") or ())
    if any(each.endswith(BOTH_WAYS) for each in architectures):
        return ENCODER
    if name in DECODERS or any(each.endswith(LEFT_ONLY) for each in architectures):
        return DECODER
    return ENCODER


def first_position(config: Mapping[str, Any]) -> int:
    """The row of the position table that a text's first token takes."""
    name = str(config.get("model_type"))
    padding = 1 if name == "mpnet" else int(config.get("pad_token_id") or 0)  # MPNet's is 1 whatever its config says
    return padding + 1 if name in AFTER_PADDING else 0


def refuse(config: Mapping[str, Any]) -> None:
    """ValueError with the reason when a family is known not to work."""
    reason = UNSUPPORTED.get(str(config.get("model_type")))
    if reason:
        raise ValueError(f"models of the family {config['model_type']} cannot be used: {reason}")
