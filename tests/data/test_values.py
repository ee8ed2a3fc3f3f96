"""Values of rows as files have them: half characters, answers without a text, labels and numbers of every type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.task import Answer, Split, Task
from tests.data.rows import ANSWERLESS, CHOICE, CHOICES, PAIR, PAIRS, SPAN, SPANS, TAGGED, TAGS, Reader, Row


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


# --- half characters, and answers without a text

HALF, WHOLE = "a\ud83db", "a\ufffdb"
HALVES: dict[str, tuple[Task, Row, Row]] = {  # a row of the kind, what is spoiled in it, and how that is then
    "texts": (PAIRS, PAIR, {"premise": HALF, "cloze_only": HALF}),
    "id, group, part and query": (PAIRS, PAIR, dict.fromkeys(("idx", "group", "part", "query"), HALF)),
    "candidates and right texts": (
        CHOICES, CHOICE, {"choices": [{"choice": HALF, "statement": HALF}] * 2, "answers": [HALF]},
    ),
    "words": (TAGS, TAGGED, {"words": [HALF, "left"]}),
    "a question, a context and its answers": (
        SPANS, SPAN, {"question": HALF, "context": f"\ud83d {HALF} {HALF}", "answers": [{"text": HALF, "start": 6}]},
    ),
}  # fmt: skip


def mended(value: object) -> object:
    return json.loads(json.dumps(value).replace("\\ud83d", "\\ufffd"))


@pytest.mark.parametrize(("task", "row", "spoil"), HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_half_a_character_is_replaced_wherever_it_stands_and_counted(
    read: Reader, task: Task, row: Row, spoil: Row, split: Split
) -> None:
    whole = read(task, {**row, **mended(spoil)}, split=split)
    reading = read(task, {**row, **spoil}, split=split)
    assert reading.examples == whole.examples
    count = json.dumps(spoil).count("\\ud83d")
    assert (reading.repaired, whole.repaired) == ({"half a character (a lone surrogate), made U+FFFD": count}, {})


def test_an_answer_behind_half_a_character_stays_where_it_is(read: Reader) -> None:
    (example,) = read(SPANS, {**SPAN, "context": "\ud83d one one", "answers": [{"text": "one", "start": 6}]}).examples
    assert (example.texts["context"], example.answers) == ("\ufffd one one", (Answer(text="one", start=6),))


def test_whole_pairs_are_characters_and_stay(read: Reader) -> None:
    reading = read(PAIRS, {**PAIR, "premise": "\U0001f600"})
    assert (reading.examples[0].texts["premise"], reading.repaired) == ("\U0001f600", {})


def test_half_characters_in_the_names_of_fields_do_not_break_the_error(read: Reader) -> None:
    with pytest.raises(UsageError, match=r"; the row has cloze_only, hypothesis, premise, \ufffd$") as error:
        read(PAIRS, {**{name: text for name, text in PAIR.items() if name != "label"}, "\udc00": 1})
    str(error.value).encode()


def test_what_is_nested_too_deeply_is_named(read: Reader, tmp_path: Path) -> None:
    deep: object = "a"
    for _ in range(200):
        deep = [deep]
    with pytest.raises(UsageError) as error:
        read(PAIRS, {**PAIR, "premise": deep})
    assert str(error.value) == f"{tmp_path}/train.jsonl:1: it is nested more than 100 levels deep"


def test_an_answer_without_a_text_is_left_out_and_counted(read: Reader) -> None:
    blank = {"text": " ", "start": 0}
    reading = read(SPANS, {**SPAN, "answers": [blank, *SPAN["answers"]]}, split="dev")
    assert reading.examples[0].answers == (Answer(text="one", start=8),)
    assert reading.repaired == {"an answer without a text, left out": 1}
    (example,) = read(ANSWERLESS, {**SPAN, "answers": [blank]}, split="dev").examples
    assert (example.answers, example.labels) == ((), (0,))
    with pytest.raises(UsageError, match="the question 'q1' has no answer, which task 'spans' does not allow"):
        read(SPANS, {**SPAN, "idx": "q1", "answers": [blank]})


@pytest.mark.parametrize("start", ["8", " 8 ", 8.0, "8.0"])
def test_the_start_of_an_answer_may_be_text_or_a_float(read: Reader, start: object) -> None:
    (example,) = read(SPANS, {**SPAN, "answers": [{"text": "one", "start": start}]}).examples
    assert example.answers == (Answer(text="one", start=8),)


# --- labels

TRUE_OR_FALSE = [
    (True, 1),
    ("True", 1),
    (" true ", 1),
    (1, 1),
    ("1", 1),
    (1.0, 1),
    (False, 0),
    ("false\n", 0),
    ("0", 0),
]


@pytest.mark.parametrize(("label", "place"), TRUE_OR_FALSE)
def test_truths_are_labels_however_they_are_written(read: Reader, label: object, place: int) -> None:
    for classes in (("false", "true"), ("0", "1")):
        (example,) = read(PAIRS.model_copy(update={"classes": classes}), {**PAIR, "label": label}).examples
        assert example.labels == (place,)


@pytest.mark.parametrize("label", [0.5, 2, "2", "yes", None, "", [], float("nan"), [1], {"label": 1}])
def test_what_is_no_truth_is_no_label_of_one(read: Reader, label: object) -> None:
    with pytest.raises(UsageError, match="unknown label"):
        read(PAIRS, {**PAIR, "label": label})


def test_numbers_stand_for_no_other_classes(read: Reader) -> None:
    with pytest.raises(UsageError, match="unknown label '1' for task 'pairs'; known: yes, no"):
        read(PAIRS.model_copy(update={"classes": ("yes", "no")}), {**PAIR, "label": 1})


def test_classes_that_differ_in_capitals_alone_are_told_apart(read: Reader) -> None:
    task = PAIRS.model_copy(update={"classes": ("US", "us", "it")})
    rows = [{**PAIR, "label": label} for label in ("us", "US", "IT")]
    assert [example.labels for example in read(task, *rows).examples] == [(1,), (0,), (2,)]
    with pytest.raises(UsageError, match="unknown label 'Us'"):
        read(task, {**PAIR, "label": "Us"})


@pytest.mark.parametrize("label", ["1", 1.0, [1.0], ["1"]])
def test_the_number_of_a_candidate_may_be_text_or_a_float(read: Reader, label: object) -> None:
    assert read(CHOICES, {**CHOICE, "label": label}).examples[0].labels == (1,)
