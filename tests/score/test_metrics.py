"""Metrics of class and candidate numbers against scikit-learn, and by hand where a metric groups or compares texts."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from bench.kind import find_kind, kinds
from bench.score.kind import TaskKind, kind_of
from bench.score.label_metrics import question_em
from bench.score.metrics import score
from tests.score.formula import formula

accuracy, macro_f1, f1a, em, f1 = map(formula, ("accuracy", "macro_f1", "f1a", "em", "f1"))


def column(rng, count, classes):
    return [[rng.randrange(classes)] for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_macro_f1_of_classes_equal_scikit_learns(seed, task, example):
    rng = random.Random(seed)
    gold, found = column(rng, 60, 3), column(rng, 60, 3)
    spec, examples = task("classification", ("a", "b", "c")), [example(*labels) for labels in gold]
    assert accuracy(spec, examples, found) == pytest.approx(100 * accuracy_score(gold, found))
    assert macro_f1(spec, examples, found) == pytest.approx(100 * f1_score(gold, found, average="macro"))


def test_accuracy_and_macro_f1_of_tags_count_every_word_alike(task, example):
    gold, found = [[0, 1, 2], [0]], [[0, 1, 1], [2]]
    spec, examples = task("tagging", ("O", "B-X", "I-X")), [example(*labels) for labels in gold]
    flat = [0, 1, 2, 0], [0, 1, 1, 2]
    assert accuracy(spec, examples, found) == 100 * accuracy_score(*flat) == 50.0
    assert macro_f1(spec, examples, found) == pytest.approx(100 * f1_score(*flat, average="macro"))


def test_macro_f1_counts_a_class_that_occurs_nowhere_as_0(task, example):
    spec = task("classification", ("a", "b", "c", "d"))
    assert macro_f1(spec, [example(0), example(1)], [[0], [1]]) == 50.0


def test_a_choice_is_right_when_it_is_among_the_right_candidates(task, example):
    texts = ("red", "green", "blue")
    examples = [example(*labels, choices=texts) for labels in ((0, 2), (0, 2), (1,), (1,))]
    assert accuracy(task("choice"), examples, [[2], [1], [1], [0]]) == 50.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3])
def test_f1a_equals_scikit_learns_f1_of_the_last_class(seed, classes, task, example):
    rng = random.Random(seed)
    gold, found = column(rng, 40, classes), column(rng, 40, classes)
    per_class = f1_score(gold, found, labels=range(classes), average=None)
    names = ("a", "b", "c")[:classes]
    assert f1a(task("classification", names), [example(*row) for row in gold], found) == pytest.approx(
        100 * per_class[-1]
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [2, 3])
def test_matthews_equals_scikit_learns(seed, classes, task, example):
    rng = random.Random(seed)
    gold, found = column(rng, 40, classes), column(rng, 40, classes)
    spec = task("classification", ("a", "b", "c")[:classes])
    value = formula("matthews")(spec, [example(*row) for row in gold], found)
    assert value == pytest.approx(100 * matthews_corrcoef(gold, found), abs=1e-9)


@pytest.mark.parametrize("found", [[[0], [0]], [[1], [1]]])
def test_matthews_of_one_class_alone_is_0(found, task, example):
    assert formula("matthews")(task("classification", ("no", "yes")), [example(0), example(1)], found) == 0.0


@pytest.mark.parametrize(("gold", "found"), [(0, 0), (0, 1), (1, 0)])
def test_f1a_without_a_right_positive_is_0(gold, found, task, example):
    assert f1a(task("classification", ("no", "yes")), [example(gold)], [[found]]) == 0.0


def test_em_of_classes_is_the_share_of_questions_with_every_answer_right(task, example):
    examples = [example(1, query="q"), example(0, query="r"), example(0, query="q"), example(1, query="s")]
    assert em(task("classification", ("no", "yes")), examples, [[1], [0], [1], [1]]) == pytest.approx(200 / 3)


def test_em_of_classes_tells_the_same_question_on_two_passages_apart(task, example):
    examples = [example(1, query="why", group="p"), example(1, query="why", group="q")]
    assert em(task("classification", ("no", "yes")), examples, [[1], [0]]) == 50.0


def test_em_of_classes_without_queries_is_accuracy(task, example):
    examples, found = [example(1), example(0), example(1)], [[1], [1], [1]]
    spec = task("classification", ("no", "yes"))
    assert em(spec, examples, found) == accuracy(spec, examples, found) == pytest.approx(200 / 3)


@pytest.mark.parametrize(
    ("chosen", "exact", "tokens"),
    [
        (0, 100.0, 100.0),  # the answer
        (1, 100.0, 100.0),  # another mention of it: other case, an article, a full stop
        (2, 0.0, pytest.approx(200 * (1 / 1 * 1 / 2) / (1 / 1 + 1 / 2))),  # one of its two words
        (3, 0.0, 0.0),
    ],
)
def test_a_chosen_candidate_counts_by_its_text(chosen, exact, tokens, task, example):
    examples = [example(0, choices=("Asif Zardari", "The asif ZARDARI.", "Zardari", "CNN"), answers=("Asif Zardari",))]
    assert em(task("choice"), examples, [[chosen]]) == exact
    assert f1(task("choice"), examples, [[chosen]]) == tokens


def test_a_choice_without_answers_has_its_right_candidates_texts_for_them(task, example):
    examples = [example(0, 2, choices=("red car", "boat", "bus"))]
    assert [em(task("choice"), examples, [[number]]) for number in range(3)] == [100.0, 0.0, 100.0]
    assert f1(task("choice"), [example(0, choices=("red car", "car"))], [[1]]) == pytest.approx(200 / 3)


def test_score_gives_every_metric_of_the_task(task, example):
    spec = task("classification", ("no", "yes"), "f1a", "em", "accuracy")
    examples = [example(1, query="q"), example(0, query="q")]
    assert score(spec, examples, [[1], [1]]) == {"f1a": pytest.approx(200 / 3), "em": 0.0, "accuracy": 50.0}


@pytest.mark.parametrize(
    ("kind", "classes", "name", "message"),
    [
        ("span", (), "accuracy", r"unknown metric of a span task 'accuracy';? known: em, f1\. Task 't' asks for it"),
        ("classification", ("a", "b"), "accuracies", "did you mean 'accuracy'"),
    ],
)
def test_a_metric_that_is_none_of_the_kind_s_is_refused_when_the_task_is_made(kind, classes, name, message, task):
    with pytest.raises(ValueError, match=message):
        task(kind, classes, name)


@pytest.mark.parametrize("name", kinds())
def test_a_kind_s_metrics_have_the_names_that_tasks_are_checked_by(name):
    kind = find_kind(name)
    assert isinstance(kind, TaskKind)
    assert tuple(kind.metrics()) == kind.metric_names


RESAMPLED = {
    "accuracy": ("classification", (0, 1, 2)),
    "macro_f1": ("classification", (0, 1, 2)),
    "f1a": ("classification", (0, 1, 2)),
    "matthews": ("classification", (0, 1, 2)),
    "em": ("classification", (0, 1, 2)),
    "entity_f1": ("tagging", (0, 1, 2)),
    "argument_f1": ("tagging", (0, 1, 2)),
    "argument_f1_with_v": ("tagging", (0, 1, 2)),
    "f1": ("span", ()),
}


@pytest.mark.parametrize("name", RESAMPLED)
def test_a_metric_of_examples_drawn_again_and_again_is_its_formula_over_their_summed_terms(name, task, example):
    rng = random.Random(name)
    kind, labels = RESAMPLED[name]
    texts = ("red car", "car", "the boat", "")
    spec = task(kind, ("O", "B-V", "B-X") if kind == "tagging" else ("a", "b", "c") if labels else ())
    num_labels = 1 if kind == "classification" else 5
    if labels:
        examples = [example(*rng.choices(labels, k=num_labels)) for _ in range(12)]
        found = [rng.choices(labels, k=num_labels) for _ in examples]
    else:
        examples = [example(1, answers=(rng.choice(texts),)) for _ in range(12)]
        found = [rng.choice(texts) for _ in examples]
    metric, rows = kind_of(spec).metrics()[name], kind_of(spec).rows(spec, examples, found)
    times = [rng.randrange(4) for _ in examples]
    drawn = [at for at, count in enumerate(times) for _ in range(count)]
    expected = formula(name)(spec, [examples[at] for at in drawn], [found[at] for at in drawn])
    units, weights = np.arange(len(times)), np.array([times], dtype=np.float32)
    assert metric.measured(spec, rows).redrawn(units, weights).tolist() == [pytest.approx(expected)]


def test_the_terms_of_a_question_stand_in_its_first_row(task, example):
    examples = [example(1, query="q"), example(0, query="r"), example(0, query="q")]
    spec = task("classification", ("no", "yes"))
    rows = kind_of(spec).rows(spec, examples, [[1], [0], [1]])
    assert question_em.terms(spec, rows).tolist() == [[0, 1], [1, 1], [0, 0]]


def test_what_is_right_of_a_choice_are_the_right_candidates_and_the_answers_it_lists(task, example):
    with_answers = example(0, choices=("Paris", "Rome"), answers=("Paris", "the city of Paris"))
    assert find_kind("choice").right(task("choice"), with_answers) == ["Paris", "the city of Paris"]
    assert find_kind("choice").right(task("choice"), example(1, choices=("Paris", "Rome"))) == ["Rome"]
