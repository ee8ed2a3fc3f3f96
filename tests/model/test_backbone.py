"""Prompts in the backbone: equal to what they stand for, untouched by padding and neighbours."""

from __future__ import annotations

import pytest
import torch

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.model.prompts import Prompts
from bench.model.stacked import Stacked

EXACT = {"atol": 1e-5, "rtol": 0}


def row(ids: list[int], slots: tuple[int, ...] = ()) -> Item:
    return Item(0, (Row(ids, [0] * len(ids), list(slots), [0]),), [0], [0], False)


def hidden(backbone, rows, prompts=None, lanes=None, rates=None, seeds=None):
    lanes = lanes or [0] * len(rows)
    prompts = prompts or [Prompts()]
    batch = collate(rows, backbone.pad_id, backbone.device, lanes, seeds or ())
    with torch.set_grad_enabled(rates is not None):  # in training alone something is dropped out
        return backbone.hidden(batch, Stacked(prompts, rates=rates or ())).detach()


def prefix(backbone, length: int, seed: int = 0, layers: tuple[int, ...] = (0, 1)) -> Prompts:
    g = backbone.geometry
    generator = torch.Generator().manual_seed(seed)
    return Prompts(
        prefixes=torch.randn(len(layers), 2, g.kv_heads, length, g.head_size, generator=generator), layers=layers
    )


@pytest.fixture(scope="module")
def backbone(workshop):
    return workshop.backbone()


def test_without_prompts_it_is_the_plain_model(backbone):
    ids = torch.tensor([[2, 20, 21, 3]])
    plain = backbone.encoder(input_ids=ids).last_hidden_state
    torch.testing.assert_close(hidden(backbone, [row([2, 20, 21, 3])]), plain, **EXACT)


def test_slots_filled_with_word_embeddings_are_those_words(backbone):
    words = backbone.embeddings.weight[[30, 31]].detach()
    found = hidden(backbone, [row([0, 2, 0, 20, 3], slots=(0, 2))], [Prompts(slots=words)])
    torch.testing.assert_close(found, hidden(backbone, [row([30, 2, 31, 20, 3])]), **EXACT)


def test_prefixes_that_are_a_texts_own_keys_and_values_stand_for_that_text(workshop):
    """Take keys and values of the first tokens of a longer text out of a run of the plain model, layer by layer, and
    give them as prefixes to the rest: the rest must come out as in the whole."""
    backbone = workshop.backbone()
    backbone.encoder.embeddings.position_embeddings.weight.zero_()  # the rest alone has other positions
    whole, split = [2, 40, 41, 42, 20, 21, 22, 3], 4
    inputs = {}
    layers = backbone.encoder.encoder.layer
    hooks = [
        layer.attention.self.register_forward_pre_hook(
            lambda _, arguments, at=at: inputs.__setitem__(at, arguments[0].detach())
        )
        for at, layer in enumerate(layers)
    ]
    expected = hidden(backbone, [row(whole)])[:, split:]
    for hook in hooks:
        hook.remove()
    g = backbone.geometry
    pairs = []
    for at, layer in enumerate(layers):
        attention = layer.attention.self
        front = inputs[at][0, :split]
        both = [
            part(front).view(split, g.kv_heads, g.head_size).transpose(0, 1)
            for part in (attention.key, attention.value)
        ]
        pairs.append(torch.stack(both))
    prompts = Prompts(prefixes=torch.stack(pairs).detach(), layers=(0, 1))
    torch.testing.assert_close(hidden(backbone, [row(whole[split:])], [prompts]), expected, **EXACT)


@pytest.mark.parametrize("kind", ["prefixes", "slots", "none"])
def test_padding_changes_nothing(backbone, kind):
    prompts = {
        "prefixes": prefix(backbone, 5), "slots": Prompts(slots=torch.randn(2, backbone.geometry.hidden)),
        "none": Prompts(),
    }[kind]  # fmt: skip
    slots = (0, 1) if kind == "slots" else ()
    short, long = row([0, 0, 2, 20, 3], slots), row([0, 0, 2, *range(20, 40), 3], slots)
    alone = hidden(backbone, [short], [prompts])
    beside_a_longer_row = hidden(backbone, [short, long], [prompts])[:1, :5]
    torch.testing.assert_close(alone, beside_a_longer_row, **EXACT)


def test_lanes_with_prefixes_of_one_shape_change_nothing(backbone):
    prompts = [prefix(backbone, 3), prefix(backbone, 3, seed=1), prefix(backbone, 3, seed=2)]
    rows, order = [row([2, 20, 21, 3]), row([2, 20, 3]), row([2, 22, 21, 20, 3])], [2, 0, 1]
    together = hidden(backbone, [rows[lane] for lane in order], prompts, lanes=order)
    for place, lane in enumerate(order):
        alone = hidden(backbone, [rows[lane]], [prompts[lane]])
        torch.testing.assert_close(together[place : place + 1, : alone.shape[1]], alone, **EXACT)


def test_lanes_with_slots_change_nothing_and_rows_without_any_beside_them(backbone):
    prompts = [Prompts(slots=torch.randn(2, backbone.geometry.hidden)) for _ in range(2)]
    rows = [row([0, 0, 2, 20, 21, 3], (0, 1)), row([2, 20, 0, 21, 3, 0, 7], (5, 2)), row([2, 20, 21, 3])]
    together = hidden(backbone, rows, prompts, lanes=[0, 1, 1])
    for place, lane in enumerate((0, 1, 1)):
        alone = hidden(backbone, [rows[place]], [prompts[lane]])
        torch.testing.assert_close(together[place : place + 1, : alone.shape[1]], alone, **EXACT)
    assert torch.equal(hidden(backbone, rows[2:], [prompts[0]]), hidden(backbone, rows[2:]))


@pytest.mark.parametrize(("length", "layers"), [(4, (0, 1)), (3, (1,)), (0, ())])
def test_rows_with_prefixes_of_other_shapes_do_not_meet(backbone, length, layers):
    other = prefix(backbone, length, layers=layers) if length else Prompts()
    with pytest.raises(ValueError, match="one shape"):
        hidden(backbone, [row([2, 20, 3])] * 2, [prefix(backbone, 3), other], lanes=[0, 1])


def test_lanes_with_and_without_slots_do_not_meet(backbone):
    prompts = [Prompts(slots=torch.randn(2, backbone.geometry.hidden)), Prompts()]
    with pytest.raises(ValueError, match="one shape"):
        hidden(backbone, [row([0, 0, 2, 3], (0, 1)), row([2, 20, 3])], prompts, lanes=[0, 1])


def test_dropout_of_a_row_depends_on_its_seed_alone(backbone):
    prompts = [prefix(backbone, 3), prefix(backbone, 3, seed=1)]
    rows = [row([2, 20, 21, 3])] * 3
    together = hidden(backbone, rows, prompts, lanes=[1, 0, 0], rates=[0.3, 0.0], seeds=[5, 6, 7])
    alone = hidden(backbone, rows[:1], prompts[:1], rates=[0.3], seeds=[7])
    torch.testing.assert_close(together[2:], alone, **EXACT)
    other_seed = hidden(backbone, rows[:1], prompts[:1], rates=[0.3], seeds=[8])
    assert not torch.allclose(other_seed, alone)


def test_a_zero_prefix_still_changes_attention(backbone):
    zero = Prompts(prefixes=torch.zeros_like(prefix(backbone, 5).prefixes), layers=(0, 1))
    plain = hidden(backbone, [row([2, 20, 21, 3])])
    assert not torch.allclose(hidden(backbone, [row([2, 20, 21, 3])], [zero]), plain, atol=1e-3)


def test_language_model_scores_are_those_of_the_whole_model(backbone):
    ids = torch.tensor([[2, 20, 4, 3]])
    expected = backbone.model(input_ids=ids).logits[:, 2]
    states = backbone.encoder(input_ids=ids).last_hidden_state[:, 2]
    torch.testing.assert_close(backbone.lm_logits(states), expected, **EXACT)


def test_bf16_on_a_cpu_agrees_with_fp32(workshop):
    from bench.model.loading import load_backbone
    from bench.model.source import find_model

    exact = workshop.backbone()
    rough = load_backbone(find_model(str(workshop.model)), torch.device("cpu"), "bf16", frozen=True)
    prompts = [prefix(exact, 5)]
    rows = [row([2, 20, 21, 3]), row([2, *range(20, 40), 3])]
    with rough.autocast():
        found = hidden(rough, rows, prompts).float()
    error = (found - hidden(exact, rows, prompts)).abs()
    assert error.mean() < 0.02
    assert rough.embeddings.weight.dtype == torch.float32
