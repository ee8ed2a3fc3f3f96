"""MultiRC's and ReCoRD's rows, from their authors' files and as the hub flattens them, become the same fields."""

from __future__ import annotations

from typing import Any

import pytest

from bench.data.typed import passage_id
from bench.suites.rows.superglue import multirc, record, sentences

Row = dict[str, Any]


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
