"""The estimate of activations, beside what autograd keeps of models that are wide enough for it to be theirs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from bench.cell import Precision
from bench.model import attention
from bench.model.loading import load_backbone
from bench.model.memory import Work, estimate
from bench.model.sizes import model_sizes
from bench.model.source import find_model
from tests.conftest import WORDS
from tests.model.families import BERT_LIKE, tokenizer

WIDTH, ROWS, LENGTH = 256, 3, 50
SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS) + 2, "hidden_size": WIDTH, "num_hidden_layers": 3, "num_attention_heads": 4,
    "pad_token_id": 0, "max_position_embeddings": 64,
}  # fmt: skip
MODELS = {
    "bert": lambda: BertForMaskedLM(BertConfig(**SIZES, intermediate_size=4 * WIDTH)),
    "gpt_neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**SIZES, intermediate_size=4 * WIDTH)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, intermediate_size=3 * WIDTH, num_key_value_heads=1)),
    "llama without groups": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, intermediate_size=3 * WIDTH)),
}


@pytest.fixture(scope="module", params=MODELS)
def folder(request, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("wide") / request.param.replace(" ", "-")
    torch.manual_seed(0)
    MODELS[request.param]().save_pretrained(target)
    tokenizer(*BERT_LIKE).save_pretrained(target)
    return target


def as_on_a_gpu(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any) -> Any:
    called = SimpleNamespace(num_key_value_groups=query.shape[1] // key.shape[1], is_causal=False)
    return sdpa_attention_forward(called, query, key, value, mask, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("trains", [True, False], ids=["trains", "frozen"])
def test_it_is_close_and_hardly_too_small(folder, trains, precision: Precision, monkeypatch) -> None:
    monkeypatch.setattr(attention, "_matmul_attention", as_on_a_gpu)
    source = find_model(str(folder))
    backbone = load_backbone(source, torch.device("cpu"), precision, not trains)
    for weight in backbone.model.parameters():
        weight.requires_grad_(trains)
    kept: dict[int, Tensor] = {}
    own = {tensor.untyped_storage().data_ptr() for tensor in (*backbone.model.parameters(), *backbone.model.buffers())}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    ids = torch.randint(5, len(WORDS), (ROWS, LENGTH))
    embedded = backbone.embeddings(ids).detach().requires_grad_(True)
    options = {"use_cache": False} if backbone.causal else {}
    with backbone.autocast(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        states = backbone.encoder(inputs_embeds=embedded, attention_mask=torch.ones_like(ids), **options)
    assert states.last_hidden_state.requires_grad
    sizes = model_sizes(source)
    assert sizes is not None
    work = Work(precision, ROWS * LENGTH, LENGTH, torch.device("cuda"), moments=2 if trains else None)
    expected = estimate(sizes, work).activations
    assert 0.75 < sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / expected < 1.06
