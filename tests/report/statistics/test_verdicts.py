"""Verdicts, rank groups and crossings of whole reports, from predictions on disk to the written table."""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import UsageError
from bench.report.files import collect
from bench.report.statistics.judging import verdict
from bench.report.statistics.verdicts import COMPARISONS
from bench.report.tables.report import Report
from bench.store.store import Store
from tests.report.conftest import NUM_ROWS, write_report

AVERAGE = {"superglue": ("rte",)}


def report_on(made: Store, **how: Any) -> Report:
    return collect([made.path], AVERAGE, **how)


def row(compared: pd.DataFrame, task: str = "rte", **where: str) -> dict[str, Any]:
    for name, value in {"task": task, **where}.items():
        compared = compared[compared[name] == value]
    assert len(compared) == 1
    return dict(compared.iloc[0])


def test_each_verdict_is_given_where_it_is_shown(grid: Any) -> None:
    report = report_on(
        grid({"finetune": 120, "ptv2": 122, "lora": 30, "bitfit": 220, "ia3": 60}, noisy="ia3"), margin=6.0
    )
    found = {label: row(report.comparisons, label=label) for label in ("ptv2", "lora", "bitfit", "ia3")}
    verdicts = {label: one["verdict"] for label, one in found.items()}
    assert verdicts == {"ptv2": "matches", "lora": "better", "bitfit": "worse", "ia3": "undecided"}
    assert list(report.comparisons.columns) == COMPARISONS
    for one in found.values():
        assert one["unadjusted_low"] < one["difference"] < one["unadjusted_high"]
        assert (one["reference"], one["n_seeds"], one["margin"]) == ("finetune", 5, 6.0)
    assert found["lora"]["improvement"] == 1.0
    assert found["bitfit"]["improvement"] == 0.0
    assert found["ptv2"]["p_equivalent"] <= 0.05 < found["ptv2"]["p_different"]


def test_a_difference_is_that_of_the_means(grid: Any) -> None:
    report = report_on(grid({"finetune": 120, "ptv2": 150}))
    means = report.summary[report.summary["task"] == "rte"].set_index("label")["mean"]
    assert row(report.comparisons)["difference"] == pytest.approx(means["ptv2"] - means["finetune"])


def test_one_seed_draws_no_interval_and_decides_nothing(grid: Any) -> None:
    report = report_on(grid({"finetune": 120, "ptv2": 10}, seeds=1))
    one = row(report.comparisons)
    assert (one["verdict"], one["note"], one["n_seeds"]) == ("undecided", ("one seed: no interval",), 1)
    assert all(math.isnan(one[name]) for name in ("unadjusted_low", "unadjusted_high", "p_equivalent", "p_different"))
    assert one["difference"] > 20
    assert report.summary["low"].isna().all()
    assert report.ranks.empty
    assert "none" in report.verdict_tables[0].rows[0]


def test_without_predictions_seeds_decide_alone_and_the_report_says_so(cell: Any, record: Any, store: Any) -> None:
    made = store(
        record(cell(method=method, seed=seed), base + seed / 10)
        for method, base in (("finetune", 60.0), ("ptv2", 80.0))
        for seed in (0, 1, 2)
    )
    report = report_on(made)
    one = row(report.comparisons)
    assert one["note"] == "no spread over seeds or examples: no interval" or "over seeds alone" in one["note"]
    assert any("rte: no predictions.parquet (6 cells)" in warning for warning in report.warnings)


def test_examples_widen_an_interval_that_seeds_alone_would_make_too_narrow(
    cell: Any, predicted: Any, record: Any, store: Any
) -> None:
    finished = [predicted(cell(seed=seed), range(120 + seed % 2), NUM_ROWS) for seed in range(5)]
    with_examples = store(finished, name="a")
    alone = store([record for record, _ in finished], name="b")
    (wide,), (narrow,) = (report_on(made).averages.to_dict("records") for made in (with_examples, alone))
    assert narrow["high"] - narrow["low"] < 0.5
    assert 7 < wide["high"] - wide["low"] < 11  # about 2 · 1.97 · 100 · sqrt(0.3 · 0.7 / 400)


def test_averages_are_a_family_of_their_own(cell: Any, predicted: Any, store: Any) -> None:
    """A further task, which is not averaged, makes more of the tasks' tests and leaves the averages' as they were."""
    rng = random.Random(0)
    cells = [
        predicted(cell(task, method=method, seed=seed), rng.sample(range(100), wrong + rng.randrange(9)), 100)
        for task in ("rte", "boolq", "wic") for method, wrong in (("finetune", 40), ("ptv2", 33)) for seed in range(5)
    ]  # fmt: skip
    cells = [(one, _classes_of_boolq(one.cell.task, rows)) for one, rows in cells]
    averaged = {"superglue": ("rte", "boolq")}
    three = collect([store(cells, name="three").path], averaged)
    two = collect([store([one for one in cells if one[0].cell.task != "wic"], name="two").path], averaged)
    average, as_before = (row(report.comparisons, "average")["p_different"] for report in (three, two))
    assert 0 < average < 0.9
    assert average == pytest.approx(as_before, rel=1e-9)
    assert row(three.comparisons)["p_different"] > row(two.comparisons)["p_different"]
    assert "over the 1 comparisons of averages" in three.verdict_tables[0].notes[1]
    assert "among all 3 comparisons of tasks" in three.verdict_tables[0].notes[1]


def test_more_comparisons_cost_each_of_them(grid: Any, cell: Any, predicted: Any, store: Any) -> None:
    report = report_on(grid({"finetune": 120, "ptv2": 90, "lora": 118, "ia3": 119}))
    among_three = row(report.comparisons, label="ptv2")["p_different"]
    cells = [one for one in report.frame.to_dict("records") if one["method"] in ("finetune", "ptv2")]
    assert len(cells) == 10
    fewer = collect([_without(report, ("lora", "ia3"))], AVERAGE)
    assert row(fewer.comparisons)["p_different"] == pytest.approx(among_three / 3, rel=1e-6)


def _without(report: Report, methods: Sequence[str]) -> Path:
    """The report's folder after the cells of some methods are gone."""
    (folder,) = report.folders
    for one in report.frame[report.frame["method"].isin(methods)]["id"]:
        for path in (folder / "cells" / one).iterdir():
            path.unlink()
        (folder / "cells" / one).rmdir()
    return folder


def test_the_average_over_one_task_is_that_tasks_test_and_no_further_one(grid: Any) -> None:
    report = report_on(grid({"finetune": 120, "ptv2": 60}))
    task, average = (row(report.comparisons, task) for task in ("rte", "average"))
    for name in ("difference", "unadjusted_low", "unadjusted_high", "p_equivalent", "p_different", "verdict"):
        assert task[name] == pytest.approx(average[name], nan_ok=True)
    assert "over the 1 comparisons" in report.verdict_tables[0].notes[1]


def test_the_average_of_tasks_is_compared_per_seed(cell: Any, predicted: Any, store: Any) -> None:
    cells = [
        predicted(cell(task, method=method, seed=seed), wrong + seed, 100)
        for task, method, wrong in (
            ("rte", "finetune", 30), ("rte", "ptv2", 20), ("boolq", "finetune", 30), ("boolq", "ptv2", 36),
        )
        for seed in range(3)
    ]  # fmt: skip
    cells = [(one, _classes_of_boolq(one.cell.task, rows)) for one, rows in cells]
    report = collect([store(cells).path], {"superglue": ("rte", "boolq")})
    assert row(report.comparisons, "average")["difference"] == pytest.approx(2.0)
    assert row(report.comparisons, "average")["improvement"] == 0.5  # always better on one, never on the other
    assert report.warnings == ()


def _classes_of_boolq(task: str, rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    if task == "rte":
        return rows
    into = {"entailment": "True", "not_entailment": "False"}
    return rows | {name: [[into[text] for text in own] for own in rows[name]] for name in ("label", "predicted")}


def test_another_line_can_be_the_reference(grid: Any) -> None:
    made = grid({"finetune": 120, "ptv2": 60, "lora": 100})
    compared = report_on(made, reference="lora").comparisons
    assert set(compared["reference"]) == {"lora"}
    assert set(compared["label"]) == {"finetune", "ptv2"}
    with pytest.raises(UsageError, match="unknown line to compare with 'lorra'; did you mean 'lora'"):
        report_on(made, reference="lorra")


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan])
def test_a_margin_must_be_above_0(margin: float, grid: Any) -> None:
    with pytest.raises(UsageError, match="must be above 0"):
        report_on(grid({"finetune": 120}), margin=margin)


def test_without_the_reference_there_are_no_verdicts_and_a_warning(grid: Any) -> None:
    report = report_on(grid({"lora": 120, "ptv2": 60}))
    assert report.comparisons.empty
    assert list(report.comparisons.columns) == COMPARISONS
    assert report.verdict_tables == ()
    assert report.warnings == ("superglue: no line to compare with; --reference takes one of lora, ptv2",)


def test_each_protocol_has_its_own_reference(cell: Any, predicted: Any, store: Any) -> None:
    cells = [
        predicted(cell(method=method, seed=seed, protocol=protocol), wrong + seed, 100)
        for protocol in ("holdout", "paper")
        for method, wrong in (("finetune", 30), ("ptv2", 20))
        for seed in range(3)
    ]
    compared = report_on(store(cells)).comparisons
    assert set(zip(compared["label"], compared["reference"], strict=True)) == {
        (f"ptv2 [protocol {protocol}]", f"finetune [protocol {protocol}]") for protocol in ("holdout", "paper")
    }


def test_two_lines_of_the_reference_are_a_question_to_the_user(cell: Any, predicted: Any, store: Any) -> None:
    cells = [
        predicted(cell(method=method, seed=seed, given=given, settings=given), 20 + seed, 100)
        for method, given in (("finetune", {"warmup": 1}), ("finetune", {"warmup": 2}), ("ptv2", {}))
        for seed in range(2)
    ]
    made = store(cells)
    report = report_on(made)
    assert report.comparisons.empty
    assert "could be compared with any of finetune (warmup=1), finetune (warmup=2)" in report.warnings[-1]
    assert set(report_on(made, reference="finetune (warmup=1)").comparisons["label"]) == {
        "finetune (warmup=2)", "ptv2",
    }  # fmt: skip


def test_the_verdicts_are_written_beside_the_table_with_how_they_came_about(grid: Any) -> None:
    made = grid({"finetune": 120, "ptv2": 60}, models=("small", "large")[:1])
    paths = {path.name: path for path in write_report([made.path], {"md", "csv", "tex"}, AVERAGE)}
    assert {name for name in paths if name.startswith("verdicts")} == {
        "verdicts-superglue.md", "verdicts-superglue.csv", "verdicts-superglue.tex",
    }  # fmt: skip
    text = paths["verdicts-superglue.md"].read_text()
    for part in ("against finetune", "within ±1 by", "Holm", "Protocol: holdout", "Budget: 10 epochs", "Seeds: 0–4"):
        assert part in text
    rows = list(csv.DictReader(paths["verdicts-superglue.csv"].open()))
    assert [one["task"] for one in rows] == ["rte", "average"]
    assert list(rows[0]) == COMPARISONS
    tex = paths["verdicts-superglue.tex"].read_text()
    assert tex.count(r"\midrule") == 1
    assert r"\pm" in tex or "±" not in tex


@pytest.mark.parametrize(
    ("p", "said"),
    [
        ((0.04, 1, 0.04), "matches"),  # small and not 0
        ((0.05, 1, 0.06), "better"),
        ((1, 0.01, 1), "worse"),
        ((0.06, 1, 0.06), "undecided"),
        ((math.nan, math.nan, math.nan), "undecided"),
    ],
)
def test_a_verdict_is_read_off_adjusted_p_values(p: tuple[float, float, float], said: str) -> None:
    assert verdict(*p) == said


def test_intervals_agree_with_their_verdicts(grid: Any) -> None:
    report = report_on(
        grid(
            {"finetune": 120, "ptv2": 122, "lora": 30, "bitfit": 160, "ia3": 60},
            seeds=4,
            noisy="ia3",
            models=("small", "large"),
        ),
        margin=6.0,
    )
    verdicts = set()
    for one in report.comparisons.to_dict("records"):
        low, high, verdict_here = one["tested_low"], one["tested_high"], one["verdict"]
        shown = {
            "matches": -6 < low < high < 6,
            "better": low > 0,
            "worse": high < 0,
            "undecided": low <= 0 <= high and not -6 < low < high < 6,
        }
        assert shown[verdict_here], one
        assert 0.95 <= one["level"] < 1
        verdicts.add(verdict_here)
    assert verdicts >= {"matches", "better", "worse"}
