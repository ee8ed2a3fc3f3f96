"""Scores of a model's own predictions, as a run leaves them on disk, against independent implementations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from seqeval.metrics import f1_score as seqeval_f1
from sklearn.metrics import accuracy_score
from torchmetrics.functional.text import squad

from bench.plan.cells import plan
from bench.registry import find_suite, suites
from bench.report.read.frame import frame
from bench.report.statistics.draws import draw_cells
from bench.request import RunRequest
from bench.runner import Runner
from bench.score.metrics import metrics_of
from bench.score.predicted import PredictedRows
from bench.store.store import Store
from bench.train.options import Options
from tests.conftest import Quiet, pieces

SMOKE = find_suite("smoke")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[dict[str, Any], pd.DataFrame]]:
    """Per task of the embedded suite a record, as JSON, and its predictions after some training of the tiny model."""
    folder = tmp_path_factory.mktemp("run") / "out"
    request = RunRequest(suite="smoke", methods=("ptv2",), models=SMOKE.models[:1], seeds=(0,), steps=40)
    store = Store.create(folder)
    Runner(store, Options(torch.device("cpu")), Quiet()).run(pieces(plan(request, "fp32").cells))
    found = {}
    assert draw_cells(frame([store]), suites()).problems == []  # every file gives its record's scores
    for path in sorted(Path(folder, "cells").glob("*/record.json")):
        record = json.loads(path.read_text())
        assert record["status"] == "done", record["reason"]
        found[record["cell"]["task"]] = record, pd.read_parquet(path.parent / "predictions.parquet")
    return found


def test_entities_equal_seqevals(measured):
    record, table = measured["entities"]
    labels, predicted = ([list(tags) for tags in table[name]] for name in ("label", "predicted"))
    assert record["scores"]["entity_f1"] == pytest.approx(100 * seqeval_f1(labels, predicted))
    assert 5 < record["scores"]["entity_f1"] < 100


@pytest.mark.parametrize("task", ["sentiment", "entailment", "consequence"])
def test_classes_and_choices_equal_scikit_learns(measured, task):
    record, table = measured[task]
    labels, predicted = ([own[0] for own in table[name]] for name in ("label", "predicted"))
    assert record["scores"]["accuracy"] == pytest.approx(100 * accuracy_score(labels, predicted))
    assert 40 < record["scores"]["accuracy"] < 100
    best = [own["candidates"][own["probabilities"].argmax()] for _, own in table.iterrows() if len(own["candidates"])]
    assert best == (predicted if task == "consequence" else [])


def test_spans_equal_torchmetrics_squad(measured):
    record, table = measured["questions"]
    said = [{"id": own["id"], "prediction_text": own["predicted"][0]} for _, own in table.iterrows()]
    wanted = [
        {"id": own["id"], "answers": {"text": list(own["label"]), "answer_start": [0] * len(own["label"])}}
        for _, own in table.iterrows()
    ]
    independent = squad(said, wanted)
    assert record["scores"]["em"] == pytest.approx(float(independent["exact_match"]), abs=1e-4)
    assert record["scores"]["f1"] == pytest.approx(float(independent["f1"]), abs=1e-4)
    assert 1 < record["scores"]["f1"] < 100


def test_every_question_is_answered_exactly_once(measured):
    for task in SMOKE.tasks:
        record, table = measured[task.name]
        assert table["id"].tolist() == [str(number) for number in range(task.sizes["dev"])]
        assert record["counts"]["scored"] == len(table)


@pytest.mark.parametrize("name", [task.name for task in SMOKE.tasks])
def test_sums_of_each_examples_terms_read_back_from_disk_give_every_score(name, measured):
    (record, table), task = measured[name], SMOKE.task(name)
    columns = {"labels": "label", "predicted": "predicted", "groups": "group", "queries": "query"}
    rows = PredictedRows(**{key: table[column].tolist() for key, column in columns.items()})
    sums = {key: metric.terms(task, rows) for key, metric in metrics_of(task).items()}
    assert {len(terms) for terms in sums.values()} == {len(table)}
    scores = {key: float(metrics_of(task)[key].combine(terms.sum(axis=0))) for key, terms in sums.items()}
    assert scores == pytest.approx(record["scores"], abs=1e-9)
