"""Rows that are asked and not scored: with answers or without, they are read as the rows of a split are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.data.examples import read_examples
from bench.data.files import read
from bench.data.located import Located
from bench.data.places import local_files
from bench.data.unanswered import Question, Questions
from bench.errors import UsageError
from bench.registry import find_suite
from bench.task import Example
from tests.suites.layouts import LAYOUTS

TASKS = {task.name: task for task in find_suite("universal").tasks}


def asked(name: str, rows: list[Located]) -> list[Question]:
    return list(Questions(TASKS[name], answered=False).read(rows))


def row(**fields: Any) -> Located:
    return Located("new.jsonl:1", fields)


def one(name: str, **fields: Any) -> Example:
    (question,) = asked(name, [row(**fields)])
    return question.example


@pytest.mark.filterwarnings("ignore:.*what makes no example")
@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_that_are_asked_have_the_texts_of_rows_that_are_scored(name, tmp_path):
    LAYOUTS[name](tmp_path)
    task = TASKS[name]
    files = local_files(task, task.scored, tmp_path)
    form = (task.source.columns, task.source.broken_lines)
    found = [question.example for path in files for question in asked(name, list(read(path, *form)))]
    expected = read_examples(task, task.scored, tmp_path).examples
    assert len(found) == len(expected) > 0
    for one_asked, scored in zip(found, expected, strict=True):
        for what in ("texts", "words", "choices", "marks", "query"):
            assert getattr(one_asked, what) == getattr(scored, what), what


def test_answers_may_be_missing_wherever_a_source_has_them():
    assert one("rte", premise="a b.", hypothesis="c.").texts == {"premise": "a b.", "hypothesis": "c."}
    assert one("sst2", sentence="a").texts == {"sentence": "a"}
    assert one("stsb", sentence1="a", sentence2="b").texts == {"sentence1": "a", "sentence2": "b"}
    assert len(one("copa", premise="A fell.", choice1="B.", choice2="C.", question="cause").choices) == 2
    assert one("conll03", tokens=["a", "b"]).words == ("a", "b")
    assert one("conll04", tokens=["a", "b"]).words == ("a", "b")
    question = {"id": "q", "question": "who?"}
    article = {"title": "T", "paragraphs": [{"context": "Ann met Bo.", "qas": [question]}]}
    assert one("squad2", **article).texts == {"question": "who?", "context": "Ann met Bo."}
    answers = [{"text": "a", "idx": 0}, {"text": "b", "idx": 1}]
    passage = {"text": "p", "questions": [{"question": "q", "idx": 0, "answers": answers}]}
    assert [found.example.texts["answer"] for found in asked("multirc", [row(idx=3, passage=passage)])] == ["a", "b"]


@pytest.mark.parametrize("text", ["Ann\nmet\nBo\n\nBo\nleft\n", "Ann NNP\nmet VBD\nBo NNP\n\nBo NNP\nleft VBD\n"])
def test_a_column_file_of_words_without_tags_is_read(tmp_path, text):
    (tmp_path / "new.txt").write_text(text)
    questions = asked("conll03", list(read(tmp_path / "new.txt")))
    assert [question.example.words for question in questions] == [("Ann", "met", "Bo"), ("Bo", "left")]


def test_what_stands_beside_an_answer_are_the_row_s_own_values_and_an_id():
    (flat,) = asked("rte", [row(premise="a", hypothesis="b", team="red", label="?")])
    assert flat.kept == {"id": "0", "premise": "a", "hypothesis": "b", "team": "red", "label": "?"}
    (named,) = asked("rte", [row(id=17, premise="a", hypothesis="b")])
    assert named.kept == {"id": 17, "premise": "a", "hypothesis": "b"}
    article = {"title": "T", "paragraphs": [{"context": "Ann.", "qas": [{"id": "q", "question": "who?"}]}]}
    (nested,) = asked("squad1", [row(**article)])
    assert nested.kept == {"id": "q", "question": "who?", "context": "Ann.", "title": "T"}


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("rte", {"premise": "a"}, "field 'hypothesis' must be text, found nothing (task 'rte'); the row has premise"),
        ("sst2", {"text": "a"}, "field 'sentence' must be text, found nothing (task 'sst2'); the row has text"),
        ("srl_ewt", {"tokens": ["a"], "frames": [{}]}, "field 'predicate' must be a whole number, found nothing"),
        ("squad1", {"context": "a"}, "field 'id' must be a text or a number, found nothing"),
        ("conll03", {"sentence": "a b"}, "field 'tokens' is missing; the row has sentence"),
    ],
)
def test_a_column_that_is_missing_is_named_with_those_that_are_there(name, fields, reason):
    with pytest.raises(UsageError, match=f"^new.jsonl:1: {re.escape(reason)}"):
        asked(name, [row(**fields)])


def test_articles_without_questions_are_counted(tmp_path):
    path = tmp_path / "new.json"
    path.write_text(json.dumps({"data": [{"title": "T", "paragraphs": []}]}))
    questions = Questions(TASKS["squad1"], answered=False)
    assert list(questions.read(list(read(Path(path))))) == []
    assert questions.no_example.counts == {"an article without paragraphs": 1}
