"""Every family: the backbone means the same by slots, prefixes, positions and padding on either side."""

from __future__ import annotations

import pytest
import torch

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.errors import UsageError
from bench.model import attention
from bench.model.backbone import Backbone
from bench.model.loading import load_backbone
from bench.model.prefixes import row_prefixes
from bench.model.prompts import Prompts
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.plan.cells import plan
from bench.request import RunRequest
from tests.model.families import DECODERS, ENCODER_DECODERS, FAMILIES, POSITIONS

EXACT = {"atol": 2e-5, "rtol": 0}
IDS, LONGER = [2, 20, 21, 22, 3], [2, *range(20, 30), 3]
UNLIMITED = ("deberta", "deberta-v2", "xlnet", "t5", "mt5", "umt5", "bloom", "mpt")  # relative positions alone
NEVER_ENDING = ("xlnet", "t5", "mt5", "umt5", "bloom", "mpt")  # and no table of them that ends


def row(ids: list[int], slots: tuple[int, ...] = (), decoder: tuple[int, ...] = ()) -> Item:
    return Item(0, (Row(ids, [0] * len(ids), list(slots), [0], [], list(decoder)),), [0], [0], False)


def fed(backbone: Backbone, length: int = 3) -> tuple[int, ...]:
    """What a decoder is fed; empty where there is none."""
    return (backbone.reader.start, 2, *range(20, 18 + length)) if backbone.decoder is not None else ()


def batch_of(backbone: Backbone, *rows: Item):
    return collate(rows, backbone.pad_id, backbone.device, mask_id=backbone.tokenizer.mask_token_id)


@torch.no_grad()
def hidden(backbone: Backbone, *rows: Item, prompts: Prompts | None = None) -> torch.Tensor:
    return backbone.hidden(batch_of(backbone, *rows), Stacked([prompts or Prompts()]))


def prefix(backbone: Backbone, length: int = 3, offset: int = 0) -> Prompts:
    g = backbone.geometry
    made = torch.randn(g.layers, 2, g.kv_heads, length, g.head_size, generator=torch.Generator().manual_seed(0))
    return Prompts(prefixes=made, layers=tuple(range(g.layers)), offset=offset)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("prefixed", [False, True])
def test_padding_changes_nothing(family, prefixed, load):
    backbone = load(family)
    prompts = prefix(backbone) if prefixed else None
    alone = hidden(backbone, row(IDS), prompts=prompts)
    beside = hidden(backbone, row(IDS), row(LONGER), prompts=prompts)
    torch.testing.assert_close(beside[:1, : len(IDS)], alone, **EXACT)


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("prefixed", [False, True])
@torch.no_grad()
def test_a_decoder_padded_on_the_left_gives_what_it_gives_padded_on_the_right(family, prefixed, load):
    """The harness pads on the right; who pads on the left and gives positions has the same states."""
    backbone = load(family)
    prompts = prefix(backbone) if prefixed else Prompts()
    right = hidden(backbone, row(IDS), row(LONGER), prompts=prompts)
    gap = len(LONGER) - len(IDS)
    ids = torch.tensor([[backbone.pad_id] * gap + IDS, LONGER])
    mask = torch.tensor([[0] * gap + [1] * len(IDS), [1] * len(LONGER)])
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with attention.prefixes(row_prefixes(batch_of(backbone, row(IDS), row(LONGER)), Stacked([prompts]))):
        left = backbone.encoder(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
    torch.testing.assert_close(left[0, gap:], right[0, : len(IDS)], **EXACT)
    torch.testing.assert_close(left[1], right[1], **EXACT)


def test_rows_are_padded_on_the_right_whatever_the_tokenizer_says(load):
    backbone = load("llama")
    backbone.tokenizer.padding_side = "left"
    batch = batch_of(backbone, row(IDS), row(LONGER))
    assert batch.ids[0].tolist() == IDS + [backbone.pad_id] * (len(LONGER) - len(IDS))
    assert batch.mask[0].tolist() == [1] * len(IDS) + [0] * (len(LONGER) - len(IDS))


@pytest.mark.parametrize("family", FAMILIES)
def test_slots_filled_with_words_own_embeddings_are_those_words(family, load):
    backbone = load(family)
    vectors = backbone.embeddings.weight[torch.tensor([20, 21])]
    with_slots = hidden(backbone, row([2, 0, 0, 22, 3], (1, 2)), prompts=Prompts(slots=vectors))
    torch.testing.assert_close(with_slots, hidden(backbone, row(IDS)), **EXACT)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layers_prefix_reaches_every_token(family, load):
    backbone = load(family)
    plain = hidden(backbone, row(IDS))
    whole = prefix(backbone)
    for layer in range(backbone.geometry.layers):
        one = Prompts(prefixes=whole.prefixes[layer : layer + 1], layers=(layer,))
        moved = (hidden(backbone, row(IDS), prompts=one) - plain).abs().amax(dim=-1)
        assert (moved > 1e-4).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prefix_that_is_a_copy_of_no_key_weighs_as_softmax_says(family, load):
    """Two equal prefix columns take the weight of one whose key scores log 2 more: the prefix is inside the softmax."""
    backbone = load(family)
    one = prefix(backbone, 1)
    twice = Prompts(prefixes=one.prefixes.repeat(1, 1, 1, 2, 1), layers=one.layers)
    single, double = (hidden(backbone, row(IDS), prompts=each) for each in (one, twice))
    assert (single - double).abs().max() > 1e-4


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ENCODER_DECODERS])
def test_the_language_model_head_is_the_models_own(family, load):
    backbone = load(family)
    ids = torch.tensor([IDS])
    with torch.no_grad():
        expected = backbone.model(input_ids=ids, attention_mask=torch.ones_like(ids), **types(backbone, ids)).logits[0]
        found = backbone.lm_logits(hidden(backbone, row(IDS))[0])
    torch.testing.assert_close(found, expected, **EXACT)


def types(backbone, ids):
    return {"token_type_ids": torch.zeros_like(ids)} if backbone.family.types else {}


@pytest.mark.parametrize("family", DECODERS)
def test_a_decoders_token_does_not_see_what_follows(family, load):
    backbone = load(family)
    assert backbone.causal
    for prompts in (None, prefix(backbone)):
        first = hidden(backbone, row(IDS), prompts=prompts)[0, :3]
        other = hidden(backbone, row([*IDS[:3], 40, 41]), prompts=prompts)[0, :3]
        torch.testing.assert_close(first, other, **EXACT)


@pytest.mark.parametrize("family", ENCODER_DECODERS)
@torch.no_grad()
def test_the_decoders_states_and_word_scores_are_the_models_own(family, folders, load):
    backbone = load(family)
    ids, tokens = torch.tensor([IDS]), torch.tensor([fed(backbone)])
    plain = backbone.model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=tokens)
    states = hidden(backbone, row(IDS, decoder=fed(backbone)))[0, : tokens.shape[1]]
    if "logits" in plain:
        torch.testing.assert_close(backbone.lm_logits(states), plain.logits[0], atol=1e-4, rtol=1e-5)
    else:  # loaded without the head that it has no use for
        assert find_model(str(folders(family))).wordless
        torch.testing.assert_close(states, plain.last_hidden_state[0], **EXACT)


@pytest.mark.parametrize("family", ENCODER_DECODERS)
@pytest.mark.parametrize("prefixed", [False, True])
def test_padding_and_neighbours_change_nothing_of_what_a_decoder_gives(family, prefixed, load):
    """Beside a longer row and a row with more to feed. (Rows that none reads on go by themselves.)"""
    backbone = load(family)
    prompts = prefix(backbone) if prefixed else None
    short, long = fed(backbone), fed(backbone, len(LONGER) + 6)
    rows = [row(IDS, decoder=short), row(IDS, decoder=long), row(LONGER, decoder=short)]
    together = hidden(backbone, *rows, prompts=prompts)
    for at, each in enumerate(rows):
        alone = hidden(backbone, each, prompts=prompts)[0]
        kept = len(each.rows[0].decoder or each.rows[0].ids)
        torch.testing.assert_close(together[at, :kept], alone[:kept], **EXACT)


@pytest.mark.parametrize("family", ENCODER_DECODERS)
@torch.no_grad()
def test_prefixes_are_the_encoders_alone(family, load):
    """The decoder, called as transformers calls it, on the encoder's prefixed states gives what the whole gives."""
    backbone = load(family)
    prompts = prefix(backbone)
    states = hidden(backbone, row(IDS), prompts=prompts)
    tokens = fed(backbone)
    expected = backbone.decoder(input_ids=torch.tensor([tokens]), encoder_hidden_states=states).last_hidden_state
    found = hidden(backbone, row(IDS, decoder=tokens), prompts=prompts)[:, : len(tokens)]
    torch.testing.assert_close(found, expected, **EXACT)


UNCOMMON = (
    "t5", "bart", "xlnet", "roformer", "deberta", "longformer", "bloom", "mpt", "falcon-groups", "falcon-alibi", "gptj",
    "gpt_neo", "mixtral", "gemma3", "led", "t5gemma",
)  # fmt: skip


@pytest.mark.parametrize("family", UNCOMMON)
@torch.no_grad()
def test_bf16_agrees_with_fp32_where_attention_is_not_the_common_one(family, folders, load):
    exact = load(family)
    rough = load_backbone(find_model(str(folders(family))), torch.device("cpu"), "bf16", True)
    rows = [row(IDS, decoder=fed(exact)), row(LONGER, decoder=fed(exact)), row(LONGER)]
    with rough.autocast():
        found = hidden(rough, *rows, prompts=prefix(exact)).float()
    assert (found - hidden(exact, *rows, prompts=prefix(exact))).abs().mean() < 0.05


@torch.no_grad()
def test_xlnet_says_a_masked_word_from_its_query_stream_and_shows_nobody_what_stands_there(load):
    backbone, mask = load("xlnet"), 4
    ids = [20, mask, 22, mask, 3, 2]
    item = Item(0, (Row(ids, [0, 0, 0, 0, 0, 2], [], [1, 3]),), [0], [0], False)
    hide, targets = torch.zeros(1, 6, 6), torch.zeros(1, 2, 6)
    hide[:, :, [1, 3]] = 1
    targets[0, 0, 1] = targets[0, 1, 3] = 1
    expected = backbone.model(
        input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([[0, 0, 0, 0, 0, 2]]), perm_mask=hide,
        target_mapping=targets,
    ).logits[0]  # fmt: skip
    states = hidden(backbone, item)
    torch.testing.assert_close(backbone.lm_logits(states[0, [1, 3]]), expected, **EXACT)
    backbone.embeddings.weight[mask] += 1
    torch.testing.assert_close(hidden(backbone, item)[0, [0, 1, 2, 3, 5]], states[0, [0, 1, 2, 3, 5]], **EXACT)


@torch.no_grad()
def test_rows_with_and_without_masked_words_share_an_xlnet_batch(load):
    backbone = load("xlnet")
    masked = Item(0, (Row([20, 4, 22, 3, 2], [0] * 5, [], [1]),), [0], [0], False)
    together = hidden(backbone, row(LONGER), masked, row(IDS), prompts=prefix(backbone))
    for at, each in enumerate((row(LONGER), masked, row(IDS))):
        alone = hidden(backbone, each, prompts=prefix(backbone))[0]
        torch.testing.assert_close(together[at, : len(alone)], alone, **EXACT)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in UNLIMITED])
def test_prompts_up_to_the_last_position_work_and_one_more_is_refused(family, folders, fixed_superglue):
    source = find_model(str(folders(family)))
    assert source.positions == POSITIONS
    grid = {"suite": "superglue", "tasks": ("rte",), "methods": ("prompt_tuning",), "models": (source.path,),
            "seeds": (0,), "data": fixed_superglue, "max_length": 32}  # fmt: skip
    head = "linear" if source.wordless else "verbalizer"
    plan(RunRequest(**grid, set={"prompt_tuning": {"length": 32, "head": head}}), "fp32")
    with pytest.raises(UsageError, match=r"33 prompt positions \+ 32 text tokens = 65, but model .* has 64 positions"):
        plan(RunRequest(**grid, set={"prompt_tuning": {"length": 33, "head": head}}), "fp32")
    backbone = load_backbone(source, torch.device("cpu"), "fp32", True)
    slots = Prompts(slots=torch.randn(32, backbone.geometry.embedding))
    said = (backbone.reader.start, *[20] * 63) if backbone.decoder is not None else ()
    assert hidden(backbone, row([0] * 32 + [20] * 32, tuple(range(32)), said), prompts=slots).isfinite().all()
    behind = prefix(backbone, 32, offset=32)  # the text's positions begin behind the prefix
    assert hidden(backbone, row([20] * 32), prompts=behind).isfinite().all()


@pytest.mark.parametrize("family", NEVER_ENDING)
def test_a_family_with_relative_positions_has_no_limit(family, folders, load):
    assert find_model(str(folders(family))).positions == 0
    assert hidden(load(family), row([20] * 200)).isfinite().all()


@pytest.mark.parametrize("family", ["bart", "mbart", "led", "pegasus"])
@torch.no_grad()
def test_an_offset_moves_the_positions_of_a_family_that_counts_them_itself(family, load):
    backbone = load(family)
    moved = hidden(backbone, row(IDS), row(LONGER), prompts=prefix(backbone, offset=7))
    table = backbone.encoder.embed_positions
    table.weight.copy_(table.weight.roll(-7, 0))
    torch.testing.assert_close(hidden(backbone, row(IDS), row(LONGER), prompts=prefix(backbone)), moved, **EXACT)


def test_an_encoder_decoder_that_is_not_known_is_refused_with_the_reason(tmp_path):
    from transformers import MarianConfig, MarianMTModel

    from tests.model.families import T5_LIKE, tokenizer

    tokenizer(*T5_LIKE).save_pretrained(tmp_path)
    sizes = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8,
             "encoder_attention_heads": 1, "decoder_attention_heads": 1, "vocab_size": 90, "pad_token_id": 0,
             "decoder_start_token_id": 0}  # fmt: skip
    MarianMTModel(MarianConfig(**sizes)).save_pretrained(tmp_path)
    with pytest.raises(
        UsageError, match="family marian cannot be used: of encoder–decoders this version knows t5, mt5"
    ):
        load_backbone(find_model(str(tmp_path)), torch.device("cpu"), "fp32", True)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma", "modernbert", "t5"])
def test_bias_terms_of_a_model_without_any_are_a_skip_in_the_plan(family, folders, fixed_superglue):
    request = RunRequest(suite="superglue", tasks=("rte",), methods=("bitfit", "ptv2"), seeds=(0,), max_length=32,
                         models=(str(folders(family)),), data=fixed_superglue)  # fmt: skip
    made = plan(request, "fp32")
    assert [(skip.method, skip.reason) for skip in made.skips] == [
        ("bitfit", f"the layers of model '{family}' have no bias terms")
    ]
    assert {cell.method for cell in made.cells} == {"ptv2"}


def test_of_a_model_that_also_sees_images_the_text_part_alone_is_loaded(folders, load):
    """And it gives what the whole gives; what is told before it is loaded is of that part too."""
    from transformers import AutoModelForCausalLM

    backbone, text = load("gemma3"), load("gemma3_text")
    assert type(backbone.model).__name__ == "Gemma3ForCausalLM"
    assert backbone.geometry == text.geometry
    assert find_model(str(folders("gemma3"))).positions == POSITIONS
    ids = torch.tensor([LONGER])
    with torch.no_grad():
        whole = AutoModelForCausalLM.from_pretrained(folders("gemma3")).eval()
        expected = whole(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        found = backbone.lm_logits(hidden(backbone, row(LONGER))[0])
    torch.testing.assert_close(found, expected, **EXACT)


@torch.no_grad()
def test_what_a_mixtures_experts_give_a_row_does_not_depend_on_its_neighbours(load):
    """Many rows with padding compete for no expert: each token takes its own."""
    backbone = load("mixtral")
    rows = [row([20 + (at * 7 + shift) % 60 for at in range(3 + shift)]) for shift in range(12)]
    together = hidden(backbone, *rows, prompts=prefix(backbone))
    for at, each in enumerate(rows):
        alone = hidden(backbone, each, prompts=prefix(backbone))[0]
        torch.testing.assert_close(together[at, : len(alone)], alone, **EXACT)


@pytest.mark.parametrize("family", ["pegasus", "t5gemma"])
def test_a_family_that_says_no_word_is_a_skip_for_a_verbalizer_with_the_reason(family, folders, fixed_superglue):
    source = find_model(str(folders(family)))
    request = RunRequest(suite="superglue", tasks=("rte",), methods=("prompt_tuning", "ptv2"), models=(source.path,),
                         seeds=(0,), data=fixed_superglue, max_length=32)  # fmt: skip
    made = plan(request, "fp32")
    assert [(skip.method, skip.reason) for skip in made.skips] == [
        ("prompt_tuning", f"model '{family}' says no word for a verbalizer: {source.wordless}")
    ]
    assert {cell.method for cell in made.cells} == {"ptv2"}
