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

mT5 (Xue et al. 2021, arXiv:2010.11934, section 3) and UMT5 (Chung et al. 2023, arXiv:2304.09151) are T5's kind. LED
(Beltagy et al. 2020, arXiv:2004.05150, section 7) is BART's, whose weights it began with. mBART (Liu et al. 2020,
arXiv:2001.08210, section 2.2) says the whole text again too, after the code of its language: its decoder begins with
the token that its tokenizer puts last, as its labels are shifted in pretraining. A linear head reads after the end of a
text and the code, in whichever order its tokenizer has them. Pegasus (Zhang et al. 2020, arXiv:1912.08777, section 3)
says whole sentences that were taken out, and no word of a sentence that is there; T5Gemma (Zhang et al. 2025,
arXiv:2504.06225, section 3) goes on where the text ends, or says masked spans, which of them its config does not tell.
Neither has a word for [MASK]: both have linear heads alone, read at the first step, after the start token.

XLNet (Yang et al. 2019, arXiv:1906.08237, sections 2.2 and 2.3) says a word from its query stream, which does not see
the token that stands there, as no other token does: so do we at [MASK]. All else is read off the content stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
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
    stream, which alone reaches the weights in `saying`. `unused`: weights that no loss
    reaches, as patterns of their names: fixed tables, and what a decoder that is fed one token cannot choose. `start`:
    what the config calls a decoder's first token; "" where it is the one that the tokenizer puts last. `wordless`: why
    no word can be read off it. `part`: the part of the config, and of the checkpoint, that reads text beside others.
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
    unused: tuple[str, ...] = ()
    start: str = "decoder_start_token_id"
    wordless: str = ""
    part: str = ""


ENCODER, DECODER = Family(), Family(direction="left", words="CausalLM")
_WRITTEN, _WRITTEN_DECODER = replace(ENCODER, attention="written"), replace(DECODER, attention="written")
_ENCODER_DECODER = Family(words="Seq2SeqLM", inside="encoder", decoder="decoder")
_T5 = replace(_ENCODER_DECODER, sentinel="<extra_id_0>", positions="relative")
_BART = replace(_ENCODER_DECODER, positions="inside")
_FIXED = ("*embed_positions.weight",)  # sines
_ALONE = ("*decoder.layers.*.self_attn.[qk]_proj.*",)  # one token attends to itself, whatever these are
NAMED: dict[str, Family] = {
    "mpnet": _WRITTEN,
    "roformer": replace(_WRITTEN, unused=_FIXED),
    "rembert": _WRITTEN,
    "megatron-bert": _WRITTEN,
    "big_bird": _WRITTEN,
    "deberta": _WRITTEN,
    "deberta-v2": _WRITTEN,
    "longformer": _WRITTEN,
    "mobilebert": Family(mixes_neighbours=True),
    "opt": replace(DECODER, inside="decoder"),
    "bloom": replace(_WRITTEN_DECODER, positions="relative"),
    "mpt": replace(_WRITTEN_DECODER, positions="relative"),
    "falcon": _WRITTEN_DECODER,
    "gptj": _WRITTEN_DECODER,
    "gpt_neo": _WRITTEN_DECODER,
    "gemma3": replace(DECODER, part="text_config"),
    "t5": _T5,
    "mt5": _T5,
    "umt5": _T5,
    "bart": _BART,
    "mbart": replace(_BART, start=""),
    "led": replace(_BART, attention="written"),
    "pegasus": replace(
        _BART, unused=(*_FIXED, *_ALONE), wordless="it was pretrained to say whole sentences, not a word of one"
    ),
    "t5gemma": replace(
        _ENCODER_DECODER, start="bos_token_id", unused=_ALONE,
        wordless="it was pretrained to go on where a text ends, or otherwise, which its config does not tell",
    ),
    "xlnet": Family(
        attention="written", words="CausalLM", positions="relative", types=True, query_stream=True, saying=("mask_emb",)
    ),
}  # fmt: skip
# Bare models (no head in `architectures`) of these families are decoders.
DECODERS = {
    "gpt2", "gpt_neox", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma",
    "gemma2", "gemma3_text", "phi", "phi3", "olmo", "olmo2", "stablelm", "starcoder2", "glm", "glm4",
    "cohere", "granite", "smollm3",
}  # fmt: skip
AFTER_PADDING = (
    "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "data2vec-text", "xmod", "ibert",
    "luke", "longformer", "mpnet",
)  # positions count from the padding index + 1  # fmt: skip
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


def is_reached(family: Family, name: str) -> bool:
    """Whether a loss can reach a weight, by its name."""
    return not any(fnmatchcase(name, pattern) for pattern in family.unused)


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
    found = [int(config[name]) for name in names if config.get(name)]
    return min(found) if found else int(config.get("max_position_embeddings") or config.get("n_positions") or 0)


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
        shared = config.multi_query and not config.new_decoder_architecture
        return 1 if shared else int(config.num_kv_heads)
    return int(getattr(config, "num_key_value_heads", None) or 0)


def refuse(config: Mapping[str, Any]) -> None:
    """ValueError with the reason when a family is known not to work."""
    name = str(config.get("model_type"))
    if config.get("is_encoder_decoder") and not family_of(config).decoder:
        known = ", ".join(each for each, family in NAMED.items() if family.decoder)
        raise ValueError(f"models of the family {name} cannot be used: of encoder–decoders this version knows {known}")
