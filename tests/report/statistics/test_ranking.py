"""Rank groups, and the scale at which a line reaches the reference, of whole reports."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from bench.report.statistics.ranking import CROSSINGS, RANKS, crossings, leaders
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


def test_a_crossing_agrees_with_the_verdict_and_not_with_the_interval_by_itself() -> None:
    """At the small model the difference by itself is shown to be below 0, and among all comparisons it is not."""
    row = {
        "suite": "superglue", "task": "rte", "model": "small", "label": "ptv2", "method": "ptv2",
        "reference": "finetune", "difference": -2.0, "unadjusted_low": -3.9, "unadjusted_high": -0.1,
        "tested_low": -4.4, "tested_high": 0.4, "margin": 1.0, "verdict": "undecided",
    }  # fmt: skip
    (found,) = crossings(pd.DataFrame([row]), {"small": 1e6}).to_dict("records")
    assert found["model"] == "small"
    assert found["text"] == "-2.0 [-4.4, +0.4] at small, which may be more than the margin below it"


@pytest.mark.parametrize(
    ("groups", "budgets", "first"),
    [
        ([1, 1, 2], ["5", "5", "5"], {"a", "b"}),
        ([1, 1, 1], ["5", "5", "5"], set()),  # nothing is told apart
        ([1, 1, 2], ["5", "10", "10"], {"b"}),  # the first is alone in its budget
    ],
)
def test_leaders_are_told_apart_from_something_of_their_budget(
    groups: list[int], budgets: list[str], first: set[str]
) -> None:
    ranked = pd.DataFrame({"suite": "s", "task": "rte", "model": "m", "label": list("abc"), "group": groups})
    found = leaders(ranked, {("m", label): budget for label, budget in zip("abc", budgets, strict=True)})
    assert {label for _, _, label in found} == first
