"""The generated rows: the same each time, apart by split, balanced, and well formed."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from itertools import islice
from typing import Any

import pytest

from bench.suites.smoke import CONSEQUENCE, ENTAILMENT, ENTITIES, QUESTIONS, SENTIMENT, SMOKE
from bench.suites.smoke.facts import Fact, claim, fact, falsehood
from bench.suites.smoke.language import documents
from bench.suites.smoke.lexicon import PEOPLE
from bench.suites.smoke.questions import sentences
from bench.task import Split, Task

SPLITS: tuple[Split, ...] = ("train", "dev")
FIRST_ROWS = {
    "sentiment": "171db99519dbb82b",
    "entailment": "f44f51ba37929c9b",
    "entities": "fc7afd33eb3f21fe",
    "consequence": "1a1982abf7eec66c",
    "questions": "74de86252d413369",
}


def rows(task: Task, split: str) -> list[dict[str, Any]]:
    assert task.source.generate is not None
    return task.source.generate(split)


def told(row: dict[str, Any]) -> str:
    found = (row[name] for name in ("text", "premise", "context") if name in row)
    return next(map(str, found), " ".join(row.get("words", ())))


@pytest.mark.parametrize("task", SMOKE.tasks, ids=lambda task: task.name)
def test_rows_are_the_same_each_time_and_in_every_process(task: Task) -> None:
    first = json.dumps([rows(task, split)[:20] for split in SPLITS], sort_keys=True)
    assert first == json.dumps([rows(task, split)[:20] for split in SPLITS], sort_keys=True)
    assert hashlib.sha256(first.encode()).hexdigest()[:16] == FIRST_ROWS[task.name]


@pytest.mark.parametrize("task", SMOKE.tasks, ids=lambda task: task.name)
def test_splits_have_their_declared_sizes_and_no_sentence_in_common(task: Task) -> None:
    train, dev = ({told(row) for row in rows(task, split)} for split in SPLITS)
    assert {"train": len(train), "dev": len(dev)} == task.sizes  # sentences: no row comes twice
    assert not train & dev


def test_pretraining_text_holds_no_sentence_a_dev_row_is_about() -> None:
    kept = {part for task in SMOKE.tasks for row in rows(task, "dev") for part in (told(row), *sentences(told(row)))}
    assert not kept & {part for document in islice(documents(1), 20_000) for part in document.parts}


@pytest.mark.parametrize("task", [SENTIMENT, ENTAILMENT], ids=lambda task: task.name)
@pytest.mark.parametrize("split", SPLITS)
def test_each_class_has_45_to_55_percent_of_the_rows(task: Task, split: Split) -> None:
    found = rows(task, split)
    share = Counter(row["label"] for row in found)[task.classes[0]] / len(found)
    assert 0.45 <= share <= 0.55


@pytest.mark.parametrize("split", SPLITS)
def test_tags_are_well_formed_bio(split: Split) -> None:
    for row in rows(ENTITIES, split):
        assert len(row["words"]) == len(row["tags"])
        for before, tag in zip(["O", *row["tags"]], row["tags"], strict=False):
            assert tag in ENTITIES.classes
            assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_no_name_word_tells_its_type() -> None:
    types: dict[str, Counter[str]] = {}
    for row in rows(ENTITIES, "train"):
        for word, tag in zip(row["words"], row["tags"], strict=True):
            types.setdefault(word, Counter())[tag[2:]] += tag != "O"
    for name in ("jordan", "chelsea", "hill", "king"):
        assert all(types[name][kind] > 0 for kind in ("PER", "LOC", "ORG"))
        assert max(types[name].values()) < 0.6 * sum(types[name].values())


def test_a_claim_that_holds_keeps_the_roles_and_a_false_one_does_not() -> None:
    sold = Fact(relation=0, x="anna", y="ben", thing="red car")
    follows = {claim(random.Random(seed), sold, True) for seed in range(300)}
    wrong = {claim(random.Random(seed), sold, False) for seed in range(300)}
    assert "ben bought the red car from anna" in follows
    assert "the red car was not sold to anna by ben" in follows
    assert "anna bought the red car from ben" in wrong
    assert "anna did not sell the red car to ben" in wrong
    assert not follows & wrong


def test_a_falsehood_is_another_fact() -> None:
    rng = random.Random(0)
    for _ in range(500):
        true = fact(rng)
        assert falsehood(rng, true) != true


@pytest.mark.parametrize("split", SPLITS)
def test_each_candidate_is_right_in_45_to_55_percent_of_the_rows_and_they_differ(split: Split) -> None:
    found = rows(CONSEQUENCE, split)
    assert 0.45 <= sum(row["label"] for row in found) / len(found) <= 0.55
    assert all(row["choices"][0] != row["choices"][1] for row in found)


@pytest.mark.parametrize("split", SPLITS)
def test_an_answer_stands_at_its_place_as_a_whole_word_and_in_either_fact(split: Split) -> None:
    found = rows(QUESTIONS, split)
    for row in found:
        (answer,) = row["answers"]
        before, after = row["context"][: answer["start"]], row["context"][answer["start"] :]
        assert (before or " ")[-1] == " "
        assert after.startswith(f"{answer['text']} ")
    in_first = sum(row["answers"][0]["text"] in sentences(row["context"])[0].split() for row in found)
    assert 0.4 <= in_first / len(found) <= 0.6


def test_a_questions_other_words_stand_in_the_fact_it_asks_about() -> None:
    for row in rows(QUESTIONS, "dev"):
        (fact_asked,) = [one for one in sentences(row["context"]) if row["answers"][0]["text"] in one.split()]
        assert any(word in PEOPLE and word in fact_asked.split() for word in row["question"].split())
