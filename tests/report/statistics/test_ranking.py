"""Rank groups, and the scale at which a line reaches the reference, of whole reports."""

from __future__ import annotations

import math
from typing import Any

from bench.report.statistics.ranking import CROSSINGS, RANKS
from tests.report.statistics.test_verdicts import report_on


def test_lines_that_are_not_told_apart_share_a_rank_group(grid: Any) -> None:
    report = report_on(grid({"finetune": 120, "ptv2": 121, "lora": 20, "bitfit": 250}))
    assert list(report.ranks.columns) == RANKS
    of_rte = report.ranks[report.ranks["task"] == "rte"]
    assert dict(zip(of_rte["label"], of_rte["group"], strict=True)) == {
        "lora": 1, "finetune": 2, "ptv2": 2, "bitfit": 3,
    }  # fmt: skip


def test_a_crossing_is_the_smallest_model_at_which_the_interval_reaches_the_reference(grid: Any) -> None:
    models = ("small", "medium", "large")
    wrong = {"finetune": (120, 100, 80), "ptv2": (250, 101, 200), "lora": (60, 60, 60), "bitfit": (300, 300, 300)}
    report = report_on(grid(wrong, models=models))
    found = report.crossings[report.crossings["task"] == "rte"].set_index("label")
    assert list(report.crossings.columns) == CROSSINGS
    assert dict(found["model"]) == {"ptv2": "medium", "lora": "small", "bitfit": ""}
    assert found["parameters"]["ptv2"] == 110_000_000
    assert math.isnan(found["parameters"]["bitfit"])
    assert found["text"]["ptv2"].endswith("below it again at large")
    assert found["text"]["bitfit"] == "below it at every model up to large"
