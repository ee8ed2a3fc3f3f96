"""Rows for models whose decoder reads on, and for tokenizers that put nothing in front of a text."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from bench.data.slots import Slots
from bench.data.specials import Reader, special
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Answer, Example, Source, Task
from tests.data.encoder import encoder
from tests.model.families import MBART_LIKE, ROBERTA_LIKE, T5_LIKE, XLNET_LIKE, tokenizer

RTE = find_suite("superglue").task("rte")
ROW = Example(id="0", texts={"premise": "word1 word2.", "hypothesis": "word3."}, labels=(1,))
CHOICE = Task(
    name="choices", kind="choice", source=Source(), plain="{premise}[SEP]{choice}", pattern="{premise} so [P] [MASK].",
    metrics=("accuracy",),
)  # fmt: skip
CHOICES = Example(
    id="0", texts={"premise": "word1"}, choices=({"choice": "word4 word5 word6."}, {"choice": "word7"}), labels=(0,)
)
TAGS = Task(name="tags", kind="tagging", source=Source(), classes=("O", "B-X"), metrics=("entity_f1",))
SPANS = Task(name="spans", kind="span", source=Source(), metrics=("f1",))
SPAN = Example(
    id="0", texts={"question": "word1", "context": "word2 word3 word4"}, answers=(Answer(text="word3", start=6),),
    labels=(1,),
)  # fmt: skip
NONE = Slots()
T5 = tokenizer(*T5_LIKE, mask=False, sentinel=True), Reader(start=0, sentinel="<extra_id_0>")
BART = tokenizer(*ROBERTA_LIKE), Reader(start=3)
MBART = tokenizer(*MBART_LIKE), Reader(start=0, wraps=True)
PEGASUS = tokenizer(*T5_LIKE), Reader(start=0, wordless=True)
XLNET = tokenizer(*XLNET_LIKE, types=True), Reader()


def rows(model, task, form, example, slots=NONE, length=32):
    """Each row of the example as words: (what the encoder reads, what the decoder is fed, what is read), and itself."""
    known, reader = model
    (item,) = encoder(known, task, form, slots, length, reader=reader)([example])

    def said(ids):
        return " ".join(known.convert_ids_to_tokens(ids))

    return [(said(row.ids), said(row.decoder), row) for row in item.rows]


def test_t5_has_the_sentinel_for_the_mask_and_scores_what_comes_after_it():
    ((text, fed, row),) = rows(T5, RTE, "cloze", ROW, Slots(2, "pattern"))
    assert text == "word1 word2 . question : word3 ? [PAD] [PAD] answer : <extra_id_0> . </s>"
    assert (fed, row.read, row.tokens) == ("[PAD] <extra_id_0>", [1], [])


def test_a_sentinel_is_found_where_sentencepiece_has_it_with_a_space():
    """mT5's vocabulary has ▁<extra_id_0>, T5's has <extra_id_0>."""
    known = tokenizer(*T5_LIKE, mask=False, sentinel=True)
    inner = json.loads(known.backend_tokenizer.to_str())
    inner["model"]["vocab"]["▁<extra_id_0>"] = inner["model"]["vocab"].pop("<extra_id_0>")
    inner["added_tokens"] = [each for each in inner["added_tokens"] if each["content"] != "<extra_id_0>"]
    spaced = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(inner)), pad_token="[PAD]")
    reader = Reader(start=0, sentinel="<extra_id_0>")
    assert special(spaced, reader).mask == special(known, reader).mask == inner["model"]["vocab"]["▁<extra_id_0>"]


def test_mbart_is_fed_its_languages_code_and_the_text_before_the_mask():
    """The code is what its tokenizer puts last, [CLS] here; a linear head reads after a text's end and the code."""
    ((text, fed, _),) = rows(MBART, RTE, "cloze", ROW, Slots(2, "pattern"))
    assert text == "word1 word2 . question : word3 ? [PAD] [PAD] answer : [MASK] . </s> [CLS]"
    assert fed == "[CLS] word1 word2 . question : word3 ? answer :"
    ((_, fed, row),) = rows(MBART, RTE, "plain", ROW)
    assert (fed, row.read) == ("</s> [CLS]", [1])


def test_mbart_with_the_code_in_front_is_fed_the_same():
    """mBART-50's layout: its decoder begins with the end of a text, and its labels with the code."""
    known = tokenizer("[CLS] $A </s>", "[CLS] $A $B </s>"), Reader(start=0, wraps=True)
    ((_, fed, _),) = rows(known, RTE, "cloze", ROW)
    assert fed == "</s> [CLS] word1 word2 . question : word3 ? answer :"
    ((_, fed, _),) = rows(known, RTE, "plain", ROW)
    assert fed == "</s> [CLS]"


def test_a_decoder_that_says_no_word_is_fed_its_start_alone():
    ((_, fed, row),) = rows(PEGASUS, RTE, "plain", ROW)
    assert (fed, row.read) == ("[PAD]", [0])


def test_bart_is_fed_the_text_before_the_mask_without_the_slots():
    for slots, front in ((Slots(2, "pattern"), ""), (Slots(2), "[PAD] [PAD] ")):
        ((text, fed, row),) = rows(BART, RTE, "cloze", ROW, slots)
        inner = "" if front else "[PAD] [PAD] "
        assert text == f"{front}<s> word1 word2 . question : word3 ? {inner}answer : [MASK] . </s>"
        assert fed == "[SEP] <s> word1 word2 . question : word3 ? answer :"
        assert row.read == [len(row.decoder) - 1]


@pytest.mark.parametrize(
    ("model", "text", "fed"),
    [
        (T5, "word1 word2 . </s> word3 . </s>", "[PAD] <extra_id_0>"),
        (BART, "<s> word1 word2 . </s> </s> word3 . </s>", "[SEP] <s>"),
    ],
)
def test_a_linear_head_reads_where_a_decoder_begins_to_say_something_of_the_text(model, text, fed):
    ((read, given, row),) = rows(model, RTE, "plain", ROW)
    assert (read, given, row.read) == (text, fed, [1])


@pytest.mark.parametrize(
    ("model", "text", "fed", "mask"),
    [(T5, "word1 so <extra_id_0> . </s>", "[PAD] <extra_id_0>", 1), (BART, "<s> word1 so [MASK] . </s>",
                                                                     "[SEP] <s> word1 so", 3)],
)  # fmt: skip
def test_one_mask_stands_for_a_candidate_whose_tokens_are_fed_one_after_the_other(model, text, fed, mask):
    (long, first, row), (short, second, other) = rows(model, CHOICE, "cloze", CHOICES)
    assert long == short == text
    assert (first, second) == (f"{fed} word4 word5", fed)
    assert model[0].convert_ids_to_tokens(row.tokens) == ["word4", "word5", "word6"]
    assert (row.read, other.read) == ([mask, mask + 1, mask + 2], [mask])


@pytest.mark.parametrize("model", [T5, BART])
def test_what_is_cut_leaves_room_for_what_the_decoder_is_fed(model):
    example = CHOICES.model_copy(update={"texts": {"premise": " ".join(["word1"] * 50)}})
    for _, _, row in rows(model, CHOICE, "cloze", example, Slots(4), length=16):
        assert len(row.ids) - 4 <= 16
        assert len(row.decoder) <= 16


@pytest.mark.parametrize("model", [T5, BART, XLNET])
def test_tags_and_spans_are_read_off_the_encoder(model):
    example = Example(id="0", words=("word1", "word2"), labels=(0, 1))
    ((text, fed, row),) = rows(model, TAGS, "plain", example)
    assert fed == ""
    assert [text.split()[at] for at in row.read] == ["word1", "word2"]
    ((text, fed, row),) = rows(model, SPANS, "plain", SPAN)
    whole = {id(T5): "</s>", id(BART): "<s>", id(XLNET): "[CLS]"}[id(model)]
    assert fed == ""
    assert [text.split()[at] for at in row.read] == [whole, "word2", "word3", "word4"]


def test_a_closing_cls_is_read_for_all_of_a_text_and_has_a_type_of_its_own():
    ((text, _, row),) = rows(XLNET, RTE, "plain", ROW, Slots(2))
    assert text == "[PAD] [PAD] word1 word2 . [SEP] word3 . [SEP] [CLS]"
    assert row.types == [0] * 6 + [1] * 3 + [2]
    assert row.read == [9]
    ((_, _, tagged),) = rows(XLNET, TAGS, "plain", Example(id="0", words=("word1", "word2"), labels=(0, 1)))
    assert tagged.types == [0, 0, 0, 2]
    ((_, _, window),) = rows(XLNET, SPANS, "plain", SPAN)
    assert window.types == [0, 0, 1, 1, 1, 1, 2]


def test_a_tokenizer_without_the_sentinel_is_refused():
    with pytest.raises(UsageError, match="no token <extra_id_0>, which stands for a masked word"):
        encoder(BART[0], RTE, "cloze", Slots(), 32, reader=T5[1])
