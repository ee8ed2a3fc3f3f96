"""Rows become Examples of each kind; what nothing can be learned from is left out of train and counted."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from bench.data.examples import read_examples
from bench.errors import UsageError
from bench.task import Answer, Split, Task
from tests.data.rows import ANSWERLESS, CANDIDATES, CHOICE, CHOICES, PAIR, PAIRS, SPAN, SPANS, TAGGED, TAGS, Reader, Row


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


# --- what an example holds


def test_a_classification_row_keeps_the_fields_of_both_forms(read: Reader) -> None:
    (example,) = read(PAIRS, {**PAIR, "other": 3}).examples
    assert example.texts == {"premise": "p", "hypothesis": "h", "cloze_only": ""}
    assert (example.labels, example.choices, example.words, example.answers) == ((1,), (), (), ())


def test_labels_are_compared_without_regard_to_capitals_truth_included(read: Reader) -> None:
    rows = [{**PAIR, "label": label} for label in (True, False, "True", "FALSE")]
    assert [example.labels for example in read(PAIRS, *rows).examples] == [(1,), (0,), (1,), (0,)]


def test_numbers_are_labels_where_classes_are_numbers(read: Reader) -> None:
    task = PAIRS.model_copy(update={"classes": ("0", "1")})
    rows = ({**PAIR, "label": 1}, {**PAIR, "label": "0"})
    assert [example.labels for example in read(task, *rows).examples] == [(1,), (0,)]


def test_a_choice_keeps_its_candidates_apart_from_what_they_share(read: Reader) -> None:
    (example,) = read(CHOICES, CHOICE).examples
    assert example.texts == {"question": "q"}
    assert (example.choices, example.labels) == (tuple(CANDIDATES), (1,))


def test_several_candidates_may_be_right_and_texts_may_go_with_them(read: Reader) -> None:
    (example,) = read(CHOICES, {**CHOICE, "label": [1, 0, 1], "answers": ["b", "B."]}).examples
    assert example.labels == (1, 0)
    assert example.answers == (Answer(text="b", start=-1), Answer(text="B.", start=-1))


def test_a_choice_none_of_whose_candidates_is_right_is_scored_but_not_learned_from(read: Reader) -> None:
    rows = (CHOICE, {**CHOICE, "label": [], "answers": ["c"]})
    assert [example.labels for example in read(CHOICES, *rows, split="dev").examples] == [(1,), ()]
    reading = read(CHOICES, *rows)
    assert ([example.labels for example in reading.examples], reading.left_out) == (
        [(1,)],
        {"no candidate is right": 1},
    )


def test_a_tagging_row_keeps_words_tags_and_marks_together(read: Reader) -> None:
    (example,) = read(TAGS, {**TAGGED, "tags": ["B-PER", "B-ARGM-LOC"], "marks": [1]}).examples
    assert (example.words, example.labels, example.marks) == (("Ann", "left"), (1, 3), (1,))


def test_the_tag_scheme_is_that_of_the_whole_split(read: Reader) -> None:
    rows = ({"words": ["Ann"], "tags": ["I-PER"]}, {"words": ["Ann", "Bob"], "tags": ["I-PER", "B-PER"]})
    assert [example.labels for example in read(TAGS, *rows).examples] == [(1,), (1, 1)]


def test_a_span_keeps_its_answers_where_they_stand(read: Reader) -> None:
    (example,) = read(SPANS, SPAN).examples
    assert example.texts == {"question": "q", "context": "one two one"}
    assert (example.answers, example.labels) == ((Answer(text="one", start=8),), (1,))


@pytest.mark.parametrize(("given", "found"), [(7, 8), (5, 8), (1, 0), (99, 8), (-1, 0), (0, 0)])
def test_an_answer_that_is_not_at_its_start_is_looked_for_nearby(read: Reader, given: int, found: int) -> None:
    (example,) = read(SPANS, {**SPAN, "answers": [{"text": "one", "start": given}]}).examples
    assert example.answers == (Answer(text="one", start=found),)


def test_an_answer_that_is_nowhere_is_scored_but_not_learned_from(read: Reader) -> None:
    lost = {"text": "uno", "start": 0}
    rows = ({**SPAN, "answers": [lost]}, {**SPAN, "answers": [lost, *SPAN["answers"]]})
    reading = read(SPANS, *rows)
    assert [example.id for example in reading.examples] == ["1"]
    assert reading.left_out == {"an answer is not in its context": 1}
    scored = read(SPANS, *rows, split="dev").examples
    assert [[answer.start for answer in example.answers] for example in scored] == [[-1], [-1, 8]]
    assert [example.labels for example in scored] == [(1,), (1,)]


def test_a_question_without_answer_has_the_label_0(read: Reader) -> None:
    (example,) = read(ANSWERLESS, {**SPAN, "answers": []}).examples
    assert (example.answers, example.labels) == ((), (0,))


def test_a_row_may_become_none_or_many(read: Reader) -> None:
    task = PAIRS.model_copy(update={"rows": lambda row: [{**PAIR, "premise": text} for text in row["texts"]]})
    found = read(task, {"texts": ["a", "b"]}, {"texts": []}, {"texts": ["c"]}).examples
    assert [(example.id, example.texts["premise"]) for example in found] == [("0", "a"), ("1", "b"), ("2", "c")]


# --- empty texts, ids, sizes

EMPTY = [
    (PAIRS, PAIR, {"hypothesis": " "}, "an empty 'hypothesis'"),
    (CHOICES, CHOICE, {"question": ""}, "an empty 'question'"),
    (CHOICES, CHOICE, {"choices": [CANDIDATES[0], {**CANDIDATES[1], "choice": "\n"}]}, "an empty 'choice'"),
    (SPANS, SPAN, {"question": ""}, "an empty 'question'"),
]


@pytest.mark.parametrize(("task", "row", "empty", "reason"), EMPTY)
def test_an_empty_text_is_scored_but_not_learned_from(
    read: Reader, task: Task, row: Row, empty: Row, reason: str
) -> None:
    reading = read(task, row, {**row, **empty})
    assert ([example.id for example in reading.examples], reading.left_out) == (["0"], {reason: 1})
    reading = read(task, row, {**row, **empty}, split="dev")
    assert ([example.id for example in reading.examples], reading.left_out) == (["0", "1"], {})


def told(task: Task, split: Split, folder: Path) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_examples(task, split, folder)
    return [str(warning.message) for warning in caught]


def test_one_line_tells_how_many_rows_are_left_out_and_why(read: Reader, tmp_path: Path) -> None:
    rows = (PAIR, {**PAIR, "premise": ""}, {**PAIR, "hypothesis": ""}, {**PAIR, "premise": " "})
    for split in ("train", "dev"):
        read(PAIRS, *rows, split=split)
    reasons = "1 × an empty 'hypothesis', 2 × an empty 'premise'"
    assert told(PAIRS, "train", tmp_path) == [f"pairs train: 3 rows left out: {reasons}"]
    assert told(PAIRS, "dev", tmp_path) == [f"pairs dev: kept and scored although: {reasons}"]


def test_what_a_tasks_rows_say_of_themselves_is_counted_and_told_once(read: Reader, tmp_path: Path) -> None:
    def rows(row: Row) -> list[Row]:
        if not row["texts"]:
            return [{"no_example": "a page without texts"}]
        return [
            {**PAIR, "premise": text.strip(), "repaired": ["a blank too many"] * text.count(" ")}
            for text in row["texts"]
        ]

    task = PAIRS.model_copy(update={"rows": rows})
    for split, name in (("train", "train"), ("dev", "val")):
        reading = read(task, {"texts": ["a", " b "]}, {"texts": []}, {"texts": [" c"]}, {"texts": []}, split=split)
        assert [example.texts["premise"] for example in reading.examples] == ["a", "b", "c"]
        assert (reading.repaired, reading.no_example) == ({"a blank too many": 3}, {"a page without texts": 2})
        assert reading.left_out == {}
        assert told(task, split, tmp_path) == [
            f"pairs {split}: repaired: 3 × a blank too many (first at {tmp_path}/{name}.jsonl:1)",
            f"pairs {split}: what makes no example: 2 × a page without texts",
        ]


def test_a_split_of_which_nothing_makes_an_example_says_why(read: Reader) -> None:
    task = PAIRS.model_copy(update={"rows": lambda row: [{"no_example": "a page without texts"}]})
    with pytest.raises(UsageError, match=r"train\.jsonl has no rows that can be used: 2 × a page without texts$"):
        read(task, PAIR, PAIR)


def test_ids_are_those_of_the_source_or_running_numbers(read: Reader) -> None:
    rows = [{**PAIR, "idx": 7, "group": 3, "query": "q"}, {**PAIR, "idx": "x"}, PAIR, {**PAIR, "idx": None}]
    found = read(PAIRS, *rows).examples
    assert [example.id for example in found] == ["7", "x", "2", "3"]
    assert (found[0].group, found[0].query, found[1].query) == ("3", "q", None)


@pytest.mark.parametrize("nothing", [None, "", " ", float("nan")])
def test_a_group_or_id_that_says_nothing_is_none(read: Reader, nothing: object) -> None:
    (example,) = read(PAIRS, {**PAIR, "idx": nothing, "group": nothing}).examples
    assert (example.id, example.group) == ("0", None)


def test_equal_texts_are_one_group_of_every_split(read: Reader) -> None:
    rows = [PAIR, {**PAIR, "premise": "other"}, {**PAIR, "premise": " P", "label": "false"}]
    for split in ("train", "dev"):
        found = read(PAIRS, *rows, split=split).examples
        assert found[0].group == found[2].group != found[1].group is None


def test_an_id_that_comes_again_is_made_another(read: Reader, tmp_path: Path) -> None:
    rows = [{**PAIR, "idx": idx} for idx in ("a", "a", "b", "a#2", "a")]
    assert [example.id for example in read(PAIRS, *rows).examples] == ["a", "a#3", "b", "a#2", "a#4"]
    assert told(PAIRS, "train", tmp_path) == [
        "pairs train: 2 × an id that an earlier row has; #2 and so on was put behind it"
    ]


def test_another_size_than_the_official_split_is_a_warning(read: Reader, tmp_path: Path) -> None:
    read(PAIRS, PAIR, {**PAIR, "premise": ""})
    declared = PAIRS.model_copy(update={"sizes": {"train": 3}})
    assert told(declared, "train", tmp_path)[1:] == [
        "pairs train: 2 rows, the official split has 3; scores are not comparable with published ones"
    ]


def test_the_official_size_counts_what_is_left_out(read: Reader, tmp_path: Path) -> None:
    read(PAIRS, PAIR, {**PAIR, "premise": ""})
    declared = PAIRS.model_copy(update={"sizes": {"train": 2}})
    assert told(declared, "train", tmp_path) == ["pairs train: 1 row left out: 1 × an empty 'premise'"]


def test_the_official_size_of_a_tagging_task_counts_its_rows(read: Reader, tmp_path: Path) -> None:
    rows = lambda row: [{**row, "marks": [0]}] * 3 if "tags" in row else [{"no_example": "no predicate"}]  # noqa: E731
    task = TAGS.model_copy(update={"rows": rows, "sizes": {"train": 3}})
    assert len(read(task, TAGGED, {"words": ["no predicate"]}).examples) == 3
    assert told(task, "train", tmp_path) == ["tags train: what makes no example: 1 × no predicate"]
    assert told(task.model_copy(update={"sizes": {"train": 2}}), "train", tmp_path)[1:] == [
        "tags train: 3 propositions, the official split has 2; scores are not comparable with published ones"
    ]
