"""Adapters that fail and rows that do not fit are named by file and line, with what was expected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.task import Task
from tests.data.rows import ANSWERLESS, CANDIDATES, CHOICE, CHOICES, PAIR, PAIRS, SPAN, SPANS, TAGGED, TAGS, Reader, Row


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


# --- what a task's adapter does


FAILING: dict[str, tuple[Callable[[Row], Any], str]] = {
    "no dict": (lambda row: [row["premise"]], "the task's rows must be dicts, found str (task 'pairs')"),
    "KeyError": (lambda row: [row["gone"]], "field 'gone' is missing (task 'pairs'); the row has label, premise"),
    "ValueError": (lambda row: [int(row["premise"])], "invalid literal for int() with base 10: 'p' (task 'pairs')"),
    "TypeError": (lambda row: None, "'NoneType' object is not iterable (task 'pairs')"),
    "IndexError": (lambda row: [row["premise"][3]], "string index out of range (task 'pairs')"),
    "AttributeError": (lambda row: row["premise"].items(), "'str' object has no attribute 'items' (task 'pairs')"),
    "in a generator": (
        lambda row: ({name: row[name]} for name in ("label", "gone")),
        "field 'gone' is missing (task 'pairs'); the row has label, premise",
    ),
}


@pytest.mark.parametrize(("rows", "message"), FAILING.values(), ids=FAILING)
def test_an_adapter_that_fails_names_the_row(
    read: Reader, tmp_path: Path, rows: Callable[[Row], Any], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        read(PAIRS.model_copy(update={"rows": rows}), {"premise": "p", "label": "true"})
    assert str(error.value) == f"{tmp_path}/train.jsonl:1: {message}"


# --- rows that do not fit

MARKED = "are not all words of a sentence of 2"
STARTS = """'answers' must be a list of {"text": …, "start": a number of a character} (task 'spans')"""
CANDIDATE = "a choice needs a list of at least two candidates (task 'choices')"
KNOWN = "O, B-PER, I-PER, B-ARGM-LOC, I-ARGM-LOC"
SPOILED: dict[str, tuple[Task, Row, Row, str]] = {
    "a number for a text": (PAIRS, PAIR, {"premise": 3}, "field 'premise' must be text, found int"),
    "nothing for a text": (PAIRS, PAIR, {"cloze_only": None}, "field 'cloze_only' must be text, found NoneType"),
    "an unknown label": (PAIRS, PAIR, {"label": "x"}, "unknown label 'x' for task 'pairs'; known: false, true"),
    "no label": (PAIRS, PAIR, {"label": None}, "unknown label 'None' for task 'pairs'; known: false, true"),
    "one candidate": (CHOICES, CHOICE, {"choices": CANDIDATES[:1]}, CANDIDATE),
    "a table of candidates": (CHOICES, CHOICE, {"choices": {"choice": ["a", "b"]}}, CANDIDATE),
    "texts for candidates": (CHOICES, CHOICE, {"choices": ["a", "b"]}, CANDIDATE),
    "a candidate without text": (
        CHOICES, CHOICE, {"choices": [CANDIDATES[0], {"statement": "is b"}]},
        "field 'choice' is missing (task 'choices'); the row has statement",
    ),
    "a candidate without a field of the others": (
        CHOICES, CHOICE, {"choices": [CANDIDATES[0], {"choice": "b"}]},
        "field 'statement' is missing (task 'choices'); the row has choice",
    ),
    "a number for a candidate": (
        CHOICES, CHOICE, {"choices": [CANDIDATES[0], {**CANDIDATES[1], "choice": 1}]},
        "field 'choice' must be text, found int",
    ),
    "a candidate too far": (CHOICES, CHOICE, {"label": 2}, "unknown label '2' for task 'choices'; known: 0, 1"),
    "one of several too far": (
        CHOICES, CHOICE, {"label": [0, -1]}, "unknown label '[0, -1]' for task 'choices'; known: 0, 1",
    ),
    "truth for a number": (CHOICES, CHOICE, {"label": True}, "unknown label 'True' for task 'choices'; known: 0, 1"),
    "spans for answers": (
        CHOICES, CHOICE, {"answers": [{"text": "b"}]}, "a choice's 'answers' must be a list of texts (task 'choices')",
    ),
    "a tag too few": (TAGS, TAGGED, {"tags": ["O"]}, "2 words but 1 tags"),
    "no words": (TAGS, TAGGED, {"words": [], "tags": []}, "'words' must be a list of texts that is not empty"),
    "a text for words": (TAGS, TAGGED, {"words": "Ann left"}, "'words' must be a list of texts that is not empty"),
    "numbers for tags": (TAGS, TAGGED, {"tags": [0, 1]}, "'tags' must be a list of texts that is not empty"),
    "an unknown type": (
        TAGS, TAGGED, {"tags": ["O", "B-X"]}, f" (word 1): unknown tag 'B-X' for task 'tags'; known: {KNOWN}",
    ),
    "no tag": (
        TAGS, TAGGED, {"tags": ["O", "PER"]},
        " (word 1): 'PER' is no tag; expected O, or one of B I E S L U, a dash and a type",
    ),
    "a mark too far": (TAGS, TAGGED, {"marks": [2]}, f"marks [2] {MARKED}"),
    "a mark before the start": (TAGS, TAGGED, {"marks": [-1]}, f"marks [-1] {MARKED}"),
    "one mark without a list": (TAGS, TAGGED, {"marks": 1}, f"marks 1 {MARKED}"),
    "an empty context": (SPANS, SPAN, {"context": "\n"}, "the context is empty (task 'spans')"),
    "no answer": (SPANS, SPAN, {"answers": []}, "the question has no answer, which task 'spans' does not allow"),
    "the hub's table of answers": (SPANS, SPAN, {"answers": {"text": ["one"], "answer_start": [8]}}, STARTS),
    "an answer without start": (SPANS, SPAN, {"answers": [{"text": "one"}]}, STARTS),
    "a text for a start": (SPANS, SPAN, {"answers": [{"text": "one", "start": "8 or 9"}]}, STARTS),
    "truth for a start": (SPANS, SPAN, {"answers": [{"text": "one", "start": True}]}, STARTS),
    "half a number for a start": (SPANS, SPAN, {"answers": [{"text": "one", "start": 8.5}]}, STARTS),
    "a text for an answer": (SPANS, SPAN, {"answers": ["one"]}, STARTS),
    "nothing for answers": (ANSWERLESS, SPAN, {"answers": None}, STARTS),
}  # fmt: skip


@pytest.mark.parametrize(("task", "row", "spoil", "message"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_row_is_named(read: Reader, tmp_path: Path, task: Task, row: Row, spoil: Row, message: str) -> None:
    with pytest.raises(UsageError) as error:
        read(task, row, {**row, **spoil})
    separator = "" if message.startswith(" (word") else ": "
    assert str(error.value) == f"{tmp_path}/train.jsonl:2{separator}{message}"


@pytest.mark.parametrize(
    ("task", "row", "name"),
    [(PAIRS, PAIR, "hypothesis"), (PAIRS, PAIR, "label"), (CHOICES, CHOICE, "question"), (CHOICES, CHOICE, "choices"),
     (CHOICES, CHOICE, "label"), (SPANS, SPAN, "context"), (SPANS, SPAN, "answers")],
)  # fmt: skip
def test_a_missing_field_is_named_with_what_the_row_has(read: Reader, task: Task, row: Row, name: str) -> None:
    rest = {key: value for key, value in row.items() if key != name}
    has = ", ".join(sorted(rest))
    with pytest.raises(UsageError, match=rf"field '{name}' is missing \(task '{task.name}'\); the row has {has}$"):
        read(task, rest)


@pytest.mark.parametrize("name", ["words", "tags"])
def test_missing_words_and_tags_are_named(read: Reader, name: str) -> None:
    with pytest.raises(UsageError, match=f":1: field '{name}' is missing"):
        read(TAGS, {key: value for key, value in TAGGED.items() if key != name})


def test_a_split_without_a_usable_row_is_an_error(read: Reader, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read(PAIRS)
    assert str(error.value) == f"task 'pairs': {tmp_path}/train.jsonl has no rows that can be used"
    with pytest.raises(UsageError, match="has no rows that can be used: 1 × an empty 'premise'"):
        read(PAIRS, {**PAIR, "premise": ""})
