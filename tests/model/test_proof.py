"""A backbone proves itself: what holds is used, what does not is skipped or refused, whatever its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AttentionInterface, AutoModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.bert import modeling_bert

from bench.data.batches import collate
from bench.data.cache import keep_bytes, kept_bytes
from bench.data.rows import Item, Row
from bench.errors import UnfitModel, UsageError
from bench.model import attention, proof
from bench.model.loading import load_backbone
from bench.model.prompts import Prompts
from bench.model.proof import Proof
from bench.model.proofs import prove
from bench.model.proving import TOLERANCE, examine
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.plan.cells import plan
from bench.request import RunRequest
from tests.conftest import write_tiny_bert
from tests.model.families import FAMILIES

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _anew(nothing_is_known):
    """Every proof is made here."""


def proved(folder: Path) -> Proof:
    return prove(find_model(str(folder)), CPU)


def states(backbone, *rows: list[int]) -> torch.Tensor:
    items = [Item(0, (Row(ids, [0] * len(ids), [], [0]),), [0], [0], False) for ids in rows]
    with torch.no_grad():
        return backbone.hidden(collate(items, 0, CPU), Stacked([Prompts()]))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_that_is_served_whole_proves_all_of_it(family, folders):
    found = proved(folders(family))
    words = find_model(str(folders(family))).has_lm_head
    assert (found.refused, set(found.fails) - {"mask"}) == ("", set() if words else {"lm_head"})
    assert found.layers == (0, 1)
    wanted = {"padding", "decoder_padding", "prefix_padding", "prefix_ahead", "own_attention", "slots", "lm_head"}
    same = {name: value for name, value in found.differences.items() if name in wanted}
    assert {"padding", "prefix_padding", "own_attention", "slots"} <= set(same)
    assert words == ("lm_head" in same)
    assert max(same.values()) < TOLERANCE / 10
    assert min(found.differences["back"], found.differences["prefix"]) > 100 * TOLERANCE


@pytest.mark.parametrize("family", ["squeezebert", "luke"])
def test_attention_that_cannot_be_replaced_is_left_to_the_family_without_prefixes(family, animals):
    found = proved(animals(family))
    assert (found.refused, found.attention, found.layers) == ("", "own", ())
    assert found.fails == {"prefixes": "its family has no attention that a program can put them into"}
    ids = [2, 20, 21, 22, 3]
    backbone = load_backbone(find_model(str(animals(family))), CPU, "fp32", True)
    stock = AutoModel.from_pretrained(animals(family)).eval()
    with torch.no_grad():
        expected = stock(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, 5)).last_hidden_state
    found_beside = states(backbone, ids, [2, *range(20, 40), 3])[:1, :5]
    torch.testing.assert_close(found_beside, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("family", ["convbert", "fnet", "funnel"])
def test_padding_that_leaks_in_plain_transformers_too_is_refused_in_one_line(family, animals):
    with pytest.raises(
        UnfitModel, match=r"cannot be used: padding changes the states of the text beside it, by"
    ) as told:
        load_backbone(find_model(str(animals(family))), CPU, "fp32", True)
    assert "\n" not in str(told.value)
    assert attention.NAME not in str(told.value)


def test_the_refusals_say_so_of_plain_transformers(animals):
    """The control: what is refused for its padding leaks without us as well."""
    model = AutoModel.from_pretrained(animals("convbert")).eval()
    rows = torch.tensor([[2, 20, 21, 22, 3, 0, 0, 0, 0], [2, 20, 21, 22, 23, 24, 25, 26, 3]])
    with torch.no_grad():
        alone = model(input_ids=rows[:1, :5], attention_mask=torch.ones(1, 5)).last_hidden_state
        beside = model(input_ids=rows, attention_mask=(rows != 0).long()).last_hidden_state[:1, :5]
    assert (alone - beside).abs().max() > 1e-2


def test_a_family_whose_mask_is_lost_is_refused(tmp_path, monkeypatch):
    """BERT with no mask at all stands for the next family that gets one and does not use it."""
    folder = write_tiny_bert(tmp_path / "bert")
    monkeypatch.setattr(modeling_bert, "create_bidirectional_mask", lambda *_, **__: None)
    assert proved(folder).refused.startswith("padding changes the states of the text beside it")


def test_a_prefix_that_nothing_reads_is_found(tmp_path, monkeypatch):
    folder = write_tiny_bert(tmp_path / "bert")
    AttentionInterface.register(attention.NAME, sdpa_attention_forward)
    try:
        found = proved(folder)
    finally:
        AttentionInterface.register(attention.NAME, attention._attend)
    assert found.refused == ""
    assert found.fails == {"prefixes": "one in layer 1 does not reach every token"}


def test_a_model_that_attends_sharply_takes_prefixes(tmp_path):
    """Pretrained models of two layers attend to one token alone; a random key then has no weight in fp32."""
    folder = write_tiny_bert(tmp_path / "bert")
    weights = load_file(folder / "model.safetensors")
    keys = ("key.weight", "query.weight")
    sharp = {name: 30 * value if name.endswith(keys) else value for name, value in weights.items()}
    save_file(sharp, folder / "model.safetensors", {"format": "pt"})
    assert proved(folder).fails == {}


def test_attention_that_is_more_than_ours_falls_back_on_that_of_the_family(animals):
    """GPT-OSS has sinks, which stand in the softmax of its own attention alone."""
    found = proved(animals("gpt_oss"))
    assert (found.refused, found.attention, list(found.fails)) == ("", "own", ["prefixes"])
    assert found.fails["prefixes"].startswith("its attention is more than queries, keys and values: it differs by")


def test_a_model_that_reads_both_ways_under_a_decoders_name_is_read_both_ways(animals):
    source = find_model(str(animals("xlm")))
    found = prove(source, CPU)
    assert (found.refused, found.direction) == ("", "both")
    backbone = load_backbone(source, CPU, "fp32", True)
    assert not backbone.causal
    assert not backbone.reader.causal
    first = states(backbone, [2, 20, 21, 22, 3])[0, 1]
    assert (first - states(backbone, [2, 20, 21, 40, 3])[0, 1]).abs().max() > 1e-3


def test_an_encoder_whose_config_makes_it_a_decoder_is_read_as_one(tmp_path):
    folder = write_tiny_bert(tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "is_decoder": True}))
    found = proved(folder)
    assert (found.refused, found.direction) == ("", "left")
    assert load_backbone(find_model(str(folder)), CPU, "fp32", True).causal


def test_slots_that_are_not_the_words_they_hold_are_found(animals):
    found = proved(animals("esm"))  # its embeddings are scaled by how much of a text is masked, where it has the text
    assert found.refused == ""
    assert found.fails.keys() == {"slots"}
    assert found.fails["slots"].startswith("a vector that is a word's embedding does not act as the word")


def test_keys_and_values_of_two_sizes_take_no_prefix(animals):
    found = proved(animals("deepseek_v3"))
    assert found.fails == {"prefixes": "its keys and values are of more than one shape (heads × size: 4 × 8, 4 × 12)"}


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss", "deepseek_v3", "olmoe", "qwen3_moe"])
def test_the_head_of_a_model_with_experts_says_what_the_model_says(family, animals):
    source = find_model(str(animals(family)))
    assert "lm_head" not in prove(source, CPU).fails
    backbone = load_backbone(source, CPU, "fp32", True)
    ids = torch.tensor([[2, 20, 21, 22, 3]])
    with torch.no_grad():
        expected = backbone.model(input_ids=ids, use_cache=False).logits[0]
        found = backbone.lm_logits(states(backbone, ids[0].tolist())[0])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("family", "layers"), [("lfm2", (1,)), ("qwen3_next", (1,))])
def test_of_a_hybrid_only_the_layers_with_attention_are_counted(family, layers, animals, fixed_superglue):
    source = find_model(str(animals(family)))
    found = prove(source, CPU)
    assert (found.refused, found.layers, found.num_layers) == ("", layers, 2)
    assert load_backbone(source, CPU, "fp32", True).geometry.prefixed == layers
    request = RunRequest(suite="superglue", tasks=("rte",), methods=("ptv2", "finetune"), models=(source.path,),
                         seeds=(0,), data=fixed_superglue, max_length=32)  # fmt: skip
    assert plan(request, "fp32", {source.fingerprint: found}).notes == (
        f"model '{family}': prefixes enter 1 of its 2 layers (2); the others have no attention that takes one",
    )
    first = request.model_copy(update={"set": {"ptv2": {"layers": "1"}}})
    (skip,) = plan(first, "fp32", {source.fingerprint: found}).skips
    assert skip.reason == f"ptv2.layers=1, but of model '{family}' only 2 can take a prefix"


def test_a_tokenizer_with_more_tokens_than_the_embedding_is_refused(tmp_path):
    folder = write_tiny_bert(tmp_path / "bert")
    text = (folder / "tokenizer.json").read_text()
    (folder / "tokenizer.json").write_text(text.replace('"#": 83', '"#": 200').replace('"#":83', '"#":200'))
    assert json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]["#"] == 200
    with pytest.raises(UsageError, match=r"tokenizer numbers tokens up to 200, but its embedding has 84 rows; give it"):
        load_backbone(find_model(str(folder)), CPU, "fp32", True)


def test_a_proof_is_made_once_and_a_spoiled_one_anew(tmp_path, monkeypatch):
    source = find_model(str(write_tiny_bert(tmp_path / "bert")))
    made = prove(source, CPU)
    (path,) = (tmp_path / "cache" / "proofs").iterdir()
    calls = []
    monkeypatch.setattr("bench.model.proofs.examine", lambda *given: calls.append(given) or examine(*given))
    whole = (kept_bytes(path) or b"").decode()
    for text, times in (
        (whole, 0), ("", 1), ("{", 1), ("[]", 1), ("null", 1), (whole[:-9], 1), ("[" * 5000, 1),
        (whole.replace('"both"', '"up"'), 1), (whole.replace('"fails": {}', '"fails": []'), 1),
        (whole.replace('"num_layers": 2', '"num_layers": "2"'), 1),
    ):  # fmt: skip
        keep_bytes(path, text.encode())
        monkeypatch.setattr(proof, "_MADE", {})
        calls.clear()
        assert prove(source, CPU).layers == made.layers
        assert len(calls) == times, text[:60]
    monkeypatch.setattr(proof, "_made_by", lambda: "another version")
    monkeypatch.setattr(proof, "_MADE", {})
    prove(source, CPU)
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_costs_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUNING_BENCH_CACHE", str(tmp_path / "file"))
    assert proved(write_tiny_bert(tmp_path / "bert")).layers == (0, 1)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_attention_of_the_family_is_right_with_activations_made_again_and_in_bf16(precision, animals):
    source = find_model(str(animals("squeezebert")))
    found = {}
    for checkpointing in (False, True):
        backbone = load_backbone(source, CPU, precision, False, checkpointing)
        backbone.model.requires_grad_(True)
        rows = [
            Item(0, (Row(ids, [0] * len(ids), [], [0]),), [0], [0], False)
            for ids in ([2, 20, 3], [2, *range(20, 30), 3])
        ]
        with backbone.autocast():
            hidden = backbone.hidden(collate(rows, 0, CPU), Stacked([Prompts()]))
        hidden[0, :3].float().square().sum().backward()
        gradients = [each.grad for each in backbone.encoder.parameters() if each.grad is not None]
        found[checkpointing] = (hidden[0, :3].float().detach(), torch.stack([each.norm() for each in gradients]))
    torch.testing.assert_close(found[True], found[False], atol=0, rtol=0)
    exact = states(load_backbone(source, CPU, "fp32", True), [2, 20, 3])[0]
    assert (found[True][0] - exact).abs().mean() < (1e-5 if precision == "fp32" else 0.05)


def test_a_prefix_where_the_model_takes_none_is_an_error_and_not_ignored(animals):
    backbone = load_backbone(find_model(str(animals("squeezebert"))), CPU, "fp32", True)
    item = Item(0, (Row([2, 20, 3], [0, 0, 0], [], [0]),), [0], [0], False)
    prompts = Prompts(prefixes=torch.zeros(1, 2, 4, 3, 8), layers=(0,))
    with pytest.raises(UsageError, match="the model takes no prefixes in some of these layers"):
        backbone.hidden(collate([item], 0, CPU), Stacked([prompts]))
