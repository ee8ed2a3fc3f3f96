"""Runs that did not train, in whole reports, and all else that must not flatter a line; clusters of examples."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from tests.report.conftest import NUM_ROWS, write_report
from tests.report.statistics.test_verdicts import AVERAGE, report_on, row


def missed(made: Any, of: Any, wrong: int, trained: bool = True) -> Any:
    """A run of RTE: so many of 400 wrong, which ones drawn by seed and method; or one that always gives one class."""
    draw = random.Random(f"{of.method} {of.seed}")
    mistakes = draw.sample(range(NUM_ROWS), wrong + draw.randrange(9)) if trained else range(0, NUM_ROWS, 2)
    return made(of, mistakes, NUM_ROWS)


def test_collapsed_runs_are_named_counted_and_left_out(cell: Any, predicted: Any, store: Any) -> None:
    cells = [missed(predicted, cell(method="finetune", seed=seed), 60, trained=seed != 3) for seed in range(5)]
    cells += [missed(predicted, cell(method="ptv2", seed=seed), 100) for seed in range(5)]
    report = report_on(store(cells))
    one = row(report.comparisons)
    assert (one["reference_runs"], one["reference_collapsed"]) == (5, 1)
    assert one["reference_collapse_bound"] == pytest.approx(0.657, abs=1e-3)
    assert (one["runs"], one["collapsed"], one["collapse_bound"]) == (5, 0, pytest.approx(0.451, abs=1e-3))
    assert (one["verdict"], one["about"]) == ("worse", "runs that trained")
    assert -13 < one["difference"] < -7 < -4 < one["difference_all"]
    assert "finetune collapsed: seed 3" in one["note"]
    assert any(note.startswith("over all runs, lost ones at the trivial score: −") for note in one["note"])
    (text,) = [cells for cells in report.verdict_tables[0].rows if cells[2] == "average"]
    assert text[6:8] == ("0 of 5, ≤ 45 %", "1 of 5, ≤ 66 %")


def test_a_line_that_never_trains_is_worse_and_has_no_collapsed_runs(cell: Any, predicted: Any, store: Any) -> None:
    cells = [missed(predicted, cell(method="finetune", seed=seed), 60) for seed in range(5)]
    cells += [missed(predicted, cell(method="ptv2", seed=seed), 0, trained=False) for seed in range(5)]
    one = row(report_on(store(cells)).comparisons)
    assert (one["verdict"], one["about"]) == ("worse", "all runs")
    assert math.isnan(one["collapsed"])
    assert one["note"] == ("ptv2 at the trivial score, all 5 runs",)


def test_of_a_line_without_a_finished_run_nothing_is_said_to_be_at_the_trivial_score(
    cell: Any, predicted: Any, store: Any
) -> None:
    cells = [missed(predicted, cell(method="finetune", seed=seed), 60) for seed in range(5)]
    planned = [record.cell for record, *_ in cells] + [cell(method="ptv2", seed=seed) for seed in range(5)]
    report = report_on(store(cells, planned=planned))
    one = row(report.comparisons)
    assert (one["runs"], one["reference_runs"], one["note"]) == (0, 5, ("no finished seed",))
    texts = [cells[6:8] for cells in report.verdict_tables[0].rows if cells[1] == "ptv2"]
    assert set(texts) == {("no finished run", "0 of 5, ≤ 45 %")}


def test_two_runs_at_the_trivial_score_may_be_chance(cell: Any, predicted: Any, store: Any) -> None:
    cells = [missed(predicted, cell(method="finetune", seed=seed), 60) for seed in range(2)]
    cells += [missed(predicted, cell(method="ptv2", seed=seed), 0, trained=False) for seed in range(2)]
    one = row(report_on(store(cells)).comparisons)
    assert (one["verdict"], one["p_different"]) == ("undecided", pytest.approx(2 / 16))
    assert one["note"][0] == "too few runs to tell a line that does not learn from one whose runs collapsed"
    assert math.isnan(one["tested_low"])


def test_runs_that_diverged_or_failed_do_not_flatter(cell: Any, predicted: Any, record: Any, store: Any) -> None:
    """Left out of the difference, they count as collapsed, and as the trivial score in what all runs say."""
    cells = [missed(predicted, cell(method="finetune", seed=seed), 100) for seed in range(5)]
    cells += [missed(predicted, cell(method="ptv2", seed=seed), 92) for seed in range(3)]
    lost = [
        record(cell(method="ptv2", seed=3), None, "diverged", "nan"),
        record(cell(method="ptv2", seed=4), None, "failed", "x"),
    ]
    made = store([*cells, *lost])
    report = report_on(made)
    one = row(report.comparisons)
    assert (one["runs"], one["collapsed"]) == (4, 1)
    assert one["difference"] > 0 > one["difference_all"]
    means = report.summary.set_index("label")["mean"]
    assert one["difference_all"] == pytest.approx((3 * means["ptv2"] + 2 * 52.7) / 5 - means["finetune"])
    assert {"ptv2 diverged: seed 3", "ptv2 failed, left out: seed 4"} <= set(one["note"])
    assert one["improvement"] <= 0.6
    text = write_report([made.path], {"md"}, AVERAGE)
    (path,) = [path for path in text if path.name.startswith("verdicts")]
    assert "1 of 4, ≤ 75 % | 0 of 5, ≤ 45 %" in path.read_text()


def test_the_report_names_the_clusters_that_examples_are_drawn_in(cell: Any, predicted: Any, store: Any) -> None:
    cells = [
        missed(predicted, cell(method=method, seed=seed), 60) for method in ("finetune", "ptv2") for seed in range(3)
    ]
    for _, rows in cells:
        rows["group"] = [f"premise {at // 4}" for at in range(NUM_ROWS)]
    notes = " ".join(report_on(store(cells)).verdict_tables[0].notes)
    assert "Examples are drawn in clusters: rte by premise." in notes
    assert "No clusters are known" not in notes


def test_the_report_says_where_clusters_are_unknown(grid: Any) -> None:
    notes = " ".join(report_on(grid({"finetune": 120, "ptv2": 60})).verdict_tables[0].notes)
    assert "No clusters are known of rte: examples count as independent there" in notes
