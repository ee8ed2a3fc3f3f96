"""Texts and sentences of which the tokenizer makes nothing have a row all the same, for every kind, form and reader."""

from __future__ import annotations

import pytest
import torch
from tokenizers import normalizers

from bench.data.batches import collate
from bench.data.slots import Slots
from bench.data.specials import Reader
from bench.score.kind import kind_of
from bench.score.objective import item_losses, item_scores, num_terms
from bench.task import Answer, Example, Source, Task
from tests.data.encoder import encoder
from tests.model.families import BERT_LIKE, DECODER_LIKE, T5_LIKE, tokenizer

NOTHING = "\u200b"
COMMON = {"source": Source(), "metrics": ("accuracy",)}
TAGS = Task(name="tags", kind="tagging", classes=("B-X", "O", "I-X"), **COMMON)
CLASSES = Task(
    name="classes", kind="classification", plain="{a}", pattern="{a} [MASK]", classes=("x", "y"),
    words={"x": "yes", "y": "no"}, **COMMON,
)  # fmt: skip
CHOICES = Task(name="choices", kind="choice", plain="{choice}", pattern="{a} [MASK]", **COMMON)
SPANS = Task(name="spans", kind="span", source=Source(), metrics=("f1",))
ANSWERLESS = SPANS.model_copy(update={"answerless": True})
SENTENCE = Example(id="0", words=(NOTHING, NOTHING), labels=(0, 2))
MARKED = SENTENCE.model_copy(update={"marks": (1,)})
TEXT = Example(id="0", texts={"a": NOTHING}, labels=(0,))
CHOICE = Example(id="0", texts={"a": NOTHING}, choices=({"choice": NOTHING}, {"choice": NOTHING}), labels=(1,))
SPAN = Example(
    id="0", texts={"question": NOTHING, "context": NOTHING}, answers=(Answer(text=NOTHING, start=0),), labels=(1,)
)  # fmt: skip


def model(*template, **reader):
    known = tokenizer(*template, mask=not reader, sentinel="sentinel" in reader)
    known.backend_tokenizer.normalizer = normalizers.BertNormalizer()  # takes zero-width spaces away
    assert known(NOTHING, add_special_tokens=False)["input_ids"] == []
    return known, Reader(**reader)


MODELS = {
    "encoder": model(*BERT_LIKE),
    "decoder": model(*DECODER_LIKE, causal=True),
    "encoder and decoder": model(*T5_LIKE, start=0, sentinel="<extra_id_0>"),
}  # fmt: skip
EXAMPLES = [(TAGS, SENTENCE), (TAGS, MARKED), (CLASSES, TEXT), (CHOICES, CHOICE), (SPANS, SPAN), (ANSWERLESS, SPAN)]


@pytest.mark.parametrize("slots", [Slots(), Slots(2), Slots(2, "pattern")])
@pytest.mark.parametrize("form", ["plain", "cloze"])
@pytest.mark.parametrize(("task", "example"), EXAMPLES)
@pytest.mark.parametrize("name", MODELS)
def test_every_row_has_a_position_and_reads_within_it(name, task, example, form, slots):
    known, reader = MODELS[name]
    (item,) = encoder(known, task, form, slots, 16, reader=reader)([example])
    for row in item.rows:
        assert len(row.types) == len(row.ids) > 0
        assert all(0 <= at < len(row.decoder or row.ids) for at in row.read)
        assert len(row.read) == 0 if task is TAGS else len(row.read) == 1
        assert not row.tokens or len(row.tokens) == len(row.read)
    assert len(item.targets) == {"tagging": 0, "choice": 2}.get(task.kind, 1)


def scored(task, example, name="encoder"):
    """The loss of an item that is alone in its micro-batch, the gradients (B, K, C) of scores, and the answer."""
    known, reader = MODELS[name]
    (item,) = encoder(known, task, "plain", Slots(), 16, reader=reader)([example])
    kind, batch = kind_of(task), collate([item], known.pad_token_id, torch.device("cpu"))
    scored = torch.randn(*batch.read.shape, task.columns, requires_grad=True)
    scores, given = item_scores(kind, batch, scored)
    loss = item_losses(kind, batch, scores, given).sum()
    loss.backward()
    return item, loss.item(), scored.grad, kind.answer(task, example, [item], [scores[given].detach().numpy()])


@pytest.mark.parametrize("name", ["encoder", "decoder"])
def test_a_sentence_without_tokens_costs_nothing_and_is_outside(name):
    item, loss, gradient, found = scored(TAGS, SENTENCE, name)
    assert (loss, gradient.tolist(), num_terms(TAGS, item)) == (0.0, [[]], 0)
    assert (found.labels, found.probabilities) == ((1, 1), ())  # O


def test_a_context_without_tokens_costs_nothing_and_is_answered_with_nothing():
    for task in (SPANS, ANSWERLESS):
        _, loss, gradient, found = scored(task, SPAN)
        assert (loss, gradient.tolist(), found.text) == (0.0, [[[0.0, 0.0]]], "")


def test_a_candidate_without_tokens_is_one_masked_filler():
    known, reader = MODELS["encoder"]
    (item,) = encoder(known, CHOICES, "cloze", Slots(), 16, reader=reader)([CHOICE])
    assert [known.convert_ids_to_tokens(row.ids) for row in item.rows] == [["[CLS]", "[MASK]", "[SEP]"]] * 2
    assert [(row.read, row.tokens) for row in item.rows] == [([1], [known.pad_token_id])] * 2
