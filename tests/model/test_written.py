"""Attention that is written anew: the family's own without a prefix, and with one what the formula says."""

from __future__ import annotations

import math

import pytest
import torch
import transformers
from torch.nn.functional import softmax

from bench.model import attention
from bench.model.families.config import family_of
from bench.model.families.written.softmax import attended
from bench.model.loading import load_backbone
from bench.model.prompts import Prompts
from bench.model.source import find_model, read_config
from bench.model.stacked import Stacked
from tests.model.families import FAMILIES, HEADS, HIDDEN
from tests.model.test_families import batch_of, hidden, prefix, row

WRITTEN = (
    "mpnet", "roformer", "rembert", "megatron-bert", "big_bird", "deberta", "deberta-v2", "longformer", "xlnet",
    "bloom", "mpt", "falcon", "falcon-groups", "falcon-alibi", "gptj", "gpt_neo", "led",
)  # fmt: skip
SIZE = HIDDEN // HEADS
LONG = [2, *range(20, 60), 3]  # longer than every window
SHORT = [2, 30, 31, 32, 33, 34, 3]


def stock(folder):
    """The model as transformers has it, BigBird with full attention. Falcon's eager attention adds ALiBi twice, so that
    its SDPA attention is taken there."""
    config = read_config(find_model(str(folder)))
    kind = getattr(transformers, f"AutoModelFor{family_of(config).words}")
    way = "sdpa" if config.get("alibi") else "eager"
    more = {"attention_type": "original_full"} if config["model_type"] == "big_bird" else {}
    return kind.from_pretrained(folder, attn_implementation=way, dtype=torch.float32, **more).eval().base_model


def difference(folder):
    """The largest between our states and stock transformers', of real tokens in a padded batch."""
    backbone = load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", True)
    batch = batch_of(backbone, row(SHORT), row(LONG))
    model = stock(folder)
    reader = model.encoder if backbone.decoder is not None else getattr(model, "language_model", model)
    with torch.no_grad():
        expected = reader(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        found = backbone.hidden(batch, Stacked([Prompts()]))
    real = batch.mask.bool()
    return float((found - expected)[real].abs().max())


def test_all_families_whose_attention_is_written_are_listed_here(folders):
    written = {
        name for name in FAMILIES if family_of(read_config(find_model(str(folders(name))))).attention == "written"
    }
    assert written == set(WRITTEN)


@pytest.mark.parametrize("family", WRITTEN)
def test_without_a_prefix_it_is_stock_transformers_own(family, folders):
    """Where padding is, beyond every window, and where positions leave the table of relative ones."""
    assert difference(folders(family)) < 5e-6


@pytest.mark.parametrize("family", ["mixtral", "gemma3_text", "gemma3", "mt5", "umt5", "mbart", "pegasus", "t5gemma"])
def test_without_a_prefix_the_registered_function_gives_what_stock_transformers_does(family, folders):
    """With a mixture of experts, soft caps, windows, and biases of every layer's own."""
    assert difference(folders(family)) < 5e-6


def test_a_prefix_is_a_part_of_the_softmax_as_the_formula_says(monkeypatch):
    """Two key/value heads for four query heads."""
    torch.manual_seed(0)
    query, value, scores = torch.randn(2, 4, 3, 5), torch.randn(2, 2, 3, 5), torch.randn(2, 4, 3, 3)
    keys, values = torch.randn(2, 2, 2, 5), torch.randn(2, 2, 2, 5)
    monkeypatch.setattr(attention, "active_prefix", lambda: (keys, values))
    found = attended(torch.nn.Identity().eval(), scores, query, value, 1.7, 0.0)
    for at in range(2):
        for head in range(4):
            own, shown = keys[at, head // 2], values[at, head // 2]
            weights = softmax(torch.cat([query[at, head] @ own.T / 1.7, scores[at, head]], dim=1), dim=1)
            expected = weights @ torch.cat([shown, value[at, head // 2]])
            torch.testing.assert_close(found[at, :, head], expected)


@pytest.mark.parametrize("family", ["bloom", "mpt", "falcon-alibi"])
@torch.no_grad()
def test_alibi_counts_from_the_query_and_is_nothing_for_a_prefix(family, load):
    """The first layer's attention worked out by hand, in a padded batch: slopes 2^(-8h/A) (Press et al. 2022)."""
    backbone = load(family)
    heard = {}
    layers = backbone.encoder.blocks if family == "mpt" else backbone.encoder.h
    name = {"mpt": "out_proj"}.get(family, "dense")
    module = layers[0].attn if family == "mpt" else layers[0].self_attention
    mixer = module.Wqkv if family == "mpt" else module.query_key_value
    mixer.register_forward_hook(lambda _, __, output: heard.update(mixed=output))
    getattr(module, name).register_forward_pre_hook(lambda _, inputs: heard.update(found=inputs[0]))
    prompts = prefix(backbone)
    hidden(backbone, row(SHORT), row(LONG), prompts=prompts)
    for at, tokens in enumerate((len(SHORT), len(LONG))):
        mixed = heard["mixed"][at, :tokens]
        parts = (
            mixed.view(tokens, 3, HEADS, SIZE)
            if family == "mpt"
            else mixed.view(tokens, HEADS, 3, SIZE).transpose(1, 2)
        )
        for head in range(HEADS):
            query, key, value = parts[:, :, head].unbind(1)
            slope = 2.0 ** (-8 * (head + 1) / HEADS) / (math.sqrt(SIZE) if family == "falcon-alibi" else 1)
            keys, values = prompts.prefixes[0, :, head]
            expected = []
            for i in range(tokens):
                scores = [query[i] @ each / math.sqrt(SIZE) for each in keys]
                scores += [query[i] @ key[j] / math.sqrt(SIZE) + slope * (j - i) for j in range(i + 1)]
                expected.append(softmax(torch.stack(scores), dim=0) @ torch.cat([values, value[: i + 1]]))
            found = heard["found"][at, :tokens, head * SIZE : (head + 1) * SIZE]
            torch.testing.assert_close(found, torch.stack(expected), atol=2e-5, rtol=0)


@pytest.mark.parametrize("family", ["longformer", "led", "gpt_neo"])
@torch.no_grad()
def test_a_prefix_is_seen_beyond_the_window_and_a_token_is_not(family, load):
    """In the last layer, which has a window: the last token's state moves with its prefix, not with the first token."""
    backbone = load(family)
    last = backbone.geometry.layers - 1
    only = Prompts(prefixes=prefix(backbone).prefixes[last:], layers=(last,))
    plain, prefixed = (hidden(backbone, row(LONG), prompts=each)[0] for each in (None, only))
    assert ((plain - prefixed).abs().amax(dim=-1) > 1e-4).all()
    reader = backbone.encoder
    layers = {"led": lambda: reader.layers, "gpt_neo": lambda: reader.h, "longformer": lambda: reader.encoder.layer}
    other = torch.linspace(-2, 2, HIDDEN).square()
    layers[family]()[last].register_forward_pre_hook(
        lambda _, given: (torch.cat([other.expand(1, 1, -1), given[0][:, 1:]], dim=1), *given[1:])
    )
    changed = hidden(backbone, row(LONG))[0]
    assert torch.equal(changed[-1], plain[-1])
    assert not torch.equal(changed[1], plain[1])


@torch.no_grad()
def test_what_bigbird_gives_a_text_does_not_depend_on_the_texts_before(load):
    """transformers goes over from blocks to full attention at the first short batch, for good."""
    texts = [row(LONG), row(SHORT), row(LONG)]
    backbone = load("big_bird")
    first, short, again = (hidden(backbone, each) for each in texts)
    assert torch.equal(first, again)
    assert torch.equal(hidden(load("big_bird"), row(SHORT)), short)
    assert backbone.model.config.attention_type == "original_full"


@torch.no_grad()
def test_an_mpt_reads_on_where_its_table_of_biases_ends(load):
    backbone = load("mpt")
    text = [20 + at % 40 for at in range(100)]  # the model's longest text has 64
    whole = hidden(backbone, row(text), prompts=prefix(backbone))[0]
    torch.testing.assert_close(
        whole[:50], hidden(backbone, row(text[:50]), prompts=prefix(backbone))[0], atol=2e-5, rtol=0
    )
    assert whole.isfinite().all()


def test_a_mixed_head_deberta_runs_on_its_own_attention_without_prefixes(folders, tmp_path):
    config = transformers.AutoConfig.from_pretrained(folders("deberta"))
    config.talking_head = True
    transformers.DebertaForMaskedLM(config).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folders("deberta")).save_pretrained(tmp_path)
    proof = load_backbone(find_model(str(tmp_path)), torch.device("cpu"), "fp32", True).proof
    assert (proof.attention, set(proof.fails)) == ("own", {"prefixes"})
