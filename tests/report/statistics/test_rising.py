"""A selection curve that still rises where the budget ends is named; a level or noisy one is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.report.files import collect
from bench.report.statistics.rising import MEANING, Rise, rise
from bench.store.record import CurvePoint

LEVEL_CURVE = [60.0, 78.0, 80.0, 79.0, 80.0, 79.5, 80.0, 79.0, 80.0]
RISING = [50.0, 53.0, 57.0, 60.0, 64.0, 67.0, 71.0, 74.0, 78.0]


def moved(curve: list[float], seed: int, noise: float = 0.5) -> list[float]:
    return (np.array(curve) + np.random.default_rng(seed).normal(0, noise, len(curve))).tolist()


def share_named(make: Any, times: int = 400) -> float:
    return float(np.mean([rise(make()) is not None for _ in range(times)]))


@pytest.mark.parametrize("num_seeds", [1, 2, 3, 5])
def test_the_gain_is_the_slope_over_the_last_third_or_of_one_seed_the_last_half(num_seeds: int) -> None:
    curves = [[value + seed for value in range(0, 30, 3)] for seed in range(num_seeds)]  # ten evaluations
    points = 4 if num_seeds > 1 else 5
    assert rise(curves) == Rise(pytest.approx(3.0 * (points - 1)), num_seeds)


@pytest.mark.parametrize(
    "curves",
    [
        [LEVEL_CURVE] * 3,
        [RISING[::-1]] * 3,
        [[*RISING[:-2], 40.0, 30.0]] * 3,  # it rose, and then fell
        [RISING, LEVEL_CURVE[::-1], LEVEL_CURVE],  # one seed of three
        [[80 + 0.1 * at for at in range(9)]] * 3,  # steady, and worth less than a point
        [[50.0, 60.0, 70.0]] * 3,  # too few evaluations to tell
        [[100.0] * 9] * 3,
        [[*RISING[:-1], float("nan")]] * 3,
        [],
    ],
    ids=["level", "falls", "past its best", "one of three", "tiny", "three points", "full marks", "no number", "none"],
)
def test_what_does_not_surely_rise_is_not_named(curves: Any) -> None:
    assert rise(curves) is None


@pytest.mark.parametrize("num_points", [4, 5, 10, 20])
@pytest.mark.parametrize("num_seeds", [1, 2, 3, 5])
def test_noise_alone_is_named_in_at_most_one_of_twenty(num_seeds: int, num_points: int) -> None:
    chance = np.random.default_rng(num_seeds * 100 + num_points)
    assert share_named(lambda: 80 + chance.normal(0, 2, (num_seeds, num_points))) <= 0.05 + 2.6 * (0.05 / 400) ** 0.5


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_seeds_that_drift_each_their_own_way_are_no_rise(num_seeds: int) -> None:
    chance = np.random.default_rng(num_seeds)
    drifting = lambda: 80 + chance.normal(0, 1, (num_seeds, 10)).cumsum(axis=1)  # noqa: E731
    assert share_named(drifting) <= 0.05 + 2.6 * (0.05 / 400) ** 0.5


@pytest.mark.parametrize("num_points", [4, 5, 10, 20])
@pytest.mark.parametrize("num_seeds", [3, 5])
def test_a_clear_rise_is_named(num_seeds: int, num_points: int) -> None:
    chance = np.random.default_rng(num_points)
    line = 50 + 30 * np.arange(1, num_points + 1) / num_points
    assert share_named(lambda: line + chance.normal(0, 1, (num_seeds, num_points))) >= 0.95


# --- in a report


def curve(scores: list[float]) -> list[CurvePoint]:
    return [
        CurvePoint(step=10 * at, epoch=at, train_loss=None, scores={"accuracy": score, "f1": 100 - score})
        for at, score in enumerate(scores, start=1)
    ]


@pytest.fixture
def with_curves(cell: Any, record: Any, store: Any) -> Any:
    """A report of three seeds of fine-tuning and ptv2 on these tasks, with these selection curves."""

    def make(curves: dict[tuple[str, str], list[float]], **changes: Any) -> Any:
        records = [
            record(cell(method=method, task=task, seed=seed, **changes), 70.0 + seed).model_copy(
                update={"curve": curve(moved(scores, seed))}
            )
            for (method, task), scores in curves.items()
            for seed in range(3)
        ]
        return collect([store(records).path], {})

    return make


def test_a_rise_stands_beside_the_verdicts_of_both_lines_and_under_the_table(with_curves: Any) -> None:
    report = with_curves({("finetune", "rte"): LEVEL_CURVE, ("ptv2", "rte"): RISING, ("lora", "rte"): LEVEL_CURVE})
    notes = {(row["label"], row["task"]): row["note"] for row in report.comparisons.to_dict("records")}
    assert "still rising at its end" in notes["ptv2", "rte"]
    assert "still rising at its end on rte" in notes["ptv2", "average"]
    assert "rising" not in notes["lora", "rte"]
    (table,) = report.tables
    (note,) = [note for note in table.notes if "still rise" in note]
    assert note.startswith("Selection curves that still rise where the budget ends: ptv2 on rte (+")
    assert MEANING in report.verdict_tables[0].notes


def test_a_reference_that_rises_is_said_of_every_line_it_is_compared_with(with_curves: Any) -> None:
    report = with_curves({("finetune", "rte"): RISING, ("ptv2", "rte"): LEVEL_CURVE, ("finetune", "cb"): LEVEL_CURVE,
                          ("ptv2", "cb"): LEVEL_CURVE})  # fmt: skip
    notes = {row["task"]: row["note"] for row in report.comparisons.to_dict("records")}
    assert "the reference still rising at its end" in notes["rte"]
    assert "rising" not in notes["cb"]
    assert "the reference still rising at its end on rte" in notes["average"]


def test_where_nothing_rises_nothing_is_said(with_curves: Any) -> None:
    report = with_curves({("finetune", "rte"): LEVEL_CURVE, ("ptv2", "rte"): LEVEL_CURVE})
    assert not any("rising" in note for note in report.comparisons["note"])
    assert not any("rise" in note for table in (*report.tables, *report.verdict_tables) for note in table.notes)


def test_it_is_the_main_metric_that_is_looked_at(with_curves: Any) -> None:
    """The records' second metric falls where the first rises."""
    report = with_curves({("finetune", "rte"): LEVEL_CURVE, ("ptv2", "rte"): RISING[::-1]})
    assert not any("rising" in note for note in report.comparisons["note"])
