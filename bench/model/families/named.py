"""The families that are not all as their architecture says. Nothing outside this room names one. No torch here.

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

from dataclasses import replace

from bench.model.families.family import DECODER, ENCODER, Family

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
    "albert": Family(layer_class="AlbertLayer"),  # one for all depths
    "gpt2": replace(DECODER, conv1d=True),
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
    "gpt_neox", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi", "phi3",
    "olmo", "olmo2", "stablelm", "starcoder2", "glm", "glm4", "cohere", "granite", "smollm3",
}  # fmt: skip
AFTER_PADDING = (
    "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "data2vec-text", "xmod", "ibert",
    "luke", "longformer", "mpnet",
)  # positions count from the padding index + 1  # fmt: skip
