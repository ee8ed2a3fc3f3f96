"""SST-2's and SQuAD's rows, from files and from the hub."""

from __future__ import annotations

from typing import Any

import pytest

from bench.suites.glue import sst2
from bench.suites.qa import squad

Row = dict[str, Any]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("0", "negative"),
        ("1", "positive"),
        ("positive", "positive"),
        (1, "positive"),
        (1.0, "positive"),
        (" 0", "negative"),
    ],
)
def test_sst2_labels_are_numbers_in_files_and_names_on_the_hub(label: str | int, name: str) -> None:
    assert list(sst2({"sentence": "a fine film ", "label": label})) == [{"sentence": "a fine film ", "label": name}]


CONTEXT = "Ann met Bo in Ulm."
ARTICLE = {
    "title": "made",
    "paragraphs": [
        {
            "context": CONTEXT,
            "qas": [
                {"id": "a", "question": "Who met Bo?", "answers": [{"text": "Ann", "answer_start": 0}]},
                {
                    "id": "b", "question": "Who met Cy?", "is_impossible": True, "answers": [],
                    "plausible_answers": [{"text": "Ann", "answer_start": 0}],
                },
            ],
        }
    ],
}  # fmt: skip
FLAT = [
    {"id": name, "title": "made", "context": CONTEXT, "question": question, "answers": answers}
    for name, question, answers in [
        ("a", "Who met Bo?", {"text": ["Ann"], "answer_start": [0]}),
        ("b", "Who met Cy?", {"text": [], "answer_start": []}),
    ]
]


def test_squad_gives_a_row_per_question() -> None:
    first, second = squad(ARTICLE)
    passage = first.pop("part")
    assert first == {
        "idx": "a", "group": "made", "question": "Who met Bo?", "context": CONTEXT,
        "answers": [{"text": "Ann", "start": 0}],
    }  # fmt: skip
    assert (second["idx"], second["answers"], second["group"], second["part"]) == ("b", [], "made", passage)


def test_squad_on_the_hub_is_the_same() -> None:
    assert [row for flat in FLAT for row in squad(flat)] == list(squad(ARTICLE))


def test_questions_of_an_article_are_a_group_and_those_about_a_passage_a_part_of_it() -> None:
    (first,), (other,) = squad(FLAT[0]), squad({**FLAT[0], "context": f"{CONTEXT} "})
    assert first["group"] == other["group"] == "made"
    assert first["part"] != other["part"]


@pytest.mark.parametrize("title", [None, " ", 3])
def test_a_passage_whose_article_has_no_title_is_a_group_of_its_own(title: object) -> None:
    (first,), (other,) = (squad({**FLAT[0], "context": context, "title": title}) for context in (CONTEXT, "Ann"))
    assert (first["group"], other["group"]) == (first["part"], other["part"])
    assert first["group"] != other["group"]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"answers": {"text": ["Ann"], "answer_start": []}},
            ValueError,
            "lists of field 'answers' must be of one length",
        ),
        ({"answers": {"text": ["Ann"], "answer_start": ["x"]}}, ValueError, "'answer_start' must be a whole number"),
        ({"answers": {"text": ["Ann"], "answer_start": [None]}}, ValueError, "'answer_start' must be a whole number"),
        ({"answers": None}, ValueError, "field 'answers' must be a list of objects"),
        ({"id": None}, ValueError, "field 'id' must be a text or a number, found NoneType"),
        ({"is_impossible": "perhaps"}, ValueError, "'is_impossible' must be true or false, found 'perhaps'"),
        ({"is_impossible": "True"}, ValueError, "question 'a' says is_impossible: true, but has an answer"),
        (
            {"is_impossible": "False", "answers": {"text": [" "], "answer_start": [0]}},
            ValueError,
            "question 'a' says is_impossible: false, but has no answer",
        ),
        ({"answers": "Ann"}, ValueError, "field 'answers' must be a list of objects"),
        ({"question": 3}, ValueError, "field 'question' must be text, found int"),
    ],
)
def test_a_spoiled_squad_row_says_why(change: Row, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(squad({**FLAT[0], **change}))


@pytest.mark.parametrize("no", [False, "False", "false ", 0, 0.0, "0", None, "", "missing"])
def test_a_question_that_does_not_say_it_is_impossible_keeps_its_answers(no: object) -> None:
    stated = {} if no == "missing" else {"is_impossible": no}
    (row,) = squad({**FLAT[0], **stated})
    assert row["answers"] == [{"text": "Ann", "start": 0}]


@pytest.mark.parametrize("yes", [True, "True", "TRUE", 1, 1.0, "1"])
def test_an_impossible_question_has_no_answers_even_where_the_field_is_null(yes: object) -> None:
    for answers in ([], None, {"text": [], "answer_start": []}):
        (row,) = squad({**FLAT[1], "is_impossible": yes, "answers": answers})
        assert row["answers"] == []


def test_answers_may_be_json_in_a_cell_of_a_table_and_their_starts_text() -> None:
    (row,) = squad({**FLAT[0], "answers": '{"text": ["Ann"], "answer_start": ["0"]}'})
    assert row["answers"] == [{"text": "Ann", "start": 0}]


def test_articles_and_paragraphs_without_questions_are_counted() -> None:
    paragraphs = [{"context": CONTEXT, "qas": []}]
    assert list(squad({"title": "made", "paragraphs": paragraphs})) == [{"no_example": "a paragraph without questions"}]
    assert list(squad({"title": "made", "paragraphs": []})) == [{"no_example": "an article without paragraphs"}]


def test_a_missing_field_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="context"):
        list(squad({"id": "a"}))
