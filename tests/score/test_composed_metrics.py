"""Metrics made of others: the mean of several, and those of one set of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.split import first_rows
from bench.errors import UsageError
from bench.kind import lowest_score, metric_parts
from bench.score.kind import kind_of
from bench.score.metrics import metrics_of, score
from bench.score.table import prediction_table
from bench.store.predictions import read_predictions, write_predictions

NAMES = ("accuracy_and_f1", "accuracy", "f1", "accuracy@matched", "accuracy@mismatched")
GOLD, FOUND = (1, 0, 1, 1), (1, 1, 1, 0)
SETS = ("matched", "mismatched", "mismatched", "mismatched")


@pytest.fixture
def spec(task):
    return task("classification", ("no", "yes"), *NAMES)


@pytest.fixture
def scored(example):
    return [example(label, subset=subset) for label, subset in zip(GOLD, SETS, strict=True)]


def test_names_are_told_apart():
    assert metric_parts("accuracy_and_f1") == [("accuracy", ""), ("f1", "")]
    assert metric_parts("accuracy@matched") == [("accuracy", "matched")]
    assert metric_parts("argument_f1_with_v") == [("argument_f1_with_v", "")]


def test_a_mean_and_the_sets_of_a_split_are_scored(spec, scored):
    f1 = 100 * 2 * 2 / (3 + 3)
    assert score(spec, scored, [[label] for label in FOUND]) == {
        "accuracy_and_f1": pytest.approx((50 + f1) / 2), "accuracy": 50.0, "f1": pytest.approx(f1),
        "accuracy@matched": 100.0, "accuracy@mismatched": pytest.approx(100 / 3),
    }  # fmt: skip


def test_rows_of_no_set_are_of_each(spec, example):
    """As the slice of train is, on which a step is chosen."""
    found = score(spec, [example(1), example(0)], [[1], [1]])
    assert found["accuracy@matched"] == found["accuracy@mismatched"] == found["accuracy"] == 50.0


def test_draws_are_those_of_the_parts_and_of_the_set_s_own_rows(spec, scored):
    rows = kind_of(spec).rows(spec, scored, [[label] for label in FOUND])
    units, times = np.arange(4), np.array([[2, 1, 0, 1], [0, 0, 2, 2], [1, 0, 0, 0]], dtype=np.float32)
    drawn = {
        name: metric.measured(spec, rows).redrawn(units, times).tolist() for name, metric in metrics_of(spec).items()
    }
    assert drawn["accuracy"] == [50.0, 50.0, 100.0]
    assert drawn["f1"] == pytest.approx([100 * 2 * 2 / 6, 100 * 2 * 2 / (2 + 4), 100.0])
    halves = [(first + second) / 2 for first, second in zip(drawn["accuracy"], drawn["f1"], strict=True)]
    assert drawn["accuracy_and_f1"] == pytest.approx(halves)
    assert drawn["accuracy@matched"] == [100.0, 100.0, 100.0]  # the second draw has none of it
    assert drawn["accuracy@mismatched"] == pytest.approx([0.0, 50.0, 100 / 3])  # nor has the third of this


def test_a_set_of_which_nothing_is_scored_is_named(spec, scored):
    with pytest.raises(UsageError, match="task 't': none of the rows scored is of its set 'mismatched'; score more"):
        score(spec, scored[:1], [[1]])


def test_a_few_rows_are_of_every_set(spec, scored):
    for _ in range(3):
        assert {example.subset for example in first_rows(spec, scored, 2, "dev")} == {"matched", "mismatched"}


def test_sets_are_kept_with_the_predictions(spec, scored, tmp_path):
    class Answer:
        candidates, probabilities, null_margin = (), (), None

    table = prediction_table(spec, scored, [Answer()] * 4, [[label] for label in FOUND])
    write_predictions(tmp_path / "p.parquet", table)
    assert read_predictions((tmp_path / "p.parquet").read_bytes())["subsets"] == list(SETS)


def test_a_mean_goes_as_low_as_its_parts_do_on_average():
    names = ("accuracy_and_f1", "pearson_and_spearman", "matthews", "matthews_and_accuracy", "pearson@matched")
    assert [lowest_score(name) for name in names] == [0.0, -100.0, -100.0, -50.0, -100.0]


def test_a_part_that_is_no_metric_is_named(task):
    with pytest.raises(ValueError, match="unknown metric of a classification task 'f2'"):
        task("classification", ("no", "yes"), "accuracy_and_f2")
