"""The encoder lays every slot, mask and label where it must be."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from bench.data.encode import Encoder, Piece, parse
from bench.errors import UsageError
from bench.registry import find_suite
from bench.spec import Example, Slots, Source, Task

SUPERGLUE = find_suite("superglue")
PAD, CLS, SEP, MASK = 0, 2, 3, 4
RTE_ROW = Example(id="0", texts={"premise": "word1 word2.", "hypothesis": "word3."}, labels=(1,))
TAGGING = Task(
    name="tags", kind="tagging", source=Source(local="x"), texts=("words",), label="tags", classes=("O", "B-X"),
    metrics=("entity_f1",),
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path):
    return AutoTokenizer.from_pretrained(tiny_bert)


def words(tokenizer, row) -> str:
    return " ".join(tokenizer.convert_ids_to_tokens(row.ids))


def test_plain_pair_has_special_tokens_types_and_reads_cls(tokenizer):
    (row,) = Encoder(tokenizer, SUPERGLUE.task("rte"), "plain", Slots(), 32).encode([RTE_ROW])
    assert words(tokenizer, row) == "[CLS] word1 word2 . [SEP] word3 . [SEP]"
    assert row.types == [0, 0, 0, 0, 0, 1, 1, 1]
    assert (row.slots, row.read, row.targets, row.cut) == ([], [0], [1], False)


def test_front_slots_shift_what_is_read(tokenizer):
    (row,) = Encoder(tokenizer, SUPERGLUE.task("rte"), "plain", Slots(3), 32).encode([RTE_ROW])
    assert words(tokenizer, row) == "[PAD] [PAD] [PAD] [CLS] word1 word2 . [SEP] word3 . [SEP]"
    assert (row.slots, row.read) == ([0, 1, 2], [3])
    assert row.ids[row.read[0]] == CLS


def test_pattern_slots_stand_at_the_mark_and_mask_is_read(tokenizer):
    encoder = Encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(2, "pattern"), 32)
    (row,) = encoder.encode([RTE_ROW])
    assert words(tokenizer, row) == (
        "[CLS] word1 word2 . question : word3 ? [PAD] [PAD] answer : [MASK] . [SEP]"
    )  # the hypothesis loses its full stop before the pattern's question mark
    assert row.slots == [8, 9]
    assert [row.ids[at] for at in row.read] == [MASK]


def test_front_slots_leave_no_slots_at_the_mark(tokenizer):
    (row,) = Encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(2), 32).encode([RTE_ROW])
    assert words(tokenizer, row) == "[PAD] [PAD] [CLS] word1 word2 . question : word3 ? answer : [MASK] . [SEP]"


def test_sep_in_a_pattern_starts_the_second_text(tokenizer):
    (row,) = Encoder(tokenizer, SUPERGLUE.task("cb"), "cloze", Slots(1, "pattern"), 32).encode([RTE_ROW])
    assert words(tokenizer, row) == "[CLS] word1 word2 . [SEP] word3 ? [PAD] answer : [MASK] [SEP]"
    assert row.types == [0] * 5 + [1] * 7


def test_the_longest_field_is_cut_and_the_pattern_kept(tokenizer):
    long = Example(id="0", texts={"premise": "word1 " * 40, "hypothesis": "word2 word3"}, labels=(0,))
    (row,) = Encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(4, "pattern"), 16).encode([long])
    assert len(row.ids) == 16 + 4
    assert row.cut
    text = words(tokenizer, row)
    assert text.endswith("question : word2 word3 ? [PAD] [PAD] [PAD] [PAD] answer : [MASK] . [SEP]")


def test_a_pattern_longer_than_max_length_is_an_error(tokenizer):
    with pytest.raises(UsageError, match="raise --max-length"):
        Encoder(tokenizer, SUPERGLUE.task("rte"), "cloze", Slots(), 8).encode([RTE_ROW])


@pytest.mark.parametrize("slots", [0, 3])
def test_tagging_reads_each_word_behind_the_slots(tokenizer, slots):
    row = Example(id="0", words=("word1", "word2.", "word3"), labels=(0, 1, 0))  # word2. becomes two tokens
    (found,) = Encoder(tokenizer, TAGGING, "plain", Slots(slots), 32).encode([row])
    assert [found.ids[at] for at in found.read] == tokenizer.convert_tokens_to_ids(["word1", "word2", "word3"])
    assert (found.targets, found.places) == ([0, 1, 0], [0, 1, 2])
    assert found.read[0] == slots + 1


def test_tagging_cuts_labels_together_with_words(tokenizer):
    row = Example(id="0", words=tuple(f"word{at}" for at in range(30)), labels=(1,) * 30)
    (found,) = Encoder(tokenizer, TAGGING, "plain", Slots(), 12).encode([row])
    assert len(found.ids) == 12
    assert found.places == list(range(10))
    assert found.cut


def test_slots_are_shared_out_over_the_marks_first_ones_getting_more():
    kinds = [(piece.kind, piece.count) for piece in parse("[P] {a} [P] [MASK]", 5)]
    assert kinds == [("slots", 3), ("field", 1), ("slots", 2), ("mask", 0)]


def test_a_space_goes_with_what_follows_it():
    assert parse("{a} Question: {b}?", 0) == [
        Piece("field", "a"), Piece("text", " Question:"), Piece("field", "b", count=1), Piece("text", "?"),
    ]  # fmt: skip
