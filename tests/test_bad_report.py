"""A report of damaged results comes out: it says what is missing, draws nothing it cannot justify, and exits 0."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.store.predictions import write_predictions
from bench.store.store import Store
from tests.report.conftest import make_cell, make_predicted
from tests.store.edited import edit

Bench = Any
SEEDS = 3


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two methods with three seeds each, planned and finished, with predictions."""
    return results_at(tmp_path / "results")


def results_at(path: Path, first_seed: int = 0) -> Path:
    made = Store.create(path)
    cells = [
        make_cell(method=method, seed=seed)
        for method in ("finetune", "ptv2")
        for seed in range(first_seed, first_seed + SEEDS)
    ]
    made.write_plan(cells)
    for number, cell in enumerate(cells):
        record, rows = make_predicted(cell, 20 + 3 * number + number**2 % 4, 100)
        made.write(record, {"predictions.parquet": lambda path, rows=rows: write_predictions(path, rows)})
    return path


def report(bench: Bench, *folders: Path) -> tuple[list[str], str, pd.DataFrame]:
    """(warnings, the table's page, the verdicts) of a report, which must come out."""
    code, _, err = bench("report", *folders, "--format", "md,csv,tex,png")
    assert code == 0, err
    said = [line.removeprefix("warning: ") for line in err.splitlines()]
    assert all(line.startswith("warning: ") for line in err.splitlines())
    folder = folders[0] / "report"
    page = next(folder.glob("table*.md")).read_text()
    assert [line for line in said if line.replace("<", "&lt;").replace("*", "\\*") not in page] == []
    found = folder / "verdicts-superglue.csv"
    return said, page, pd.read_csv(found) if found.exists() else pd.DataFrame()


def records(folder: Path) -> list[Path]:
    return sorted(folder.glob("cells/*/record.json"))


def first_of(folder: Path, method: str) -> Path:
    """The record of a method's first seed."""
    cells = {path: json.loads(path.read_text())["cell"] for path in records(folder)}
    return next(path for path, cell in cells.items() if (cell["method"], cell["seed"]) == (method, 0))


def test_whole_results_have_no_warning(bench: Bench, results: Path) -> None:
    said, page, verdicts = report(bench, results)
    assert said == []
    assert "Warnings" not in page
    assert verdicts["unadjusted_low"].notna().all()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.write_text(path.read_text()[:300]), "is not readable as JSON"),
        (lambda path: path.write_text("[]"), "is not readable as JSON (it is no JSON dict)"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not readable as JSON"),
        (lambda path: change(path, surprise=1), "does not fit this version's schema (surprise"),
        (lambda path: change(path, format=99), "is of results format 99"),
        (lambda path: path.unlink(), "has no record; its cell counts as missing"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_and_its_cell_is_missing(
    spoil: Callable[[Path], None], why: str, bench: Bench, results: Path
) -> None:
    path = first_of(results, "finetune")
    spoil(path)
    (warning,), page, verdicts = report(bench, results)
    assert why in warning
    assert path.parent.name in warning
    assert "missing, seed" in page
    assert "(2/3)" in page
    assert set(verdicts["n_seeds"]) == {2}
    assert set(verdicts["note"]) == {"ptv2 may have collapsed: seed 1–2"}  # of the two that are left


def change(path: Path, **fields: object) -> None:
    edit(path, **fields)


def test_reading_for_a_run_stays_strict(bench: Bench, results: Path) -> None:
    path = records(results)[0]
    path.write_text("{")
    said = bench.refusal(*bench("show", path.parent.name, "--in", results))
    assert "is not readable as JSON" in said


def test_a_plan_that_is_cut_off_is_named(bench: Bench, results: Path) -> None:
    (path,) = results.glob("plans/*.json")
    path.write_text(path.read_text()[:500])
    (warning,), _, verdicts = report(bench, results)
    assert f"left out: {path} is not readable as JSON" in warning
    assert verdicts["unadjusted_low"].notna().all()


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PAR1 and no more")])
def test_lost_predictions_leave_intervals_over_seeds(
    spoil: Callable[[Path], None], bench: Bench, results: Path
) -> None:
    spoil(first_of(results, "finetune").parent / "predictions.parquet")
    (warning,), _, verdicts = report(bench, results)
    assert warning.startswith("superglue · rte: ")
    assert warning.endswith("(1 cell); intervals are over seeds alone there")
    assert set(verdicts["note"]) == {"over seeds alone; ptv2 may have collapsed: seed 1–2"}


def test_one_seed_has_no_interval(bench: Bench, results: Path) -> None:
    (plan,) = results.glob("plans/*.json")
    plan.unlink()
    for path in records(results):
        if json.loads(path.read_text())["cell"]["seed"] > 0:
            for file in path.parent.iterdir():
                file.unlink()
            path.parent.rmdir()
    said, page, verdicts = report(bench, results)
    assert said == []
    assert "±" not in page.split("Protocol:")[0]
    assert set(verdicts["verdict"]) == {"undecided"}
    assert verdicts["unadjusted_low"].isna().all()
    table = pd.read_csv(results / "report" / "table-superglue.csv")
    assert table["low"].isna().all()


def test_an_empty_results_folder_is_reported_as_empty(bench: Bench, tmp_path: Path) -> None:
    Store.create(tmp_path / "empty")
    _, page, verdicts = report(bench, tmp_path / "empty")
    assert "Nothing was measured" in page
    assert verdicts.empty


def test_results_of_nothing_but_damage_are_reported(bench: Bench, results: Path) -> None:
    for path in (*records(results), *results.glob("plans/*.json")):
        path.write_text("")
    said, page, _ = report(bench, results)
    assert len(said) == 2 * SEEDS + 1
    assert "Nothing was measured" in page


def test_a_folder_of_another_format_among_several_is_left_out(bench: Bench, results: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "store.json").write_text('{"format": 1}')
    (warning,), _, verdicts = report(bench, results, tmp_path / "old")
    assert "left out: " in warning
    assert "was written in results format 1" in warning
    assert len(verdicts) == 2
    assert "results format 1" in bench.refusal(*bench("report", tmp_path / "old"))


def test_a_folder_that_is_no_results_folder_is_one_line_even_among_several(
    bench: Bench, results: Path, tmp_path: Path
) -> None:
    (tmp_path / "thesis").mkdir()
    assert "is not a results folder" in bench.refusal(*bench("report", results, tmp_path / "thesis"))
    assert "is not a results folder" in bench.refusal(*bench("report", tmp_path / "nowhere"))


def test_merged_folders_that_are_not_alike_say_in_what(bench: Bench, results: Path, tmp_path: Path) -> None:
    other = results_at(tmp_path / "other", first_seed=10)
    packages = {"torch": "2.8.0", "transformers": "5.8.0"}
    for path in records(other):
        change(path, provenance={"git_commit": "a" * 40 + "+changes", "packages": packages, "device": "cpu"})
    for path in records(results):
        change(path, provenance={"git_commit": "b" * 40, "packages": packages | {"torch": "2.13.0"}, "device": "cpu"})
    said, _, _ = report(bench, results, other)
    assert said == [
        f"git commit differs between cells: {'a' * 12}+changes (6 in {other}), {'b' * 12} (6 in {results})",
        f"version of torch differs between cells: 2.13.0 (6 in {results}), 2.8.0 (6 in {other})",
    ]


def test_load_gives_a_row_per_cell_and_metric_and_warns_of_what_it_leaves_out(results: Path, tmp_path: Path) -> None:
    import bench

    other = results_at(tmp_path / "other")
    rows = bench.load(results, str(other))
    assert len(rows) == 2 * SEEDS  # the same cells in both
    assert {"suite", "task", "model", "method", "seed", "metric", "score", "status"} <= set(rows.columns)
    records(results)[0].write_text("{")
    records(other)[0].write_text("{")
    with pytest.warns(UserWarning, match="left out: .*record.json is not readable"):
        damaged = bench.load(results, other)
    assert damaged["score"].map(math.isnan).sum() == 1


def test_an_unknown_reference_and_an_impossible_margin_are_one_line(bench: Bench, results: Path) -> None:
    said = bench.refusal(*bench("report", results, "--reference", "ptv3"))
    assert "unknown line to compare with 'ptv3'; did you mean 'ptv2'?" in said
    said = bench.refusal(*bench("report", results, "--margin", "0"))
    assert "--margin 0 is not possible: it is in points of the score and must be above 0" in said


def test_reference_and_margin_reach_the_verdicts(bench: Bench, results: Path) -> None:
    code, out, _ = bench("report", results, "--format", "csv", "--reference", "ptv2", "--margin", "2.5")
    assert code == 0
    assert "within ±2.5 by two one-sided tests" in out
    verdicts = pd.read_csv(results / "report" / "verdicts-superglue.csv")
    assert (set(verdicts["reference"]), set(verdicts["margin"])) == ({"ptv2"}, {2.5})
