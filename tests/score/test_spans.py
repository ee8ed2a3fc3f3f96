"""Spans of tags and their F1 against seqeval, an independent implementation of conlleval."""

from __future__ import annotations

import random

import pytest
from seqeval.metrics import f1_score as seqeval_f1

from bench.score.spans import spans
from bench.task import bio
from tests.score.formula import formula

argument_f1, argument_f1_with_v, entity_f1 = map(formula, ("argument_f1", "argument_f1_with_v", "entity_f1"))
ENTITIES = bio("PER", "LOC")
ROLES = bio("V", "ARG0", "C-ARG0", "C-V", "ARGM-TMP")


def random_tags(rng, classes):
    return [[rng.randrange(len(classes)) for _ in range(rng.randrange(1, 14))] for _ in range(8)]


def redrawn(rng, rows, classes):
    """The same with a third of the tags drawn anew, so that some spans agree and some nearly do."""
    return [[rng.randrange(len(classes)) if rng.random() < 1 / 3 else tag for tag in row] for row in rows]


def named(rows, classes, *removed):
    """Tags by name, those of the types `removed` as O."""
    names = [name if name.partition("-")[2] not in removed else "O" for name in classes]
    return [[names[tag] for tag in row] for row in rows]


@pytest.mark.parametrize("seed", range(20))
def test_entity_f1_equals_seqevals_on_random_tags_well_formed_or_not(seed, task, example):
    rng = random.Random(seed)
    gold = random_tags(rng, ENTITIES)
    found = redrawn(rng, gold, ENTITIES)
    expected = 100 * seqeval_f1(named(gold, ENTITIES), named(found, ENTITIES))
    assert entity_f1(task("tagging", ENTITIES), [example(*row) for row in gold], found) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_argument_f1_equals_seqevals_on_tags_without_the_predicate(seed, task, example):
    rng = random.Random(seed)
    gold = random_tags(rng, ROLES)
    found = redrawn(rng, gold, ROLES)
    spec, examples = task("tagging", ROLES), [example(*row) for row in gold]
    arguments = seqeval_f1(named(gold, ROLES, "V", "C-V"), named(found, ROLES, "V", "C-V"))
    everything = seqeval_f1(named(gold, ROLES), named(found, ROLES))
    assert argument_f1(spec, examples, found) == pytest.approx(100 * arguments)
    assert argument_f1_with_v(spec, examples, found) == pytest.approx(100 * everything)


def test_the_predicate_counts_only_with_v(task, example):
    classes = bio("V", "ARG0")
    spec, examples, found = task("tagging", classes), [example(3, 1)], [[0, 1]]
    assert argument_f1(spec, examples, found) == 0.0
    assert argument_f1_with_v(spec, examples, found) == pytest.approx(200 * (1 * 1 / 2) / (1 + 1 / 2))


def test_a_continued_argument_is_a_span_of_its_own(task, example):
    classes = bio("V", "ARG0", "C-ARG0")
    examples, found = [example(3, 1, 5)], [[3, 1, 0]]  # joined, as srl-eval.pl does it, nothing would be right
    assert argument_f1(task("tagging", classes), examples, found) == pytest.approx(200 / 3)


def test_spans_end_where_the_type_changes():
    assert spans(["B-PER", "I-PER", "I-LOC", "O", "B-PER", "B-PER"]) == [
        (0, 1, "PER"), (2, 2, "LOC"), (4, 4, "PER"), (5, 5, "PER"),
    ]  # fmt: skip


def test_a_type_may_have_a_hyphen():
    assert spans(["B-C-ARG0", "I-C-ARG0", "I-ARG0"]) == [(0, 1, "C-ARG0"), (2, 2, "ARG0")]


def test_no_entities_and_none_predicted_is_perfect(task, example):
    assert entity_f1(task("tagging", ENTITIES), [example(0, 0)], [[0, 0]]) == 100.0
