"""Published numbers beside measured ones: for the paper's own models, tasks and metrics, and for no other."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from bench.report.files import Report, collect, write_report
from bench.report.read import published
from bench.report.read.published import matches

CHOSEN = {"superglue": ("rte", "boolq", "cb")}
LARGE = "FacebookAI/roberta-large"
SAID = "(published: Liu et al. 2022)"


@pytest.mark.parametrize(
    "model",
    [
        "roberta-large",
        "RoBERTa-large",
        "FacebookAI/roberta-large",
        "/models/roberta-large/",
        r"C:\models\roberta-large",
    ],
)
def test_owner_folders_and_case_do_not_matter(model: str) -> None:
    assert matches(model, 355e6, "RoBERTa-large", 355e6)


def test_a_cased_and_an_uncased_model_are_the_paper_s() -> None:
    assert matches("bert-large-cased", 333e6, "BERT-large", 335e6)
    assert matches("google-bert/bert-large-uncased", 335e6, "BERT-large", 335e6)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("roberta-base", 355e6), ("xlm-roberta-large", 355e6), ("roberta-large-mnli", 355e6),
        ("roberta-large", 20e6), ("roberta-large", 420e6),
    ],
)  # fmt: skip
def test_another_name_or_size_is_another_model(model: str, parameters: float) -> None:
    assert not matches(model, parameters, "RoBERTa-large", 355e6)


def test_a_model_of_unknown_size_is_told_by_its_name() -> None:
    assert matches("roberta-large", math.nan, "RoBERTa-large", 355e6)


@pytest.fixture
def measured(cell: Any, record: Any, store: Any) -> Any:
    """RTE and BoolQ with the paper's model, and CB with another."""

    def make(tasks: tuple[str, ...] = ("rte", "boolq")) -> Report:
        records = []
        for task in tasks:
            made = record(cell(task, LARGE), 60.0)
            sizes = made.parameters.model_copy(update={"backbone": 355_000_000})
            records.append(made.model_copy(update={"parameters": sizes}))
        records.append(record(cell("rte", "small"), 61.0))
        return collect([store(records).path], CHOSEN)

    return make


def test_rows_under_the_model_have_the_paper_s_scores_and_mean(measured: Any) -> None:
    (table,) = measured().tables
    rows = [(row[0], row[1], *row[5:]) for row in table.rows]
    assert table.header[5:] == ("rte accuracy", "boolq accuracy", "Average")
    assert rows == [
        ("small", "ptv2", "61.0", "–", "missing"),
        ("roberta-large", "ptv2", "60.0", "60.0", "60.0"),
        ("roberta-large", f"finetune {SAID}", "86.6", "86.9", "86.8"),
        ("roberta-large", f"ptuning_v1 {SAID}", "58.8", "62.3", "60.5"),
        ("roberta-large", f"ptv2 {SAID}", "89.5", "84.8", "87.2"),
        ("any", "trivial", "52.7", "62.2", "57.5"),
    ]
    assert "Rows marked published" in table.notes[-1]


def test_a_task_that_the_paper_lacks_leaves_the_average_open(measured: Any) -> None:
    report = measured(("rte", "mine"))
    average = collect(report.folders, {"superglue": ("rte", "mine")}).tables[0]
    said = [row for row in average.rows if row[1] == f"ptv2 {SAID}"]
    assert [row[5:] for row in said] == [("89.5", "–", "–")]


def test_another_metric_is_not_the_paper_s(cell: Any, record: Any, store: Any) -> None:
    made = record(cell("record", "roberta-large"), 60.0)  # accuracy; the paper has F1
    report = collect([store([made]).path], {})
    assert report.beside.empty
    assert [row[1] for row in report.tables[0].rows] == ["ptv2", "trivial"]
    assert not any("published" in note for note in report.tables[0].notes)


def test_the_csv_marks_published_lines_and_gives_them_no_seeds(measured: Any, tmp_path: Path) -> None:
    report = measured()
    (path,) = write_report(report.folders, {"csv"}, CHOSEN, to=tmp_path / "out")
    rows = [row for row in csv.DictReader(path.open()) if row["status"] == "published"]
    assert {(row["task"], row["label"]): row["mean"] for row in rows if row["method"] == "ptv2"} == {
        ("rte", f"ptv2 {SAID}"): "89.5", ("boolq", f"ptv2 {SAID}"): "84.8", ("average", f"ptv2 {SAID}"): "87.15"
    }  # fmt: skip
    assert {(row["n"], row["sd"], row["protocol"]) for row in rows} == {("0", "", "paper")}


def test_the_numbers_measured_stay_what_they_are_without_the_published_ones(
    measured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_them = measured()
    monkeypatch.setattr(published, "PLACES", ())
    without = collect(with_them.folders, CHOSEN)
    assert without.published is None
    assert without.beside.empty
    assert [row for row in with_them.tables[0].rows if SAID not in row[1]] == list(without.tables[0].rows)


def test_where_an_ablation_is_from_is_said_with_how_it_was_read() -> None:
    table = published.read()
    assert [published.sources(table, setting) for setting in ("layers", "length", "head")] == [
        "figure 3 (read by eye)", "figure 4 (read by eye)", "table 4"
    ]  # fmt: skip
