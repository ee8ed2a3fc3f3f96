"""Score against cost: the Pareto front by hand, and what has no point."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.report.figures.captioned import captioned_figures
from bench.report.figures.pareto import CostPanel, cost_panels, front
from bench.report.files import collect
from bench.store.record import Costs, Parameters


def costly(record: Any, cell: Any, score: float, stored: int, gib: float = 1.0, seconds: float = 60.0) -> Any:
    made = record(cell, score)
    parameters = Parameters(trained=stored, stored=stored, backbone=10**8)
    costs = Costs(train_seconds=seconds, peak_bytes=int(gib * 2**30))
    return made.model_copy(update={"parameters": parameters, "costs": costs})


def panels_of(made: Any, averaged: tuple[str, ...] = ("rte",)) -> list[CostPanel]:
    report = collect([made.path], {"superglue": averaged})
    return cost_panels(report.frame, report.averages, report.averaged["superglue"])


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    #         cheapest  dearer, worse  dearer, better  same cost, worse  same score, dearer
    costs = [1.0, 2.0, 3.0, 3.0, 4.0]
    scores = [50.0, 40.0, 60.0, 55.0, 60.0]
    assert front(costs, scores) == [True, False, True, False, False]
    assert front([1.0, 1.0], [50.0, 50.0]) == [True, True]
    assert front([], []) == []


def test_each_cost_has_its_own_front(cell: Any, record: Any, store: Any) -> None:
    made = store(
        [
            costly(record, cell(method="cheap"), 60.0, stored=100, gib=4.0, seconds=10.0),
            costly(record, cell(method="best"), 70.0, stored=1000, gib=2.0, seconds=30.0),
            costly(record, cell(method="poor"), 50.0, stored=500, gib=3.0, seconds=20.0),
        ]
    )
    panels = panels_of(made)
    assert [panel.x_label for panel in panels] == [
        "stored parameters per task", "peak memory, GiB", "time of a training, s"
    ]  # fmt: skip
    assert [[spot.name for spot in panel.spots if spot.on_front] for panel in panels] == [
        ["small · cheap", "small · best"], ["small · best"], ["small · cheap", "small · best"]
    ]  # fmt: skip
    assert [[spot.cost for spot in panel.spots] for panel in panels] == [[100, 500, 1000], [2, 3, 4], [10, 20, 30]]
    assert [panel.trivial for panel in panels] == pytest.approx([52.7] * 3)


def test_costs_are_means_over_tasks_and_memory_is_the_most(cell: Any, record: Any, store: Any) -> None:
    records = [
        costly(record, cell(task, method="a", seed=seed), 60.0, stored, gib, seconds)
        for task, seed, stored, gib, seconds in (
            ("rte", 0, 100, 1.0, 10.0), ("rte", 1, 100, 2.0, 20.0), ("cb", 0, 300, 5.0, 45.0), ("cb", 1, 300, 3.0, 45.0)
        )
    ]  # fmt: skip
    records += [costly(record, cell(task, method="b"), 60.0, 400, 9.0, 90.0) for task in ("rte", "cb")]
    stored, memory, seconds = panels_of(store(records), ("rte", "cb"))
    assert [panel.spots[0].cost for panel in (stored, memory, seconds)] == [200.0, 5.0, 30.0]


def test_what_lacks_a_task_or_was_not_measured_has_no_point(cell: Any, record: Any, store: Any) -> None:
    records = [
        costly(record, cell(task, method=method), 60.0, stored=100 * (1 + (method == "b")), gib=gib)
        for method, gib in (("a", 1.0), ("b", 2.0), ("c", 0.0))
        for task in ("rte", "cb")
    ]
    records.append(costly(record, cell("rte", method="half"), 99.0, stored=1))
    stored, memory = panels_of(store(records), ("rte", "cb"))
    assert [spot.method for spot in stored.spots] == ["a", "c", "b"]
    assert [spot.method for spot in memory.spots] == ["a", "b"]  # c's memory is 0: nothing is known of it
    assert memory.lacking == ("small · c",)


def test_points_of_one_cost_make_no_figure(cell: Any, record: Any, store: Any) -> None:
    made = store(costly(record, cell(method=method), 60.0, stored=100) for method in ("a", "b"))
    assert panels_of(made) == []


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_failed_cells_cost_nothing(status: str, cell: Any, record: Any, store: Any) -> None:
    records = [costly(record, cell(method=method), 60.0, stored=stored) for method, stored in (("a", 1), ("b", 2))]
    records.append(record(cell(method="c"), status=status, reason="x"))
    panels = panels_of(store(records))
    assert len(panels) == 1
    for panel in panels:
        assert {spot.method for spot in panel.spots} == {"a", "b"}
        assert all(math.isfinite(spot.cost) for spot in panel.spots)


def test_one_model_is_named_once_and_several_beside_each_line(cell: Any, record: Any, store: Any) -> None:
    small = [
        costly(record, cell(method=method), 60.0 + stored / 100, stored) for method, stored in (("a", 100), ("b", 200))
    ]
    large = [costly(record, cell(model="large", method="a"), 70.0, 400)]
    found = {}
    for records in (small, [*small, *large]):
        (figure,) = (
            each
            for each in captioned_figures(collect([store(records).path], {"superglue": ("rte",)}))
            if each.name.startswith("cost")
        )
        found[figure.heading] = figure.plots[0].beneath
    assert found == {
        "superglue: score against cost, small": ("1  61.0  a", "2  62.0  b"),
        "superglue: score against cost": ("1  61.0  small · a", "2  62.0  small · b", "3  70.0  large · a"),
    }
