"""Regression: a number per text, from the row to the record, the page and the exported head."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from bench.data.batches import collate
from bench.data.examples import read_examples
from bench.data.rows import Item, Row
from bench.data.split import held_out
from bench.errors import UsageError
from bench.kind import lowest_score
from bench.plan.cells import plan
from bench.report.page.predictions import is_right
from bench.request import RunRequest
from bench.runner import Runner
from bench.score.kind import kind_of
from bench.score.objective import item_losses, item_scores, num_terms
from bench.score.table import prediction_table
from bench.score.trivial import trivial
from bench.store.predictions import read_predictions
from bench.store.store import Store
from bench.task import Example, Source, Task
from bench.train.options import Options
from tests.conftest import Bench, Quiet, pieces
from tests.data.rows import Reader
from tests.kinds.praise import SUITE

STARS = Task(
    name="stars", kind="regression", source=Source(local=("{split}.jsonl",)), plain="{a}[SEP]{b}",
    metrics=("pearson", "spearman"),
)  # fmt: skip
PAIR = {"a": "p", "b": "q"}


def example(value: float, **fields) -> Example:
    return Example(id="0", texts={"a": "p", "b": "q"}, labels=(), value=value, **fields)


def item(value: float) -> Item:
    return Item(0, (Row([1], [0], [], [0]),), [value], [0], False)


# --- rows


@pytest.mark.parametrize(
    ("label", "value"),
    [(2, 2.0), (2.5, 2.5), ("3.800", 3.8), (" -1e-2 ", -0.01), (".5", 0.5), ("5.", 5.0), ("+0", 0.0)],
)
def test_a_label_is_a_number_or_text_that_reads_as_one(label, value, tmp_path):
    (read,) = Reader(tmp_path)(STARS, {**PAIR, "label": label}).examples
    assert (read.value, read.labels, read.texts) == (value, (), PAIR)


NO_NUMBERS = ["nan", "inf", "-Infinity", "1_000", "3,5", "", "five", True, None, [1], "1e999", 10**400]


@pytest.mark.parametrize("label", NO_NUMBERS, ids=range(len(NO_NUMBERS)))
def test_any_other_label_is_one_error_with_file_and_line(label, tmp_path):
    with pytest.raises(UsageError) as error:
        Reader(tmp_path)(STARS, {**PAIR, "label": 1}, {**PAIR, "label": label})
    assert str(error.value) == f"{tmp_path / 'train.jsonl'}:2: label {label!r} is no finite number (task 'stars')"


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_json_s_own_nan_and_infinity_are_no_numbers(lost, tmp_path):
    with pytest.raises(UsageError, match=r"train\.jsonl:1: .*(no finite number|NaN|Infinity)"):
        Reader(tmp_path)(STARS, {**PAIR, "label": lost})


def test_a_train_row_with_an_empty_text_is_left_out(tmp_path):
    reading = Reader(tmp_path)(STARS, {**PAIR, "label": 1}, {**PAIR, "a": " ", "label": 2})
    assert [read.value for read in reading.examples] == [1.0]
    assert reading.left_out == {"an empty 'a'": 1}


def test_large_numbers_are_warned_of(tmp_path):
    reader = Reader(tmp_path)
    reader(STARS, {**PAIR, "label": -2500})
    with pytest.warns(UserWarning, match="task 'stars': a label is as large as 2500, and the loss is its square"):
        read_examples(STARS, "train", tmp_path)
    reader(STARS, {**PAIR, "label": "10"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_examples(STARS, "train", tmp_path)


def test_a_pattern_is_refused_as_there_is_no_cloze_form():
    with pytest.raises(ValueError, match="task 'stars': a regression task has no cloze form; leave its pattern out"):
        Task(**{**dict(STARS), "pattern": "{a} [MASK]"})


# --- what is held out of train


def test_a_slice_has_the_same_share_of_every_tenth_of_the_numbers():
    rows = [Example(id=str(at), texts={"a": str(at)}, labels=(), value=float(at % 100)) for at in range(1000)]
    train, selection = held_out(STARS, rows)
    assert Counter(int(each.value // 10) for each in selection) == dict.fromkeys(range(10), 10)
    assert len(train) == 900
    assert held_out(STARS, rows)[1] == selection
    assert held_out(STARS, rows, seed=1)[1] != selection


def test_equal_numbers_are_one_stratum_and_few_rows_are_enough():
    kind = kind_of(STARS)
    assert kind.strata([example(value) for value in (5, 0, 0, 5)]) == [(9,), (4,), (4,), (9,)]
    assert len({*kind.strata([example(2.0)] * 7)}) == 1
    assert len(held_out(STARS, [example(value).model_copy(update={"id": str(value)}) for value in (1, 2)])[1]) == 1


# --- the objective and the answer


def losses_of(items, scores):
    kind, batch = kind_of(STARS), collate(items, 0, torch.device("cpu"))
    return item_losses(kind, batch, *item_scores(kind, batch, scores))


def test_the_loss_of_an_item_is_the_squared_difference_in_the_label_s_unit():
    scores = torch.tensor([[[1.0]], [[2.5]], [[-1.0]]])
    losses = losses_of([item(3.0), item(2.5), item(0.5)], scores)
    assert losses.tolist() == [4.0, 0.0, 2.25]
    assert losses.dtype == torch.float32
    assert num_terms(STARS, item(3.0)) == 1


def test_the_loss_is_in_fp32_whatever_the_head_gives():
    (loss,) = losses_of([item(3.1)], torch.tensor([[[1.0]]], dtype=torch.bfloat16))
    assert (loss.dtype, loss.item()) == (torch.float32, pytest.approx(4.41, rel=1e-6))


def test_the_head_has_one_column_and_a_bias():
    assert (STARS.columns, STARS.positions_compete, STARS.reads_tokens) == (1, False, False)


def test_the_answer_is_the_score_in_its_shortest_digits_and_so_it_is_kept():
    kind, scored = kind_of(STARS), [example(3.8), example(0.1)]
    found = [kind.answer(STARS, each, [item(0.0)], [np.array([[score]], np.float32)])
             for each, score in zip(scored, (3.4, -1e-7), strict=True)]  # fmt: skip
    predictions = [kind.prediction(each, 0.0) for each in found]
    assert predictions == [3.4, -1e-7]
    table = prediction_table(STARS, scored, found, predictions)
    assert (table["label"], table["predicted"]) == ([["3.8"], ["0.1"]], [["3.4"], ["-1e-07"]])
    assert (table["candidates"], table["probabilities"], table["null_margin"]) == ([[], []], [[], []], [None, None])


def test_the_trivial_answer_is_train_s_mean_and_both_correlations_of_it_are_0():
    train = [example(value) for value in (1.0, 2.0, 6.0)]
    scored = [example(1.0), example(2.0)]
    kind = kind_of(STARS)
    assert kind.trivial(STARS, kind.metrics()["pearson"], train, scored) == [3.0, 3.0]
    assert trivial(STARS, train, scored) == {"pearson": 0.0, "spearman": 0.0}


def test_its_scores_may_be_below_0_and_no_other_kind_s():
    assert {name: lowest_score(name) for name in ("pearson", "spearman", "accuracy", "f1", "none")} == {
        "pearson": -100.0, "spearman": -100.0, "accuracy": 0.0, "f1": 0.0, "none": 0.0,
    }  # fmt: skip


def test_a_number_is_near_and_not_right():
    assert is_right(["3.8"], ["3.8"], "regression") is None


# --- whole runs


@pytest.fixture
def praised(monkeypatch):
    from bench import registry

    monkeypatch.setattr(registry, "_SUITES", {**registry.suites(), SUITE.name: SUITE})


@pytest.mark.parametrize(("method", "rate"), [("ptv2", 2e-2), ("finetune", 2e-3)])
def test_a_method_learns_the_numbers_of_a_small_language(method, rate, praised, tmp_path):
    request = RunRequest(
        suite="praise", methods=(method,), seeds=(0,), set={method: {"learning_rate": rate}},
        steps=40, batch_size=16, max_length=32, evaluations=4,
    )  # fmt: skip
    planned = plan(request, "fp32")
    store = Store.create(tmp_path / "out")
    (record,) = Runner(store, Options(torch.device("cpu")), Quiet()).run(pieces(planned.cells))
    assert (record.status, record.main_metric) == ("done", "pearson")
    assert record.trivial == {"pearson": 0.0, "spearman": 0.0}
    assert record.scores["pearson"] > 80
    assert record.scores["spearman"] > 80
    assert record.curve[-1].train_loss < 0.5 * record.curve[0].train_loss
    kept = read_predictions((store.cell_folder(record.id) / "predictions.parquet").read_bytes())
    predicted, right = (np.array([float(text) for (text,) in kept[name]]) for name in ("predicted", "labels"))
    assert np.corrcoef(predicted, right)[0, 1] * 100 == pytest.approx(record.scores["pearson"], abs=1e-9)
    assert np.abs(predicted - right).mean() < 1.0  # in the label's own unit


@pytest.mark.usefixtures("praised")
def test_methods_that_need_a_cloze_form_are_skipped_with_the_reason():
    planned = plan(RunRequest(suite="praise", methods=("prompting", "autoprompt", "ptuning_v1"), seeds=(0,)), "fp32")
    assert [cell.method for cell in planned.cells] == ["ptuning_v1"]
    assert planned.cells[0].settings["head"] == "linear"
    assert {skip.method.partition(" ")[0]: skip.reason for skip in planned.skips} == {
        "prompting": "prompting scores words in a cloze form, and task 'praise' has none",
        "autoprompt": "autoprompt searches words for a cloze form, and task 'praise' has none",
    }


RUN = ["--suite", "glue", "--tasks", "stsb", "--methods", "lora,finetune", "--seeds", "2", "--steps", "4"]


def test_a_run_a_report_and_an_export_of_sts_b(bench: Bench, tiny_bert: Path):
    from tests.suites.layouts import LAYOUTS

    LAYOUTS["stsb"](Path("data"))
    code, _, err = bench.run(*RUN, "--data", "data")
    assert code == 0, err
    code, out, err = bench("report", "out", "--format", "md,csv,html", "--to", "report")
    assert code == 0, err
    assert "pearson" in out
    assert "predictions.parquet" not in err  # they gave the records' scores and intervals
    rows = pd.read_csv(next(Path("report").glob("table-*.csv")))
    assert rows["low"].min() < 0  # an interval is not cut off at a score that a correlation may go below
    page = next(Path("report").glob("*.html")).read_text()
    assert re.search(r"\[(null,){5,}null\]", page)  # of each sample shown whether it is right: a number is neither
    cells = {json.loads((folder / "record.json").read_text())["cell"]["method"]: folder.name for folder in
             Path("out/cells").iterdir()}  # fmt: skip
    code, _, err = bench("export", cells["lora"], "--in", "out", "--to", "adapter")
    assert code == 0, err
    head = json.loads(Path("adapter/head.json").read_text())
    assert head["classes"] == []
    assert head["reads"].endswith("state: the first token of the text ([CLS])")
