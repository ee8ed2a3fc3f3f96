"""SuperGLUE's rows, from its authors' files and as the hub flattens them, become the same fields."""

from __future__ import annotations

from typing import Any

import pytest

from suites.rows.fields import passage_id
from suites.rows.superglue import boolq, copa, multirc, record, rte, sentences, wic, wsc

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


# --- MultiRC

CAT = passage_id("A cat sat.")
LOCAL_MULTIRC: Row = {
    "idx": 7,
    "version": 1.1,
    "passage": {
        "text": "A cat sat.",
        "questions": [
            {
                "question": "Who sat?",
                "idx": 20,
                "answers": [{"text": "A cat", "idx": 40, "label": 1}, {"text": "A dog", "idx": 41, "label": 0}],
            },
            {"question": "Where?", "idx": 21, "answers": [{"text": "here", "idx": 42, "label": 0}]},
        ],
    },
}
HUB_MULTIRC = [
    {
        "paragraph": "A cat sat.", "question": question, "answer": answer, "label": label,
        "idx": {"paragraph": 7, "question": at[0], "answer": at[1]},
    }
    for question, answer, label, at in [
        ("Who sat?", "A cat", "True", (20, 40)),
        ("Who sat?", "A dog", "False", (20, 41)),
        ("Where?", "here", "False", (21, 42)),
    ]
]  # fmt: skip


def test_multirc_s_answers_know_their_question_and_passage() -> None:
    found = list(multirc(LOCAL_MULTIRC))
    assert found[0] == {
        "idx": "7-20-40", "group": CAT, "query": f"{CAT}-20", "passage": "A cat sat.", "question": "Who sat?",
        "answer": "A cat", "label": 1,
    }  # fmt: skip
    assert [(row["query"], row["label"]) for row in found] == [(f"{CAT}-20", 1), (f"{CAT}-20", 0), (f"{CAT}-21", 0)]


def test_multirc_on_the_hub_is_the_same_but_for_how_it_writes_truth() -> None:
    local, found = list(multirc(LOCAL_MULTIRC)), [row for flat in HUB_MULTIRC for row in multirc(flat)]
    assert [row.pop("label") for row in local] == [1, 0, 0]
    assert [row.pop("label") for row in found] == ["True", "False", "False"]
    assert found == local


def test_passages_of_one_number_are_told_apart_by_their_texts() -> None:
    other = {**LOCAL_MULTIRC, "passage": {**LOCAL_MULTIRC["passage"], "text": "A dog sat."}}
    groups = [
        {(row["group"], row["query"].partition("-")[0]) for row in multirc(row)} for row in (LOCAL_MULTIRC, other)
    ]
    assert groups == [{(CAT, CAT)}, {(passage_id("A dog sat."),) * 2}]


def test_multirc_s_questions_without_answers_and_passages_without_questions_are_counted() -> None:
    first, second = LOCAL_MULTIRC["passage"]["questions"]
    passage = {"text": "A cat sat.", "questions": [{**first, "answers": []}, second]}
    found = list(multirc({**LOCAL_MULTIRC, "passage": passage}))
    assert found[0] == {"no_example": "a question without answers"}
    assert [row["answer"] for row in found[1:]] == ["here"]
    empty = {**LOCAL_MULTIRC, "passage": {"text": "A cat sat.", "questions": []}}
    assert list(multirc(empty)) == [{"no_example": "a passage without questions"}]


@pytest.mark.parametrize("idx", [None, "", True, [7], float("nan")])
def test_a_multirc_passage_that_is_not_named_is_refused(idx: object) -> None:
    with pytest.raises(ValueError, match="field 'idx' must be a text or a number"):
        list(multirc({**LOCAL_MULTIRC, "idx": idx}))


# --- ReCoRD

PASSAGE = "Ann met Bo\n@highlight\nBo, of Ulm, left\n@highlight\nAnn stayed"
LOCAL_RECORD = {
    "source": "none",
    "idx": 5,
    "passage": {
        "text": PASSAGE,
        "entities": [
            {"start": start, "end": end} for start, end in ((22, 23), (0, 2), (8, 9), (29, 31), (50, 52))
        ],
    },
    "qas": [
        {
            "query": "Later @placeholder's friends left.", "idx": 11,
            "answers": [{"start": 8, "end": 9, "text": "Bo"}, {"start": 22, "end": 23, "text": "Bo"}],
        },
        {"query": "@placeholder wrote.", "idx": 12, "answers": [{"start": 0, "end": 2, "text": "Ann"}]},
    ],
}  # fmt: skip
SPANS = {"text": ["Ann", "Bo", "Bo", "Ulm", "Ann"], "start": [0, 8, 22, 29, 50], "end": [3, 10, 24, 32, 53]}
HUB_RECORD = [
    {
        "passage": PASSAGE, "query": asked["query"], "entities": ["Ulm", "Bo", "Ann"], "entity_spans": SPANS,
        "answers": [asked["answers"][0]["text"]], "idx": {"passage": 5, "query": asked["idx"]},
    }
    for asked in LOCAL_RECORD["qas"]
]  # fmt: skip


def test_record_offers_each_entity_once_in_order_of_appearance() -> None:
    first, second = record(LOCAL_RECORD)
    assert first == {
        "idx": "5-11", "group": passage_id(PASSAGE), "passage": "Ann met Bo. Bo, of Ulm, left. Ann stayed",
        "before": "Later", "glued": "'s", "after": "friends left.",
        "choices": [
            {"choice": "Ann", "statement": "Later Ann's friends left."},
            {"choice": "Bo", "statement": "Later Bo's friends left."},
            {"choice": "Ulm", "statement": "Later Ulm's friends left."},
        ],
        "answers": ["Bo"], "label": [1],
    }  # fmt: skip
    assert (second["before"], second["glued"], second["after"], second["label"]) == ("", "", "wrote.", [0])


def test_record_on_the_hub_is_the_same() -> None:
    assert [row for flat in HUB_RECORD for row in record(flat)] == list(record(LOCAL_RECORD))


def test_record_may_have_several_right_candidates() -> None:
    (row,) = record({**HUB_RECORD[0], "answers": ["Bo", "Ann"]})
    assert (row["label"], row["answers"]) == ([0, 1], ["Bo", "Ann"])


def test_every_placeholder_of_a_record_query_is_filled() -> None:
    query = "Later @placeholder's and @placeholder met @placeholder."
    first, _ = record({**LOCAL_RECORD, "qas": [{**LOCAL_RECORD["qas"][0], "query": query}] * 2})
    assert (first["before"], first["glued"]) == ("Later", "'s")
    assert "after" not in first
    assert first["choices"][1] == {
        "choice": "Bo", "statement": "Later Bo's and Bo met Bo.", "after": "and Bo met Bo.",
    }  # fmt: skip


def test_placeholders_side_by_side_are_filled_too() -> None:
    (row,) = record({**HUB_RECORD[0], "query": "@placeholder/@placeholder left."})
    assert (row["before"], row["glued"]) == ("", "/")
    assert row["choices"][0] == {"choice": "Ann", "statement": "Ann/Ann left.", "after": "Ann left."}


def test_a_record_passage_without_queries_is_counted() -> None:
    assert list(record({**LOCAL_RECORD, "qas": []})) == [{"no_example": "a passage without queries"}]


def test_a_record_answer_that_is_no_entity_leaves_no_candidate_right() -> None:
    (row,) = record({**HUB_RECORD[0], "answers": ["Cy"]})
    assert (row["label"], row["answers"]) == ([], ["Cy"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": "no hole"}, "the query has no @placeholder"),
        ({"answers": "Bo"}, "field 'answers' must be a list of texts"),
        ({"entity_spans": {**SPANS, "text": ["Ann"]}}, "the lists of field 'entity_spans' must be of one length"),
    ],
)
def test_a_spoiled_record_row_says_why(change: Row, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(record({**HUB_RECORD[0], **change}))


def test_a_record_entity_outside_of_its_passage_is_named() -> None:
    passage = {"text": "Ann met Bo", "entities": [{"start": 8, "end": 10}]}
    with pytest.raises(ValueError, match="characters 8 to 11 lie outside a text of 10 characters"):
        list(record({**LOCAL_RECORD, "passage": passage}))


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        ("One\n@highlight\ntwo", "One. two"),
        ("One.\n@highlight\ntwo!\n@highlight\nthree", "One. two! three"),
        ("He said 'no.'\n@highlight\ntwo", "He said 'no.' two"),
        ("mail a@highlights", "mail a@highlights"),
    ],
)
def test_highlights_become_ends_of_sentences(passage: str, expected: str) -> None:
    assert sentences(passage) == expected


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
