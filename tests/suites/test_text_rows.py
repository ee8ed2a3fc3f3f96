"""SST-2's and SQuAD's rows, from files and from the hub."""

from __future__ import annotations

from typing import Any

import pytest

from suites.glue import sst2
from suites.qa import squad

Row = dict[str, Any]


@pytest.mark.parametrize(
    ("label", "name"), [("0", "negative"), ("1", "positive"), ("positive", "positive"), (1, "positive")]
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
        ({"answers": {"text": ["Ann"], "answer_start": ["0"]}}, ValueError, "'answer_start' must be a whole number"),
        ({"answers": "Ann"}, ValueError, "field 'answers' must be a list of objects"),
        ({"question": 3}, ValueError, "field 'question' must be text, found int"),
    ],
)
def test_a_spoiled_squad_row_says_why(change: Row, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(squad({**FLAT[0], **change}))


def test_a_missing_field_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="context"):
        list(squad({"id": "a"}))
