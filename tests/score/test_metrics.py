"""Metrics against independent implementations."""

from __future__ import annotations

import random

import pytest
from seqeval.metrics import f1_score as seqeval_f1
from sklearn.metrics import accuracy_score, f1_score

from bench.errors import UsageError
from bench.registry import find_suite
from bench.score.metrics import accuracy, entity_f1, find_metric, macro_f1, spans, trivial
from bench.spec import Example, Source, Task

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def labels(rng: random.Random, count: int, classes: int) -> list[list[int]]:
    return [[rng.randrange(classes)] for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_macro_f1_equal_scikit_learns(seed):
    rng = random.Random(seed)
    gold, found = labels(rng, 60, 3), labels(rng, 60, 3)
    flat = [label for row in gold for label in row], [label for row in found for label in row]
    assert accuracy(gold, found, "abc") == pytest.approx(100 * accuracy_score(*flat))
    assert macro_f1(gold, found, "abc") == pytest.approx(100 * f1_score(*flat, average="macro"))


@pytest.mark.parametrize("seed", range(20))
def test_entity_f1_equals_seqevals_on_random_tags_well_formed_or_not(seed):
    rng = random.Random(seed)
    gold, found = ([[rng.randrange(5) for _ in range(12)] for _ in range(8)] for _ in range(2))
    names = [[[TAGS[tag] for tag in row] for row in rows] for rows in (gold, found)]
    assert entity_f1(gold, found, TAGS) == pytest.approx(100 * seqeval_f1(*names))


def test_spans_end_where_the_type_changes():
    assert spans(["B-PER", "I-PER", "I-LOC", "O", "B-PER", "B-PER"]) == [
        (0, 1, "PER"), (2, 2, "LOC"), (4, 4, "PER"), (5, 5, "PER"),
    ]  # fmt: skip


def test_no_entities_and_none_predicted_is_perfect():
    assert entity_f1([[0, 0]], [[0, 0]], TAGS) == 100.0


def test_trivial_baseline_is_trains_majority_scored_on_dev():
    task = find_suite("superglue").task("cb")
    train = [Example(id="a", labels=(1,)), Example(id="b", labels=(1,)), Example(id="c", labels=(0,))]
    dev = [Example(id="d", labels=(1,)), Example(id="e", labels=(0,))]
    assert trivial(task, train, dev) == {"accuracy": 50.0, "macro_f1": pytest.approx(100 * 2 / 9)}


def test_trivial_baseline_of_tagging_is_no_entity():
    task = Task(name="t", kind="tagging", source=Source(local="x"), texts=("w",), label="t", classes=TAGS,
                metrics=("entity_f1", "accuracy"))  # fmt: skip
    dev = [Example(id="a", words=("x", "y"), labels=(1, 0))]
    assert trivial(task, dev, dev) == {"entity_f1": 0.0, "accuracy": 50.0}


def test_an_unknown_metric_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        find_metric("accuracies")
