"""SuperGLUE's rows, from its authors' files and as the hub flattens them, become the same fields."""

from __future__ import annotations

from typing import Any

import pytest

from bench.data.typed import passage_id
from bench.suites.rows.superglue import boolq, copa, rte, wic, wsc

Row = dict[str, Any]


# --- BoolQ and RTE


def test_questions_about_one_passage_and_hypotheses_about_one_premise_are_groups() -> None:
    (asked,) = boolq({"passage": "p", "question": "q", "label": True, "idx": 3, "more": 1})
    assert asked == {"idx": 3, "group": passage_id("p"), "passage": "p", "question": "q", "label": True}
    (entailed,) = rte({"premise": "p", "hypothesis": "h", "label": "entailment"})
    assert entailed == {"group": passage_id("p"), "premise": "p", "hypothesis": "h", "label": "entailment"}


# --- COPA

COPA_ROW = {"premise": "The cup fell.", "choice1": "It broke.", "choice2": "He hit it!", "idx": 3, "label": 1}


@pytest.mark.parametrize(("question", "connective"), [("cause", "because"), ("effect", "so")])
@pytest.mark.parametrize("label", [1, "choice2", " choice2 "])
def test_copa_offers_two_continuations(question: str, connective: str, label: int | str) -> None:
    (row,) = copa({**COPA_ROW, "question": question, "label": label})
    assert row == {
        "idx": 3, "premise": "The cup fell", "connective": connective, "choice1": "It broke", "choice2": "He hit it",
        "choices": [{"choice": "It broke."}, {"choice": "He hit it!"}], "label": 1,
    }  # fmt: skip


def test_copa_names_another_question() -> None:
    with pytest.raises(ValueError, match="'question' must be 'cause' or 'effect', found 'why'"):
        list(copa({**COPA_ROW, "question": "why"}))


# --- WiC

WIC_ROW = {
    "word": "run", "sentence1": "They ran.", "sentence2": "A run on it", "idx": 2, "label": False,
    "start1": 5, "end1": 8, "start2": 2, "end2": 5,
}  # fmt: skip


def test_wic_marks_the_word_in_both_sentences() -> None:
    (row,) = wic(WIC_ROW)
    assert row == {
        "idx": 2, "group": "run", "sentence1": "They * ran *.", "sentence2": "A * run * on it", "word": "run",
        "label": False,
    }  # fmt: skip


def test_wic_s_numbers_may_be_text_or_floats_and_a_word_may_end_within_another() -> None:
    (row,) = wic({**WIC_ROW, "sentence1": "It doesn't.", "start1": "3", "end1": 7.0})
    assert row["sentence1"] == "It * does *n't."


def test_wic_counts_characters_and_not_bytes() -> None:
    (row,) = wic({**WIC_ROW, "sentence1": "Ça — ran", "start1": 5, "end1": 8})
    assert row["sentence1"] == "Ça — * ran *"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end1": 10}, "characters 5 to 10 lie outside a text of 9 characters"),
        ({"start1": -1}, "characters -1 to 8 lie outside"),
        ({"end1": 5}, "there is no word at characters 5 to 5 of 'sentence1'"),
        ({"start2": "two"}, "field 'start2' must be a whole number, found 'two'"),
        ({"start2": True}, "field 'start2' must be a whole number, found True"),
        ({"start2": 1}, "what stands at characters 1 to 5 of 'sentence2' is no word: ' run'"),
        ({"start2": 3}, "what stands at characters 3 to 5 of 'sentence2' is no word: 'un'"),
        ({"sentence2": None}, "field 'sentence2' must be text, found NoneType"),
    ],
)
def test_a_spoiled_wic_row_says_why(change: Row, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(wic({**WIC_ROW, **change}))


# --- WSC


def wsc_row(text: str, noun: tuple[str, int], pronoun: tuple[str, int]) -> Row:
    target = {"span1_text": noun[0], "span1_index": noun[1], "span2_text": pronoun[0], "span2_index": pronoun[1]}
    return {"text": text, "target": target, "idx": 1, "label": True}


def marked(text: str, noun: tuple[str, int], pronoun: tuple[str, int]) -> str:
    (row,) = wsc(wsc_row(text, noun, pronoun))
    return str(row["text"])


def test_wsc_marks_noun_and_pronoun_and_gives_them_alone() -> None:
    row = wsc_row("The red cup fell, so it broke.", ("the red cup", 0), ("it", 5))
    (found,) = wsc(row)
    group = found.pop("group")
    assert found == {
        "idx": 1, "text": "* The red cup * fell, so # it # broke.", "noun": "the red cup", "pronoun": "it",
        "label": True,
    }  # fmt: skip
    (other,) = wsc({**row, "idx": 2, "label": False})
    assert other["group"] == group  # questions about one text stay together


def test_wsc_on_the_hub_is_the_same() -> None:
    row = wsc_row("The red cup fell, so it broke.", ("the red cup", 0), ("it", 5))
    flat = {"text": row["text"], "idx": 1, "label": True, **row["target"]}
    assert list(wsc(flat)) == list(wsc(row))


@pytest.mark.parametrize(
    ("text", "noun", "pronoun", "expected"),
    [
        ("Ann's cup broke; she left.", ("Ann", 0), ("she", 3), "* Ann *'s cup broke; # she # left."),
        ("it fell on it and it broke", ("it", 3), ("it", 5), "it fell on * it * and # it # broke"),
        ("an iron safe . It fell", ("safe", 1), ("It", 4), "an iron * safe * . # It # fell"),  # one word off
        ("a safe, a safe and it", ("safe", 4), ("it", 5), "a safe, a * safe * and # it #"),  # the nearer of two
        ("near their mothers today", ("their mothers", 1), ("their", 1), "near * # their # mothers * today"),
        ('"Go," said he', ("Go", 0), ("he", 2), '"* Go *," said # he #'),
        ("a big\ncat and it", ("big cat", 1), ("it", 4), "a * big\ncat * and # it #"),
        ("a cat and it", ("lion", 1), ("it", 3), "a * cat * and # it #"),  # nowhere: the words as published
    ],
)
def test_wsc_finds_the_published_words(
    text: str, noun: tuple[str, int], pronoun: tuple[str, int], expected: str
) -> None:
    assert marked(text, noun, pronoun) == expected


def test_a_wsc_word_that_is_nowhere_is_named() -> None:
    with pytest.raises(ValueError, match="'lion' is not in the text, and the text has no such word as number 9"):
        marked("a cat and it", ("lion", 9), ("it", 3))
    with pytest.raises(ValueError, match="a span of the text is empty"):
        marked("a cat and it", (" ", 1), ("it", 3))
