"""What the harness must know of a model's family. Nothing outside this room names one. No torch here.

Encoders read both ways and have a mask token; decoders read to the left, so a sequence is judged at its last token and
a verbalizer scores the next one. A family that is not named here is what the architecture in its config says.

An encoder–decoder reads the text with its encoder, and prompts enter there. Tags and spans are read off the encoder.
What is one thing of the whole text (a class, a candidate) is read off the decoder, at the first step that says
something of the text: the decoder is fed what comes before the masked word in the output that the family was pretrained
to give for the masked text, the word is scored next, and a candidate of several tokens is fed on token by token. T5
(Raffel et al. 2020, arXiv:1910.10683, section 3.1.4) has the sentinel <extra_id_0> for [MASK] and says it before the
word: it is fed the start token and the sentinel. BART (Lewis et al. 2020, arXiv:1910.13461, section 2) says the whole
text again: it is fed the start token and the text before [MASK], one mask standing for all of a candidate's tokens. A
linear head reads the same place, without a word: after start and sentinel, or after start and the text's first special
token.

XLNet (Yang et al. 2019, arXiv:1906.08237, sections 2.2 and 2.3) says a word from its query stream, which does not see
the token that stands there, as no other token does: so do we at [MASK]. All else is read off the content stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["both", "left"]
Words = Literal["MaskedLM", "CausalLM", "Seq2SeqLM"]


@dataclass(frozen=True)
class Family:
    """`direction`: what a token sees. `attention`: "interface" where prefixes enter through the attention function
    that transformers lets a program register, "written" where this room writes the family's attention anew.
    `words`: which of transformers' Auto classes has the language-model head. `mixes_neighbours`: embeddings are mixed
    with those beside them, so that padding must be embedded as zero. `inside`: the part of the base model that its
    language-model class calls directly, or that reads the text; `decoder`: the part that says it. `sentinel`: the token
    that stands for a masked word where no mask token does. `positions`: whether absolute positions are an argument of
    the model, are counted inside it, or are not there (`relative`, and so without a limit, whatever its config says).
    `types`: whether it takes token types that its config does not count. `query_stream`: words are said by a second
    stream, which alone reaches the weights in `saying`.
    """

    direction: Direction = "both"
    attention: Literal["interface", "written"] = "interface"
    words: Words = "MaskedLM"
    mixes_neighbours: bool = False
    inside: str = ""
    decoder: str = ""
    sentinel: str = ""
    positions: Literal["argument", "inside", "relative"] = "argument"
    types: bool = False
    query_stream: bool = False
    saying: tuple[str, ...] = ()


ENCODER, DECODER = Family(), Family(direction="left", words="CausalLM")
NAMED: dict[str, Family] = {
    "mpnet": Family(attention="written"),
    "deberta-v2": Family(attention="written"),
    "mobilebert": Family(mixes_neighbours=True),
    "opt": Family(direction="left", words="CausalLM", inside="decoder"),
    "t5": Family(words="Seq2SeqLM", inside="encoder", decoder="decoder", sentinel="<extra_id_0>", positions="relative"),
    "bart": Family(words="Seq2SeqLM", inside="encoder", decoder="decoder", positions="inside"),
    "xlnet": Family(
        attention="written", words="CausalLM", positions="relative", types=True, query_stream=True, saying=("mask_emb",)
    ),
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
    name = str(config.get("model_type"))
    if config.get("is_encoder_decoder") and not family_of(config).decoder:
        known = " and ".join(each for each, family in NAMED.items() if family.decoder)
        raise ValueError(f"models of the family {name} cannot be used: of encoder–decoders this version knows {known}")
