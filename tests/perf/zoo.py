"""A tiny random checkpoint of any text family that transformers has, whose config is its own with all sizes lowered.

`SIZES` are the names that configs use for a size; `MORE` says what a family wants besides. tests/model/families.py has
the families that the tests are about, laid out with care; this is for a look at all of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING

from tests.conftest import WORDS
from tests.model.families import BERT_LIKE, DECODER_LIKE, ROBERTA_LIKE, T5_LIKE, byte_pairs, tokenizer
from tests.model.families import FAMILIES as TESTED

QWEN2 = 900  # tokens
VOCABULARY, HIDDEN, LAYERS, HEADS = len(WORDS) + 3, 32, 2, 4
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "hidden_dim"), HIDDEN),
    **dict.fromkeys(("embedding_size", "word_embed_proj_dim", "d_embed", "input_embedding_size"), HIDDEN),
    **dict.fromkeys(
        ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers",
         "num_encoder_layers", "num_decoder_layers"), LAYERS,
    ),
    **dict.fromkeys(
        ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads",
         "num_encoder_attention_heads", "num_decoder_attention_heads"), HEADS,
    ),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), 2),
    **dict.fromkeys(("head_dim", "d_kv", "kv_channels", "attention_head_dim"), HIDDEN // HEADS),
    **dict.fromkeys(
        ("intermediate_size", "n_inner", "d_ff", "dff", "d_inner", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim",
         "ffn_hidden_size", "moe_intermediate_size", "shared_expert_intermediate_size",
         "shared_intermediate_size"), 2 * HIDDEN,
    ),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), 128),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_k", "num_experts_per_token", "moe_topk", "n_group", "topk_group"), 1),
    "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": VOCABULARY - 2, "decoder_start_token_id": 0,
    "cls_token_id": 2, "sep_token_id": 3, "dtype": "float32", "use_cache": False,
}  # fmt: skip
LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8,
          "num_key_value_heads": HEADS, "qk_head_dim": 12}  # fmt: skip
MAMBA = {"mamba_d_head": 8, "mamba_n_heads": 8, "mamba_d_state": 8, "mamba_expand": 2, "mamba_n_groups": 1}
MORE: dict[str, dict[str, Any]] = {
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 8},
    "roc_bert": {
        "pronunciation_vocab_size": 20,
        "shape_vocab_size": 20,
        "pronunciation_embed_dim": 8,
        "shape_embed_dim": 8,
    },
    "funnel": {"block_sizes": [1, 1], "d_head": 8, "num_decoder_layers": 1},
    "reformer": {
        "axial_pos_embds_dim": (16, 16),
        "axial_pos_shape": (8, 16),
        "attn_layers": ["local", "local"],
        "is_decoder": False,
        "feed_forward_size": 64,
        "attention_head_size": 8,
        "local_attn_chunk_length": 8,
    },
    "ctrl": {"dff": 64},
    "deepseek_v2": {**LATENT, "first_k_dense_replace": 1},
    "codegen": {"rotary_dim": 4},
    "gptj": {"rotary_dim": 4},
    "deepseek_v3": {**LATENT, "head_dim": 4, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1},
    "gemma3n_text": {
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "vocab_size_per_layer_input": VOCABULARY,
        "laurel_rank": 4,
        "hidden_size_per_layer_input": 8,
        "activation_sparsity_pattern": [0.0] * 4,
        "intermediate_size": [64] * 4,
    },
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "bamba": {**MAMBA, "attn_layer_indices": [1]},
    "granitemoehybrid": {**MAMBA, "layer_types": ["mamba", "attention"]},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1},
    "falcon_h1": {**MAMBA, "mamba_d_ssm": 64},
    "jamba": {"attn_layer_offset": 1, "attn_layer_period": 2, "mamba_d_state": 8, "use_mamba_kernels": False},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "qwen3_next": {
        "layer_types": ["linear_attention", "full_attention"],
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 4,
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
    },
    "minimax": {"layer_types": ["linear_attention", "full_attention"], "block_size": 8},
    "zamba": {
        "num_hidden_layers": 4,
        "layers_block_type": ["mamba", "hybrid", "mamba", "hybrid"],
        "mamba_d_state": 8,
        "n_mamba_heads": 2,
        "attention_hidden_size": 64,
        "attention_head_dim": 16,
        "use_mamba_kernels": False,
    },
    "zamba2": {
        "num_hidden_layers": 2,
        "layers_block_type": ["mamba", "hybrid"],
        "mamba_d_state": 8,
        "n_mamba_heads": 8,
        "mamba_headdim": 8,
        "mamba_ngroups": 1,
        "attention_head_dim": 16,
        "hybrid_layer_ids": [1],
        "num_mem_blocks": 1,
        "use_mamba_kernels": False,
    },
    "recurrent_gemma": {"block_types": ["recurrent", "attention"], "lru_width": 32, "attention_window_size": 32},
}
BERTS = ("bert", "electra", "big_bird", "roformer", "fnet", "nystrom", "yoso", "mra", "ernie", "luke", "longformer")


ENCODERS = (
    "albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2", "distilbert",
    "electra", "ernie", "esm", "eurobert", "flaubert", "fnet", "funnel", "gte", "ibert", "jina_embeddings_v3",
    "layoutlm", "longformer", "luke", "megatron-bert", "mobilebert", "modernbert", "mpnet", "mra", "nomic_bert",
    "nystromformer", "reformer", "rembert", "roberta", "roberta-prelayernorm", "roc_bert", "roformer", "squeezebert",
    "tapas", "xlm", "xlm-roberta", "xlm-roberta-xl", "xmod", "yoso",
)  # fmt: skip
DECODERS = (
    "apertus", "arcee", "bamba", "biogpt", "bitnet", "bloom", "codegen", "cohere", "cohere2", "ctrl",
    "deepseek_v2", "deepseek_v3", "diffllama", "doge", "exaone4", "falcon", "falcon_h1", "falcon_mamba", "gemma",
    "gemma2", "gemma3_text", "gemma3n_text", "glm", "glm4", "gpt2", "gpt_bigcode", "gpt_neo", "gpt_neox", "gpt_oss",
    "gptj", "granite", "granitemoe", "granitemoehybrid", "helium", "jamba", "jetmoe", "lfm2", "llama", "mamba",
    "mamba2", "minimax", "mistral", "mixtral", "modernbert-decoder", "mpt", "nemotron", "olmo", "olmo2", "olmoe",
    "openai-gpt", "opt", "persimmon", "phi", "phi3", "phimoe", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe",
    "qwen3_next", "recurrent_gemma", "rwkv", "seed_oss", "smollm3", "stablelm", "starcoder2", "xglm", "xlnet", "xlstm",
    "zamba", "zamba2",
)  # fmt: skip
ENCODER_DECODERS = (
    "bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "fsmt", "led", "longt5", "m2m_100", "marian", "mbart",
    "mt5", "mvp", "pegasus", "pegasus_x", "plbart", "prophetnet", "switch_transformers", "t5", "t5gemma", "umt5",
)  # fmt: skip
FAMILIES = {
    **dict.fromkeys(ENCODERS, "MaskedLM"), **dict.fromkeys(DECODERS, "CausalLM"),
    **dict.fromkeys(ENCODER_DECODERS, "Seq2SeqLM"),
}  # fmt: skip


def config_of(family: str) -> Any:
    """The family's config with all its sizes lowered."""
    kind = CONFIG_MAPPING[family]
    names = {**kind().to_dict(), **dict.fromkeys(kind.attribute_map, 0)}
    known = {name: value for name, value in SIZES.items() if name in names or name in ("pad_token_id", "dtype")}
    for other, name in kind.attribute_map.items():
        if other in known and name in known:
            known.pop(other)
    return kind(**{**known, **MORE.get(family, {})})


def write(family: str, folder: Path) -> Path:
    """Write the family's checkpoint, with its language-model head."""
    if family == "t5gemma":  # a config of two configs
        return TESTED[family](folder)
    config, words = config_of(family), FAMILIES[family]
    config.vocab_size = max(config.vocab_size, QWEN2) if family == "qwen2" else config.vocab_size
    torch.manual_seed(0)
    model = getattr(transformers, f"AutoModelFor{words}").from_config(config)
    with torch.no_grad():
        for weight in model.parameters():  # larger than usual, so that outputs of random weights differ visibly
            weight.add_(torch.randn_like(weight) * 0.05)
    if family == "qwen2":  # its tokenizer class must be of that kind
        made = byte_pairs()
    elif words == "CausalLM":
        made = tokenizer(*DECODER_LIKE, mask=False)
    elif words == "Seq2SeqLM":
        made = tokenizer(*T5_LIKE, sentinel=True)
    else:
        made = tokenizer(*(BERT_LIKE if any(part in family for part in BERTS) else ROBERTA_LIKE))
    made.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder
