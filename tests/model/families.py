"""Tiny random checkpoints of every model family, with a word-level tokenizer laid out as the family's own.

`FAMILIES[name](folder)` writes one: 2 layers, hidden 32, 4 heads (2 for keys and values where the family has groups).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tests.conftest import WORDS

Write = Callable[[Path], Path]
LAYERS, HIDDEN, HEADS, KV_HEADS, POSITIONS = 2, 32, 4, 2, 64
ENCODER_SIZES = {
    "vocab_size": len(WORDS) + 2, "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "intermediate_size": 2 * HIDDEN, "max_position_embeddings": POSITIONS, "pad_token_id": 0,
}  # fmt: skip
DECODER_SIZES = {**ENCODER_SIZES, "num_key_value_heads": KV_HEADS, "bos_token_id": 2, "eos_token_id": 3}
GROUPED = {**DECODER_SIZES, "head_dim": HIDDEN // HEADS}


def tokenizer(single: str, pair: str, mask: bool = True, types: bool = False, sentinel: bool = False) -> Any:
    """Words of tests/conftest.py, with special tokens where the templates say (tokenizers' TemplateProcessing)."""
    more = ["<s>", "</s>", *(["<extra_id_0>"] if sentinel else [])]
    inner = Tokenizer(models.WordLevel({word: at for at, word in enumerate([*WORDS, *more])}, "[UNK]"))
    inner.normalizer = normalizers.Lowercase()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [(word, inner.token_to_id(word)) for word in ("[CLS]", "[SEP]", "<s>", "</s>")]
    inner.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=special)
    names = ["input_ids", *(["token_type_ids"] if types else []), "attention_mask"]
    marks = {"mask_token": "[MASK]"} if mask else {}
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", model_input_names=names, **marks
    )


def byte_pairs() -> Any:
    """A byte-level tokenizer that knows the words whole, for the family whose tokenizer class must be of that kind."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    texts = [word.capitalize() if upper else word for word in WORDS[5:] for upper in (False, True)]
    inner.train_from_iterator([form for word in texts for form in (word, f" {word}") for _ in range(3)], trainer)
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>"
    )


BERT_LIKE = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
ROBERTA_LIKE = ("<s> $A </s>", "<s> $A </s> </s> $B </s>")
XLNET_LIKE = ("$A [SEP] [CLS]:2", "$A [SEP] $B:1 [SEP]:1 [CLS]:2")
DECODER_LIKE = ("$A", "$A $B")
BOS_LIKE = ("<s> $A", "<s> $A <s> $B")
MBART_LIKE = ("$A </s> [CLS]", "$A </s> $B </s> [CLS]")  # a language's code comes last
T5_LIKE = ("$A </s>", "$A </s> $B </s>")


def _write(folder: Path, model_class: Any, config: Any, layout: tuple[str, str] | None, **options: Any) -> Path:
    (tokenizer(*layout, **options) if layout else byte_pairs()).save_pretrained(folder)
    torch.manual_seed(0)
    model = model_class(config)
    with torch.no_grad():
        for weight in model.parameters():  # larger than usual, so that outputs of random weights differ visibly
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


def _family(model_class: str, config_class: str, layout: tuple[str, str] | None, mask: bool = True, types: bool = False,
            sentinel: bool = False, **sizes: Any) -> Write:  # fmt: skip
    def write(folder: Path) -> Path:
        config = getattr(hf, config_class)(**sizes)
        return _write(folder, getattr(hf, model_class), config, layout, mask=mask, types=types, sentinel=sentinel)

    return write


_POSITIONED = {**ENCODER_SIZES, "max_position_embeddings": POSITIONS + 1}  # positions count from the padding index + 1
_NARROW = {**ENCODER_SIZES, "embedding_size": 16}  # word embeddings are widened to the hidden size
ENCODERS: dict[str, Write] = {
    "bert": _family("BertForMaskedLM", "BertConfig", BERT_LIKE, types=True, **ENCODER_SIZES),
    "roberta": _family("RobertaForMaskedLM", "RobertaConfig", ROBERTA_LIKE, **_POSITIONED, type_vocab_size=1),
    "xlm-roberta": _family("XLMRobertaForMaskedLM", "XLMRobertaConfig", ROBERTA_LIKE, **_POSITIONED, type_vocab_size=1),
    "electra": _family("ElectraForMaskedLM", "ElectraConfig", BERT_LIKE, types=True, **_NARROW),
    "albert": _family("AlbertForMaskedLM", "AlbertConfig", BERT_LIKE, types=True, **_NARROW),
    "distilbert": _family(
        "DistilBertForMaskedLM", "DistilBertConfig", BERT_LIKE, vocab_size=len(WORDS) + 2, dim=HIDDEN, n_layers=LAYERS,
        n_heads=HEADS, hidden_dim=2 * HIDDEN, max_position_embeddings=POSITIONS, pad_token_id=0,
    ),
    "mpnet": _family("MPNetForMaskedLM", "MPNetConfig", ROBERTA_LIKE, **_POSITIONED | {"max_position_embeddings": 66}),
    "deberta-v2": _family(
        "DebertaV2ForMaskedLM", "DebertaV2Config", BERT_LIKE, types=True, **ENCODER_SIZES, relative_attention=True,
        position_buckets=16, pos_att_type=["p2c", "c2p"], position_biased_input=False, norm_rel_ebd="layer_norm",
        share_att_key=True, type_vocab_size=0, conv_kernel_size=0,
    ),
    "modernbert": _family(
        "ModernBertForMaskedLM", "ModernBertConfig", BERT_LIKE, **ENCODER_SIZES, cls_token_id=2, sep_token_id=3,
        local_attention=16, global_attn_every_n_layers=2,
    ),
    "mobilebert": _family(
        "MobileBertForMaskedLM", "MobileBertConfig", BERT_LIKE, types=True, **ENCODER_SIZES, embedding_size=16,
        intra_bottleneck_size=HIDDEN, true_hidden_size=HIDDEN, num_feedforward_networks=2,
    ),
    "roformer": _family("RoFormerForMaskedLM", "RoFormerConfig", BERT_LIKE, types=True, **_NARROW, rotary_value=False),
    "rembert": _family(
        "RemBertForMaskedLM", "RemBertConfig", BERT_LIKE, types=True, **ENCODER_SIZES, input_embedding_size=16,
        output_embedding_size=24,
    ),
    "megatron-bert": _family("MegatronBertForMaskedLM", "MegatronBertConfig", BERT_LIKE, types=True, **ENCODER_SIZES),
    "big_bird": _family(
        "BigBirdForMaskedLM", "BigBirdConfig", BERT_LIKE, types=True, **ENCODER_SIZES, block_size=4, num_random_blocks=1
    ),
    "deberta": _family(
        "DebertaForMaskedLM", "DebertaConfig", BERT_LIKE, types=True, **ENCODER_SIZES, relative_attention=True,
        pos_att_type=["c2p", "p2c"], position_biased_input=False, max_relative_positions=16, type_vocab_size=0,
    ),
    "longformer": _family(
        "LongformerForMaskedLM", "LongformerConfig", ROBERTA_LIKE, **_POSITIONED, attention_window=32, type_vocab_size=1
    ),
    "xlnet": _family(
        "XLNetLMHeadModel", "XLNetConfig", XLNET_LIKE, types=True, vocab_size=len(WORDS) + 2, d_model=HIDDEN,
        n_layer=LAYERS, n_head=HEADS, d_inner=2 * HIDDEN, pad_token_id=0,
    ),
}  # fmt: skip
_FALCON = {name: size for name, size in ENCODER_SIZES.items() if name != "intermediate_size"} | {
    "ffn_hidden_size": 2 * HIDDEN, "bos_token_id": 2, "eos_token_id": 3,
}  # fmt: skip
_GEMMA3 = {**GROUPED, "sliding_window": 16, "sliding_window_pattern": 2}
DECODERS: dict[str, Write] = {
    "gpt2": _family(
        "GPT2LMHeadModel", "GPT2Config", DECODER_LIKE, mask=False, vocab_size=len(WORDS) + 2, n_embd=HIDDEN,
        n_layer=LAYERS, n_head=HEADS, n_positions=POSITIONS, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    ),
    "opt": _family(
        "OPTForCausalLM", "OPTConfig", BOS_LIKE, mask=False, vocab_size=len(WORDS) + 2, hidden_size=HIDDEN,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, ffn_dim=2 * HIDDEN, max_position_embeddings=POSITIONS,
        word_embed_proj_dim=HIDDEN, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    ),
    "gpt_neox": _family(
        "GPTNeoXForCausalLM", "GPTNeoXConfig", DECODER_LIKE, mask=False, **ENCODER_SIZES, bos_token_id=2, eos_token_id=3
    ),
    "bloom": _family(
        "BloomForCausalLM", "BloomConfig", DECODER_LIKE, mask=False, vocab_size=len(WORDS) + 2, hidden_size=HIDDEN,
        n_layer=LAYERS, n_head=HEADS, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    ),
    "mpt": _family(
        "MptForCausalLM", "MptConfig", DECODER_LIKE, mask=False, vocab_size=len(WORDS) + 2, d_model=HIDDEN,
        n_layers=LAYERS, n_heads=HEADS, max_seq_len=POSITIONS, pad_token_id=0, bos_token_id=2, eos_token_id=3,
    ),
    "falcon": _family(
        "FalconForCausalLM", "FalconConfig", DECODER_LIKE, mask=False, **_FALCON,
    ),
    "falcon-groups": _family(
        "FalconForCausalLM", "FalconConfig", DECODER_LIKE, mask=False, **_FALCON,
        new_decoder_architecture=True, num_kv_heads=KV_HEADS,
    ),
    "falcon-alibi": _family(
        "FalconForCausalLM", "FalconConfig", DECODER_LIKE, mask=False, **_FALCON,
        alibi=True, multi_query=False, parallel_attn=False, bias=True,
    ),
    "gptj": _family(
        "GPTJForCausalLM", "GPTJConfig", DECODER_LIKE, mask=False, vocab_size=len(WORDS) + 2, n_embd=HIDDEN,
        n_layer=LAYERS, n_head=HEADS, n_positions=POSITIONS, rotary_dim=4, pad_token_id=0, bos_token_id=2,
        eos_token_id=3,
    ),
    "gpt_neo": _family(
        "GPTNeoForCausalLM", "GPTNeoConfig", DECODER_LIKE, mask=False, vocab_size=len(WORDS) + 2, hidden_size=HIDDEN,
        num_layers=LAYERS, num_heads=HEADS, max_position_embeddings=POSITIONS, window_size=4,
        attention_types=[[["global", "local"], 1]], pad_token_id=0, bos_token_id=2, eos_token_id=3,
    ),
    "llama": _family("LlamaForCausalLM", "LlamaConfig", BOS_LIKE, mask=False, **GROUPED),
    "qwen2": _family("Qwen2ForCausalLM", "Qwen2Config", None, mask=False, **DECODER_SIZES | {"vocab_size": 900}),
    "qwen3": _family("Qwen3ForCausalLM", "Qwen3Config", DECODER_LIKE, mask=False, **GROUPED),
    "gemma": _family("GemmaForCausalLM", "GemmaConfig", BOS_LIKE, mask=False, **GROUPED),
    "gemma2": _family("Gemma2ForCausalLM", "Gemma2Config", BOS_LIKE, mask=False, **GROUPED, sliding_window=16),
    "glm": _family("GlmForCausalLM", "GlmConfig", DECODER_LIKE, mask=False, **GROUPED),
    "mixtral": _family(
        "MixtralForCausalLM", "MixtralConfig", BOS_LIKE, mask=False, **GROUPED, num_local_experts=4,
        num_experts_per_tok=2,
    ),
    "gemma3_text": _family("Gemma3ForCausalLM", "Gemma3TextConfig", BOS_LIKE, mask=False, **_GEMMA3),
    "gemma3": _family(
        "Gemma3ForConditionalGeneration", "Gemma3Config", BOS_LIKE, mask=False, text_config=_GEMMA3,
        mm_tokens_per_image=4, vision_config={
            "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
            "image_size": 28, "patch_size": 14,
        },
    ),
}  # fmt: skip
_T5_SIZES = {
    "vocab_size": len(WORDS) + 3, "d_model": HIDDEN, "d_kv": HIDDEN // HEADS, "num_layers": LAYERS, "num_heads": HEADS,
    "d_ff": 2 * HIDDEN, "pad_token_id": 0, "eos_token_id": len(WORDS) + 1, "decoder_start_token_id": 0,
}  # fmt: skip
_BART_SIZES = {
    "vocab_size": len(WORDS) + 2, "d_model": HIDDEN, "encoder_layers": LAYERS, "decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS, "decoder_attention_heads": HEADS, "encoder_ffn_dim": 2 * HIDDEN,
    "decoder_ffn_dim": 2 * HIDDEN, "max_position_embeddings": POSITIONS, "pad_token_id": 0, "bos_token_id": 2,
    "eos_token_id": 3, "decoder_start_token_id": 3,
}  # fmt: skip
ENCODER_DECODERS: dict[str, Write] = {
    "t5": _family("T5ForConditionalGeneration", "T5Config", T5_LIKE, mask=False, sentinel=True, **_T5_SIZES),
    "mt5": _family("MT5ForConditionalGeneration", "MT5Config", T5_LIKE, mask=False, sentinel=True, **_T5_SIZES),
    "umt5": _family("UMT5ForConditionalGeneration", "UMT5Config", T5_LIKE, mask=False, sentinel=True, **_T5_SIZES),
    "bart": _family("BartForConditionalGeneration", "BartConfig", ROBERTA_LIKE, **_BART_SIZES),
    "mbart": _family(
        "MBartForConditionalGeneration", "MBartConfig", MBART_LIKE, **_BART_SIZES, scale_embedding=True
    ),
    "led": _family(
        "LEDForConditionalGeneration", "LEDConfig", ROBERTA_LIKE, **_BART_SIZES, attention_window=32,
        max_encoder_position_embeddings=POSITIONS, max_decoder_position_embeddings=POSITIONS,
    ),
    "pegasus": _family(
        "PegasusForConditionalGeneration", "PegasusConfig", T5_LIKE, **_BART_SIZES, scale_embedding=True
    ),
    "t5gemma": _family(
        "T5GemmaForConditionalGeneration", "T5GemmaConfig", BOS_LIKE, mask=False, vocab_size=len(WORDS) + 2,
        encoder={**GROUPED, "sliding_window": 16}, decoder={**GROUPED, "sliding_window": 16},
    ),
}  # fmt: skip
FAMILIES = {**ENCODERS, **DECODERS, **ENCODER_DECODERS}
