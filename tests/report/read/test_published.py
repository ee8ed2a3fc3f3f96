"""Published numbers beside measured ones: for the paper's own models, tasks and metrics, and for no other."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.report.figures.curves import average_panel
from bench.report.files import collect
from bench.report.read import published
from bench.report.read.published import matches
from bench.report.tables.paper import paper_table
from bench.report.tables.report import Report
from tests.report.conftest import write_report

AVERAGED = {"superglue": ("rte", "boolq", "cb")}
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
        return collect([store(records).path], AVERAGED)

    return make


def test_rows_under_the_model_have_the_paper_s_scores_and_mean(measured: Any) -> None:
    (table,) = measured().tables
    rows = [(row[0], row[1], *row[5:]) for row in (*table.rows, *table.footer)]
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
    assert [row[1] for row in report.tables[0].rows] == ["ptv2"]
    assert not any("published" in note for note in report.tables[0].notes)


def test_the_csv_marks_published_lines_and_gives_them_no_seeds(measured: Any, tmp_path: Path) -> None:
    report = measured()
    paths = write_report(report.folders, {"csv"}, AVERAGED, to=tmp_path / "out")
    (path,) = (path for path in paths if path.name.startswith("table"))
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
    without = collect(with_them.folders, AVERAGED)
    assert without.published is None
    assert without.beside.empty
    assert [row for row in with_them.tables[0].rows if SAID not in row[1]] == list(without.tables[0].rows)


def test_where_an_ablation_is_from_is_said_with_how_it_was_read() -> None:
    table = published.read()
    assert [published.sources(table, setting) for setting in ("layers", "length", "head")] == [
        "Liu et al. 2022 (arXiv:2110.07602), figure 3 (read by eye)",
        "Liu et al. 2022 (arXiv:2110.07602), figure 4 (read by eye)",
        "Liu et al. 2022 (arXiv:2110.07602), table 4",
    ]  # fmt: skip


# --- another paper


@pytest.fixture
def two_papers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The published folder with one more paper's file: fine-tuning on RTE and BoolQ, and one length of a prompt."""
    folder = tmp_path / "published"
    shutil.copytree(published.find(), folder)
    header = "task,metric,model,parameters,method,published_as,setting,score,source,digitised\n"
    lines = [
        f"{task},accuracy,RoBERTa-large,355000000,{method},X,{setting},{score},table 9,false"
        for task, method, setting, score in (("rte", "finetune", "", 80), ("boolq", "finetune", "", 82),
                                             ("rte", "ptv2", "head=linear", 70))
    ]  # fmt: skip
    (folder / "other.csv").write_text(header + "\n".join(lines) + "\n")
    with (folder / published.INDEX).open("a") as index:
        index.write("other.csv,Doe 2023,doi:10.0/1,last epoch,official splits\n")
    monkeypatch.setattr(published, "PLACES", (folder,))
    return folder


def test_a_papers_numbers_are_named_by_its_line_in_the_index(two_papers: Path, measured: Any) -> None:
    (table,) = measured().tables
    labels = [row[1] for row in table.rows if row[0] == "roberta-large"]
    assert labels == [
        "ptv2", "finetune (published: Doe 2023)", f"finetune {SAID}", f"ptuning_v1 {SAID}", f"ptv2 {SAID}"
    ]  # fmt: skip
    assert table.rows[2][5:] == ("80.0", "82.0", "81.0")
    assert [note for note in table.notes if note.startswith("Rows marked published")] == [
        "Rows marked published: Doe 2023 (doi:10.0/1), where model, task and metric agree: last epoch on the official "
        "splits, one number without spread.",
        "Rows marked published: Liu et al. 2022 (arXiv:2110.07602), where model, task and metric agree: best dev epoch "
        "on the official splits, one number without spread.",
    ]


def test_two_papers_numbers_are_two_lines_of_a_figure_and_two_rows_of_the_latex_table(
    two_papers: Path, measured: Any, cell: Any, record: Any, store: Any
) -> None:
    report = measured()
    numbers = published.read()
    panel = average_panel(report.summary, report.averages, ("rte", "boolq"), numbers)
    assert [curve.label for curve in panel.curves if curve.published and curve.method == "finetune"] == [
        "finetune (published: Doe 2023)", f"finetune {SAID}"
    ]  # fmt: skip
    assert published.sources(numbers, "head") == (
        "Doe 2023 (doi:10.0/1), table 9; Liu et al. 2022 (arXiv:2110.07602), table 4"
    )
    made = record(cell("rte", LARGE, "finetune"), 60.0)
    sizes = made.parameters.model_copy(update={"backbone": 355_000_000})
    folder = store([made.model_copy(update={"parameters": sizes})], name="tuned").path
    text = paper_table(collect([folder], AVERAGED), "superglue")
    assert r"\quad published (Doe 2023) & 80.0 \\" in text
    assert r"\quad published (Liu et al. 2022) & 86.6 \\" in text


def test_two_files_of_a_paper_may_differ_in_how_their_numbers_came_about(two_papers: Path, measured: Any) -> None:
    shutil.copy(two_papers / "other.csv", two_papers / "more.csv")
    (two_papers / "other.csv").write_text((two_papers / "other.csv").read_text().replace("boolq", "wic"))
    (two_papers / "more.csv").write_text((two_papers / "more.csv").read_text().replace("rte", "cb"))
    with (two_papers / published.INDEX).open("a") as index:
        index.write("more.csv,Doe 2023,doi:10.0/1,first epoch,test split\n")
    notes = [note for note in measured().tables[0].notes if note.startswith("Rows marked published: Doe 2023")]
    assert [note.partition("agree: ")[2].partition(",")[0] for note in notes] == [
        "first epoch on the test split", "last epoch on the official splits"
    ]  # fmt: skip
    assert published.sources(published.read(), "head").startswith("Doe 2023 (doi:10.0/1), table 9; Liu")


def test_a_file_that_the_index_does_not_name_is_a_usage_error(two_papers: Path) -> None:
    shutil.copy(two_papers / "other.csv", two_papers / "unnamed.csv")
    with pytest.raises(UsageError, match=r"papers\.csv has no line for unnamed\.csv"):
        published.read()


@pytest.mark.parametrize(("name", "column"), [("papers.csv", "citation"), ("other.csv", "source")])
def test_a_file_that_lacks_a_column_is_a_usage_error(name: str, column: str, two_papers: Path) -> None:
    (two_papers / name).write_text((two_papers / name).read_text().replace(column, "else"))
    with pytest.raises(UsageError, match=rf"{name} lacks the column '{column}'"):
        published.read()


def test_published_numbers_that_are_not_there_are_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "PLACES", (tmp_path,))
    assert published.known() is None
    with pytest.raises(UsageError, match="no published numbers"):
        published.read()


def test_an_index_that_is_not_there_is_a_usage_error(two_papers: Path) -> None:
    (two_papers / "papers.csv").unlink()
    with pytest.raises(UsageError, match=r"papers\.csv is not there"):
        published.read()


def test_a_published_line_belongs_to_its_namesake_or_to_the_only_one_there_is() -> None:
    assert published.counterpart("ptv2", ["ptv2", "ptv2 (length=2)"]) == "ptv2"
    assert published.counterpart("ptv2", ["ptv2 (length=2)"]) == "ptv2 (length=2)"
    assert published.counterpart("ptv2", ["ptv2 (length=2)", "ptv2 (length=4)"]) is None
    assert published.counterpart("ptv2", []) is None
