"""The encoder lays every slot, mask and label where it must be."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bench.data.forms import Piece, parse
from bench.data.slots import Slots
from bench.data.specials import Reader
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Answer, Example, Source, Task
from tests.data.encoder import encoder

SUPERGLUE = find_suite("superglue")
PAD, CLS, SEP, MASK = 0, 2, 3, 4
CAUSAL = Reader(causal=True)
RTE_ROW = Example(id="0", texts={"premise": "word1 word2.", "hypothesis": "word3."}, labels=(1,))
TAGGING = Task(
    name="tags", kind="tagging", source=Source(), classes=("O", "B-X"), metrics=("entity_f1",),
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return AutoTokenizer.from_pretrained(tiny_bert)


def words(tokenizer, row) -> str:
    return " ".join(tokenizer.convert_ids_to_tokens(row.ids))


def test_plain_pair_has_special_tokens_types_and_reads_cls(tokenizer):
    (item,) = encoder(tokenizer, SUPERGLUE.task("rte"), "plain", Slots(), 32)([RTE_ROW])
    (row,) = item.rows
    assert words(tokenizer, row) == "[CLS] word1 word2 . [SEP] word3 . [SEP]"
    assert row.types == [0, 0, 0, 0, 0, 1, 1, 1]
    assert (row.slots, row.read, item.targets, item.cut) == ([], [0], [1], False)


def test_front_slots_shift_what_is_read(tokenizer):
    (item,) = encoder(tokenizer, SUPERGLUE.task("rte"), "plain", Slots(3), 32)([RTE_ROW])
    (row,) = item.rows
    assert words(tokenizer, row) == "[PAD] [PAD] [PAD] [CLS] word1 word2 . [SEP] word3 . [SEP]"
    assert (row.slots, row.read) == ([0, 1, 2], [3])
    assert row.ids[row.read[0]] == CLS


def test_pattern_slots_stand_at_the_mark_and_mask_is_read(tokenizer):
    lay = encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(2, "pattern"), 32)
    (row,) = lay([RTE_ROW])[0].rows
    assert words(tokenizer, row) == (
        "[CLS] word1 word2 . question : word3 ? [PAD] [PAD] answer : [MASK] . [SEP]"
    )  # the hypothesis loses its full stop before the pattern's question mark
    assert row.slots == [8, 9]
    assert [row.ids[at] for at in row.read] == [MASK]


def test_front_slots_leave_no_slots_at_the_mark(tokenizer):
    (item,) = encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(2), 32)([RTE_ROW])
    (row,) = item.rows
    assert words(tokenizer, row) == "[PAD] [PAD] [CLS] word1 word2 . question : word3 ? answer : [MASK] . [SEP]"


def test_sep_in_a_pattern_starts_the_second_text(tokenizer):
    (item,) = encoder(tokenizer, SUPERGLUE.task("cb"), "cloze", Slots(1, "pattern"), 32)([RTE_ROW])
    (row,) = item.rows
    assert words(tokenizer, row) == "[CLS] word1 word2 . [SEP] word3 ? [PAD] answer : [MASK] [SEP]"
    assert row.types == [0] * 5 + [1] * 7


def test_the_longest_field_is_cut_and_the_pattern_kept(tokenizer):
    long = Example(id="0", texts={"premise": "word1 " * 40, "hypothesis": "word2 word3"}, labels=(0,))
    (item,) = encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(4, "pattern"), 16)([long])
    (row,) = item.rows
    assert len(row.ids) == 16 + 4
    assert item.cut
    text = words(tokenizer, row)
    assert text.endswith("question : word2 word3 ? [PAD] [PAD] [PAD] [PAD] answer : [MASK] . [SEP]")


def test_a_pattern_longer_than_max_length_is_an_error(tokenizer):
    with pytest.raises(UsageError, match="raise --max-length"):
        encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(), 8)([RTE_ROW])


@pytest.mark.parametrize("slots", [0, 3])
def test_tagging_reads_each_word_behind_the_slots(tokenizer, slots):
    row = Example(id="0", words=("word1", "word2.", "word3"), labels=(0, 1, 0))  # word2. becomes two tokens
    (found,) = encoder(tokenizer, TAGGING, "plain", Slots(slots), 32)([row])
    (laid,) = found.rows
    assert [laid.ids[at] for at in laid.read] == tokenizer.convert_tokens_to_ids(["word1", "word2", "word3"])
    assert (found.targets, found.places) == ([0, 1, 0], [0, 1, 2])
    assert laid.read[0] == slots + 1


def test_tagging_cuts_labels_together_with_words(tokenizer):
    row = Example(id="0", words=tuple(f"word{at}" for at in range(30)), labels=(1,) * 30)
    (found,) = encoder(tokenizer, TAGGING, "plain", Slots(), 12)([row])
    assert len(found.rows[0].ids) == 12
    assert found.places == list(range(10))
    assert found.cut


def test_slots_are_shared_out_over_the_marks_first_ones_getting_more():
    roles = [(piece.role, piece.count) for piece in parse("[P] {a} [P] [MASK]", 5)]
    assert roles == [("slots", 3), ("field", 1), ("slots", 2), ("mask", 0)]


def test_a_space_goes_with_what_follows_it():
    assert parse("{a} Question: {b}?", 0) == [
        Piece("field", "a"), Piece("text", " Question:"), Piece("field", "b", count=1), Piece("text", "?"),
    ]  # fmt: skip


MARKED = Example(id="0", words=("word1", "word2.", "word1"), labels=(0, 1, 0), marks=(2,))


@pytest.mark.parametrize("slots", [0, 3])
def test_a_word_is_marked_by_its_position_even_when_it_is_repeated(tokenizer, slots):
    (found,) = encoder(tokenizer, TAGGING, "plain", Slots(slots), 32)([MARKED])
    (row,) = found.rows
    mark = tokenizer.convert_ids_to_tokens(tokenizer("*", add_special_tokens=False)["input_ids"])[0]
    assert words(tokenizer, row).split()[slots + 1 : -1] == ["word1", "word2", ".", mark, "word1", mark]
    assert [row.ids[at] for at in row.read] == tokenizer.convert_tokens_to_ids(["word1", "word2", "word1"])
    assert (found.targets, found.places, found.cut) == ([0, 1, 0], [0, 1, 2], False)


def test_a_long_sentence_is_cut_around_its_marked_word(tokenizer):
    long = Example(id="0", words=tuple(f"word{at}" for at in range(40)), labels=(0,) * 40, marks=(35,))
    (found,) = encoder(tokenizer, TAGGING, "plain", Slots(), 12)([long])
    (row,) = found.rows
    assert (len(row.ids), found.cut) == (12, True)
    assert found.places == list(range(31, 39))
    assert [row.ids[at] for at in row.read] == tokenizer.convert_tokens_to_ids([f"word{at}" for at in range(31, 39)])


def test_a_word_without_tokens_is_not_read_and_counts_as_cut(tokenizer):
    odd = Example(id="0", words=("word1", "\u200b \u200b", "word2"), labels=(0, 1, 1))
    (found,) = encoder(tokenizer, TAGGING, "plain", Slots(), 12)([odd])
    assert found.targets == [odd.labels[place] for place in found.places]
    assert found.cut == (len(found.places) < 3)


CHOICE = Task(
    name="pick", kind="choice", source=Source(), plain="{premise}[SEP]{choice}",
    pattern="{premise} [P] [MASK].", metrics=("accuracy",),
)  # fmt: skip
PICK = Example(
    id="0", texts={"premise": "word1 word2."}, choices=({"choice": "word3 word4."}, {"choice": "word5"}), labels=(1,)
)


def test_a_choice_has_a_row_for_every_candidate(tokenizer):
    (item,) = encoder(tokenizer, CHOICE, "plain", Slots(2), 32)([PICK])
    assert [words(tokenizer, row) for row in item.rows] == [
        "[PAD] [PAD] [CLS] word1 word2 . [SEP] word3 word4 . [SEP]",
        "[PAD] [PAD] [CLS] word1 word2 . [SEP] word5 [SEP]",
    ]
    assert ([row.read for row in item.rows], item.targets, item.places) == ([[2], [2]], [0, 1], [0, 1])


def test_a_candidate_in_a_cloze_pattern_is_masked_token_by_token(tokenizer):
    (item,) = encoder(tokenizer, CHOICE, "cloze", Slots(1, "pattern"), 32)([PICK])
    assert [words(tokenizer, row) for row in item.rows] == [
        "[CLS] word1 word2 . [PAD] [MASK] [MASK] . [SEP]", "[CLS] word1 word2 . [PAD] [MASK] . [SEP]",
    ]  # fmt: skip
    for row, wanted in zip(item.rows, (["word3", "word4"], ["word5"]), strict=True):
        assert tokenizer.convert_ids_to_tokens(row.tokens) == wanted
        assert [row.ids[at] for at in row.read] == [MASK] * len(wanted)


SPAN = Task(name="find", kind="span", source=Source(), metrics=("f1",), stride=4)


def span_example(context: str, *answers: str) -> Example:
    found = tuple(Answer(text=text, start=context.index(text)) for text in answers)
    return Example(id="0", texts={"question": "word1?", "context": context}, answers=found, labels=(int(bool(found)),))


def target_text(item, example) -> str:
    """The text between the positions marked as start and end; empty where both are [CLS]."""
    first, last = (next(at for at, target in enumerate(item.targets) if target & bit) for bit in (1, 2))
    if first == last == 0:
        return ""
    return example.texts["context"][item.spans[first - 1][0] : item.spans[last - 1][1]]


@pytest.mark.parametrize("slots", [0, 3])
def test_a_span_goes_through_tokenisation_and_back(tokenizer, slots):
    example = span_example("word2 word3, word4  word5.", "word4  word5")
    (item,) = encoder(tokenizer, SPAN, "plain", Slots(slots), 32)([example])
    (row,) = item.rows
    assert words(tokenizer, row) == "[PAD] " * slots + "[CLS] word1 ? [SEP] word2 word3 , word4 word5 . [SEP]"
    assert target_text(item, example) == "word4  word5"
    assert [row.ids[at] for at in row.read[:2]] == [CLS, tokenizer.convert_tokens_to_ids("word2")]
    assert len(row.read) == len(item.targets) == len(item.spans) + 1


@pytest.mark.parametrize("slots", [0, 3])
def test_a_long_context_becomes_windows_that_hold_every_token_and_overlap(tokenizer, slots):
    context = " ".join(f"word{at}" for at in range(2, 42))
    example = span_example(context, "word20 word21")
    items = encoder(tokenizer, SPAN, "plain", Slots(slots), 16)([example])
    assert all(len(item.rows[0].ids) <= 16 + slots for item in items)
    starts = [span[0] for item in items for span in item.spans]
    assert set(starts) == {context.index(word) for word in context.split()}
    assert all(set(one.spans[-4:]) == set(two.spans[:4]) for one, two in pairwise(items[:-1]))
    assert {target_text(item, example) for item in items} == {"", "word20 word21"}


def test_a_question_without_answer_points_to_cls(tokenizer):
    (item,) = encoder(tokenizer, SPAN, "plain", Slots(), 32)([span_example("word2 word3")])
    assert item.targets == [3, 0, 0]


def test_a_question_that_is_too_long_is_cut_and_counted(tokenizer):
    example = span_example("word2 word3", "word3").model_copy(
        update={"texts": {"question": "word1 " * 40, "context": "word2 word3"}}
    )
    (item,) = encoder(tokenizer, SPAN, "plain", Slots(), 20)([example])
    assert item.cut
    assert target_text(item, example) == "word3"


# --- models whose tokens see only those before them


def test_of_a_causal_model_the_last_token_is_read(tokenizer):
    (item,) = encoder(tokenizer, SUPERGLUE.task("rte"), "plain", Slots(2), 32, reader=CAUSAL)([RTE_ROW])
    (row,) = item.rows
    assert words(tokenizer, row).endswith("word3 . [SEP]")
    assert row.read == [len(row.ids) - 1]


def test_a_causal_cloze_ends_before_its_mask_where_the_next_token_is_scored(tokenizer):
    lay = encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(2, "pattern"), 32, reader=CAUSAL)
    (row,) = lay([RTE_ROW])[0].rows
    assert words(tokenizer, row) == "[CLS] word1 word2 . question : word3 ? [PAD] [PAD] answer :"
    assert (row.read, row.tokens) == ([len(row.ids) - 1], [])


def test_a_causal_candidate_is_told_token_by_token_from_what_stands_before(tokenizer):
    (item,) = encoder(tokenizer, CHOICE, "cloze", Slots(1, "pattern"), 32, reader=CAUSAL)([PICK])
    assert [words(tokenizer, row) for row in item.rows] == [
        "[CLS] word1 word2 . [PAD] word3",
        "[CLS] word1 word2 . [PAD]",
    ]
    assert [tokenizer.convert_ids_to_tokens(row.tokens) for row in item.rows] == [["word3", "word4"], ["word5"]]
    assert [row.read for row in item.rows] == [[4, 5], [4]]


@pytest.mark.parametrize(("marks", "read"), [((), [2, 4, 5]), ((1,), [2, 5, 7])])
def test_of_a_causal_model_a_words_last_token_is_read(tokenizer, marks, read):
    row = Example(id="0", words=("word1", "word2.", "word3"), labels=(0, 1, 0), marks=marks)  # word2. is two tokens
    (found,) = encoder(tokenizer, TAGGING, "plain", Slots(1), 32, reader=CAUSAL)([row])
    assert (found.rows[0].read, found.targets) == (read, [0, 1, 0])
    ids = found.rows[0].ids
    assert tokenizer.convert_ids_to_tokens([ids[at] for at in read]) == ["word1", ".", "word3"]


def test_of_a_causal_model_no_answer_is_the_last_token(tokenizer):
    example = span_example("word2 word3 word4", "word3")
    (item,) = encoder(tokenizer, SPAN, "plain", Slots(), 32, reader=CAUSAL)([example])
    assert item.rows[0].read[0] == len(item.rows[0].ids) - 1
    assert target_text(item, example) == "word3"
