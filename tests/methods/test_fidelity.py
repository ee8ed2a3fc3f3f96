"""Methods against independent implementations, with equal weights and inputs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bench.data.batches import collate
from bench.data.rows import Item, Row
from bench.model.loading import load_backbone
from bench.model.prompts import Prompts
from bench.model.source import find_model
from bench.model.stacked import Stacked
from bench.registry import build, find_method, find_suite
from tests.model.families import FAMILIES

RTE = find_suite("superglue").task("rte")
ROWS = ([2, 20, 21, 22, 3], [2, *range(20, 30), 3], [2, 40, 3])  # padded to the longest
LENGTH = 5


@pytest.fixture(scope="module", params=["bert", "roberta"])
def folder(request, tmp_path_factory):
    return FAMILIES[request.param](tmp_path_factory.mktemp("fidelity") / request.param)


@pytest.fixture(scope="module")
def backbone(folder):
    return load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", True)


def batch_of(backbone):
    items = [Item(0, (Row(ids, [0] * len(ids), [], [0]),), [0], [0], False) for ids in ROWS]
    return collate(items, backbone.pad_id, backbone.device)


@torch.no_grad()
def ours(backbone, method, **settings):
    """The attachment, and the hidden states of the real tokens with its prompts."""
    torch.manual_seed(0)
    attachment = build(find_method(method), {"length": LENGTH, **settings}).attach(backbone, RTE)
    nn.init.normal_(attachment.vectors)  # larger than trained from the start, so that it weighs in attention
    batch = batch_of(backbone)
    hidden = backbone.hidden(batch, Stacked([attachment.prompts()]))
    return attachment, hidden[batch.mask.bool()]


@torch.no_grad()
def with_peft(backbone, folder, attachment, **settings):
    """Hidden states of the same rows by PEFT's prefix tuning with the attachment's tensors in it, and its model."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager").eval()
    config = peft.PrefixTuningConfig(task_type="FEATURE_EXTRACTION", num_virtual_tokens=LENGTH, **settings)
    model = peft.get_peft_model(model, config).eval()
    encoder = model.prompt_encoder["default"]
    encoder.embedding.weight.copy_(attachment.vectors)
    if attachment.encoder is not None:
        encoder.transform.load_state_dict(attachment.encoder.state_dict())
    batch = batch_of(backbone)
    states = model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    return states[batch.mask.bool()], model


def test_ptv2_with_offset_positions_equals_peft_prefix_tuning(backbone, folder):
    attachment, hidden = ours(backbone, "ptv2", offset_positions=True)
    expected, _ = with_peft(backbone, folder, attachment)
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)


def test_ptv2_without_offset_differs_from_peft_by_the_positions_alone(backbone, folder):
    attachment, hidden = ours(backbone, "ptv2")
    expected, _ = with_peft(backbone, folder, attachment)
    assert (hidden - expected).abs().max() > 1e-2


def test_prefix_tuning_equals_peft_with_its_projection(backbone, folder):
    attachment, hidden = ours(backbone, "prefix_tuning", offset_positions=True)
    expected, _ = with_peft(backbone, folder, attachment, prefix_projection=True, encoder_hidden_size=512)
    torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_word_scores_with_prefixes_equal_those_of_the_language_model_head_on_peft_states(backbone, folder):
    from transformers import AutoModelForMaskedLM

    attachment, hidden = ours(backbone, "prefix_tuning", offset_positions=True)
    states, _ = with_peft(backbone, folder, attachment, prefix_projection=True, encoder_hidden_size=512)
    whole = AutoModelForMaskedLM.from_pretrained(folder).eval()
    head = getattr(whole, "cls", None) or whole.lm_head
    torch.testing.assert_close(backbone.lm_logits(hidden), head(states), atol=1e-4, rtol=1e-5)


def published_lstm(width, each_way):
    """The prompt encoder of P-tuning v1 by the shapes of its state, two layers: four gates of `each_way` units."""
    ways = [f"l{at}{way}" for at in (0, 1) for way in ("", "_reverse")]
    return {
        **{f"lstm.weight_ih_{way}": (4 * each_way, width if "l0" in way else 2 * each_way) for way in ways},
        **{f"lstm.weight_hh_{way}": (4 * each_way, each_way) for way in ways},
        **{f"lstm.bias_{kind}_{way}": (4 * each_way,) for kind in ("ih", "hh") for way in ways},
        "mlp.0.weight": (width, 2 * each_way), "mlp.0.bias": (width,),
        "mlp.2.weight": (width, width), "mlp.2.bias": (width,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "each_way"), [({}, 1024), ({"encoder_hidden": 512}, 512)], ids=["SuperGLUE", "LAMA"]
)
def test_ptuning_v1_encoder_has_the_published_layers_at_the_size_of_a_large_bert(settings, each_way):
    """In the code for SuperGLUE the LSTM is as wide as the embeddings each way, in that for LAMA half as wide."""
    stand_in = SimpleNamespace(geometry=SimpleNamespace(hidden=4096, embedding=1024))
    attachment = build(find_method("ptuning_v1"), {"length": 6, **settings}).attach(stand_in, RTE)
    assert attachment.vectors.shape == (6, 1024)
    shapes = {name: tuple(each.shape) for name, each in attachment.encoder.named_parameters()}
    assert shapes == published_lstm(1024, each_way)
    assert attachment.encoder.lstm.bidirectional
    assert isinstance(attachment.encoder.mlp[1], nn.ReLU)


def test_ptuning_v1_mlp_encoder_has_the_published_layers():
    stand_in = SimpleNamespace(geometry=SimpleNamespace(hidden=4096, embedding=1024))
    attachment = build(find_method("ptuning_v1"), {"encoder": "mlp"}).attach(stand_in, RTE)
    assert [type(part) for part in attachment.encoder] == [nn.Linear, nn.ReLU, nn.Linear]
    assert {tuple(part.weight.shape) for part in attachment.encoder if isinstance(part, nn.Linear)} == {(1024, 1024)}


def test_ptuning_v1_has_the_published_rates_and_schedule():
    method = build(find_method("ptuning_v1"), {"tune_backbone": True})
    assert (method.learning_rate, method.backbone_learning_rate) == (1e-4, 1e-5)
    assert (method.schedule, method.warmup, method.weight_decay, method.clip) == ("linear", 0.0, 0.0, 1.0)


def test_prompt_tuning_draws_different_words_from_the_first_5000():
    table = torch.arange(9000.0)[:, None].expand(9000, 2).clone()  # row i holds i
    tokenizer = SimpleNamespace(all_special_ids=[0, 1, 2])
    stand_in = SimpleNamespace(word_embeddings=table, tokenizer=tokenizer)
    method = build(find_method("prompt_tuning"), {"length": 3000, "init": "vocab"})
    torch.manual_seed(0)
    ids = method.attach(stand_in, RTE).vectors[:, 0].tolist()
    assert len(set(ids)) == 3000
    assert min(ids) >= 3
    assert 4900 < max(ids) < 5000


def test_prompt_based_fine_tuning_trains_every_weight_through_the_language_model_head(workshop):
    """A step's gradients are those of the cross-entropy over label words at [MASK], by the model class itself."""
    from transformers import AutoModelForMaskedLM

    from bench.train.training import Training

    (cell,) = workshop.cells("finetune", settings={"finetune": {"head": "verbalizer"}})
    own = workshop.backbone(frozen=False)
    lane, twin = workshop.lane(cell, own), workshop.lane(cell, own)
    (stack,) = Training(own, [lane], 10_000).stacks
    stack.step([lane])
    stack.settle()
    model = AutoModelForMaskedLM.from_pretrained(workshop.model).eval()
    items = [twin.data.train[number] for number in twin.next_batch()[0]]
    batch = collate(items, own.pad_id, own.device)
    logits = model(input_ids=batch.ids, attention_mask=batch.mask, token_type_ids=batch.types).logits
    rows = [item.rows[0] for item in items]
    words = own.tokenizer.convert_tokens_to_ids([RTE.words[name] for name in RTE.classes])
    scores = logits[range(len(rows)), [row.read[0] for row in rows]][:, words]
    assert all(row.ids[row.read[0]] == own.tokenizer.mask_token_id for row in rows)
    labels = torch.tensor([item.targets[0] for item in items])
    nn.functional.cross_entropy(scores, labels).backward()
    trained = lane.training_tensors()
    assert {f"backbone.{name}" for name, _ in model.named_parameters()} == set(trained)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(trained[f"backbone.{name}"].grad, weight.grad, atol=1e-6, rtol=1e-4)


def test_no_prompts_is_the_plain_model(backbone, folder):
    from transformers import AutoModel

    batch = batch_of(backbone)
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.no_grad():
        plain = model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
        found = backbone.hidden(batch, Stacked([Prompts()]))
    torch.testing.assert_close(found[batch.mask.bool()], plain[batch.mask.bool()], atol=1e-5, rtol=0)


FED = [0, 86]  # T5's decoder: its start token, and the sentinel that stands for the masked word


@torch.no_grad()
def test_prompt_tuning_on_t5_equals_pefts_in_the_encoder_and_at_the_first_decoder_step(tmp_path):
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForSeq2SeqLM

    folder = FAMILIES["t5"](tmp_path / "t5")
    backbone = load_backbone(find_model(str(folder)), torch.device("cpu"), "fp32", True)
    torch.manual_seed(0)
    attachment = build(find_method("prompt_tuning"), {"length": LENGTH, "init": "uniform"}).attach(backbone, RTE)
    config = peft.PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=LENGTH)
    model = peft.get_peft_model(AutoModelForSeq2SeqLM.from_pretrained(folder), config).eval()
    # PEFT keeps as many vectors for a decoder, and puts the first ones in front of the encoder's text
    model.prompt_encoder["default"].embedding.weight[:LENGTH] = attachment.vectors

    texts = [[*range(20, 30), 85], [40, 41, 85]]
    ids = torch.tensor([texts[0], texts[1] + [0] * 8])
    theirs = model(input_ids=ids, attention_mask=(ids != 0).long(), decoder_input_ids=torch.tensor([FED] * 2))
    states, read_on = (_with_slots(backbone, attachment, texts, fed) for fed in ([], FED))
    for at, text in enumerate(texts):
        length = LENGTH + len(text)
        expected = theirs.encoder_last_hidden_state[at, :length]
        torch.testing.assert_close(states[at, :length], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(backbone.lm_logits(read_on[:, 1]), theirs.logits[:, 1], atol=1e-4, rtol=1e-5)
    plain = _with_slots(backbone, attachment, texts, FED, scale=0.0)
    assert (backbone.lm_logits(plain[:, 1]) - theirs.logits[:, 1]).abs().max() > 1e-2  # the vectors weigh


def _with_slots(backbone, attachment, texts, fed, scale=1.0):
    slots = list(range(LENGTH))
    rows = [Row([0] * LENGTH + ids, [0] * (LENGTH + len(ids)), slots, [0], [], fed) for ids in texts]
    items = [Item(0, (row,), [0], [0], False) for row in rows]
    prompts = Prompts(slots=attachment.prompts().slots * scale)
    return backbone.hidden(collate(items, backbone.pad_id, backbone.device), Stacked([prompts]))
