"""The trivial baseline of each kind of task, and the well-known ones of real dev sets (marker `real`)."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bench.score.trivial import trivial
from bench.task import bio
from tests.score.formula import formula

REAL = Path(__file__).parents[3] / "shared" / "real" / "data"
needs_data = pytest.mark.skipif(not REAL.is_dir(), reason="real data is not here")


def test_of_classes_it_is_trains_majority_scored_elsewhere(task, example):
    spec = task("classification", ("a", "b", "c"), "accuracy", "macro_f1")
    train = [example(1), example(1), example(0)]
    assert trivial(spec, train, [example(1), example(0)]) == {"accuracy": 50.0, "macro_f1": pytest.approx(100 * 2 / 9)}


def test_each_metric_has_the_constant_best_by_it(task, example):
    spec = task("classification", ("no", "yes"), "f1a", "accuracy")
    rows = [example(0), example(0), example(0), example(1)]
    assert trivial(spec, rows, rows) == {"f1a": pytest.approx(40.0), "accuracy": 75.0}  # all yes, all no


def test_of_equally_good_constants_it_is_the_first(task, example):
    spec = task("classification", ("a", "b"))
    assert trivial(spec, [example(1), example(0)], [example(1)]) == {"accuracy": 0.0}


def test_of_tags_it_is_no_entity(task, example):
    spec = task("tagging", bio("X"), "entity_f1", "accuracy")
    rows = [example(1, 0)]
    assert trivial(spec, rows, rows) == {"entity_f1": 0.0, "accuracy": 50.0}


def test_of_spans_it_is_no_answer(task, example):
    spec = task("span", (), "em", "f1")
    answered, unanswerable = example(1, answers=["x"]), example(0)
    assert trivial(spec, [answered], [answered, unanswerable]) == {"em": 50.0, "f1": 50.0}
    assert trivial(spec, [answered], [answered]) == {"em": 0.0, "f1": 0.0}


def test_of_choices_it_is_a_candidate_number_or_the_last_where_there_are_fewer(task, example):
    spec = task("choice")
    train = [example(2, choices=("p", "q", "r")), example(1, choices=("p", "q")), example(0, choices=("p", "q"))]
    scored = [example(1, choices=("p", "q")), example(2, choices=("p", "q", "r", "s")), example(0, choices=("p", "q"))]
    assert trivial(spec, train, scored) == {"accuracy": pytest.approx(200 / 3)}


@pytest.mark.parametrize("seed", range(5))
def test_of_choices_it_is_the_one_found_by_trying_every_number_on_all_rows(seed, task, example):
    rng = random.Random(seed)

    def rows(count):
        texts = [rng.choices(("red car", "car", "boat", "the boat"), k=rng.randint(2, 6)) for _ in range(count)]
        return [example(rng.randrange(len(own)), choices=own) for own in texts]

    def constant(number, rows):
        return [[min(number, len(row.choices) - 1)] for row in rows]

    spec, train, scored = task("choice", (), "accuracy", "em", "f1"), rows(30), rows(30)
    for name, value in trivial(spec, train, scored).items():
        metric = formula(name)
        on_train = [metric(spec, train, constant(number, train)) for number in range(6)]
        best = next(number for number in range(6) if on_train[number] == pytest.approx(max(on_train)))
        assert value == metric(spec, scored, constant(best, scored))


def lines(name, split):
    return [json.loads(line) for line in (REAL / "superglue" / name / f"{split}.jsonl").read_text().splitlines()]


@pytest.mark.real
@needs_data
@pytest.mark.parametrize(
    ("name", "kind", "classes", "expected"),
    [
        ("WSC", "classification", (False, True), 63.5),
        ("COPA", "choice", (0, 1), 45.0),  # train has more of the second, dev has 55 % of the first
        ("WiC", "classification", (False, True), 50.0),
        ("RTE", "classification", ("entailment", "not_entailment"), 52.7),
        ("CB", "classification", ("entailment", "contradiction", "neutral"), 50.0),
    ],
)
def test_accuracy_on_superglues_dev_sets(name, kind, classes, expected, task, example):
    names = tuple(map(str, classes))
    train, dev = (
        [example(classes.index(row["label"]), choices=names if kind == "choice" else ()) for row in lines(name, split)]
        for split in ("train", "val")
    )
    found = trivial(task(kind, names), train, dev)
    assert {metric: round(value, 1) for metric, value in found.items()} == {"accuracy": expected}


@pytest.mark.real
@needs_data
def test_f1a_on_multircs_dev_set_is_that_of_all_answers_positive(task, example):
    train, dev = (
        [
            example(answer["label"], group=str(row["idx"]), query=str(question["idx"]))
            for row in lines("MultiRC", split)
            for question in row["passage"]["questions"]
            for answer in question["answers"]
        ]
        for split in ("train", "val")
    )
    found = trivial(task("classification", ("no", "yes"), "f1a", "em"), train, dev)
    assert {metric: round(value, 1) for metric, value in found.items()} == {"f1a": 59.9, "em": 0.3}


@pytest.mark.real
@needs_data
@pytest.mark.parametrize(("name", "expected"), [("v1.1", 0.0), ("v2.0", 100 * 609 / 1056)])
def test_em_and_f1_on_squad_are_the_share_of_questions_without_answer(name, expected, task, example):
    articles = json.loads((REAL / "squad" / f"{name}-dev.json").read_text())["data"]
    dev = [
        example(int(bool(question["answers"])), answers=[answer["text"] for answer in question["answers"]])
        for article in articles
        for passage in article["paragraphs"]
        for question in passage["qas"]
    ]
    assert trivial(task("span", (), "em", "f1"), dev, dev) == pytest.approx({"em": expected, "f1": expected})
