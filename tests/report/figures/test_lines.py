"""Figures: the numbers they are drawn from, gaps that stay gaps, published points, and the same bytes twice."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bench.report.figures.curves import Curve, Panel, average_panel, task_panels
from bench.report.figures.layout import render, spread
from bench.report.figures.lines import draw_lines
from bench.report.figures.style import assign_styles
from bench.report.files import collect
from bench.report.read import published
from tests.report.conftest import write_report

AVERAGED = ("rte", "boolq", "cb")
ACCURACY = dict.fromkeys(AVERAGED, "accuracy")
# Liu et al. 2022, table 2, mean of RTE, BoolQ and CB: RoBERTa-large, GLM-xlarge, GLM-xxlarge (figure 1)
FIGURE_1 = {
    "finetune": [(86.6 + 86.9 + 98.2) / 3, (90.3 + 88.3 + 96.4) / 3, (93.1 + 88.7 + 98.7) / 3],
    "ptuning_v1": [(58.8 + 62.3 + 71.4) / 3, (85.6 + 79.7 + 76.4) / 3, (89.9 + 88.8 + 98.2) / 3],
    "ptv2": [(89.5 + 84.8 + 100) / 3, (90.3 + 87.0 + 96.4) / 3, (93.1 + 88.8 + 96.4) / 3],
}


def panel_of(store: Any, overlay: Any = None) -> Panel:
    report = collect([store.path], {"superglue": AVERAGED})
    return average_panel(report.summary, report.averages, report.averaged["superglue"], overlay)


def curve(panel: Panel, label: str) -> Curve:
    return next(curve for curve in panel.curves if curve.label == label)


@pytest.fixture
def grid(cell: Any, record: Any, store: Any) -> Any:
    """Two methods, three models, two seeds; ptv2 on the medium model lacks cb."""
    records = [
        record(cell(task, model, method, seed), 60.0 + 10 * place + seed)
        for task in AVERAGED
        for place, model in enumerate(("small", "medium", "large"))
        for method in ("finetune", "ptv2")
        for seed in range(2)
        if (task, model, method) != ("cb", "medium", "ptv2")
    ]
    planned = [cell("cb", "medium", "ptv2", seed) for seed in range(2)]
    return store(records, planned=planned)


def test_a_missing_average_is_a_gap_that_is_counted_and_named(grid: Any) -> None:
    panel = panel_of(grid)
    scores = [point.score for point in curve(panel, "ptv2").points]
    assert [point.x for point in curve(panel, "ptv2").points] == [20e6, 110e6, 335e6]
    assert (scores[0], scores[2]) == (60.5, 80.5)
    assert math.isnan(scores[1])
    assert panel.absent == ("medium · ptv2",)
    assert "1 of 6 points missing: medium · ptv2" in figure_text(grid)


def figure_text(store: Any) -> str:
    """All words of the scale figure; SVG keeps them as comments beside the outlines."""
    paths = write_report([store.path], {"svg"}, {"superglue": AVERAGED})
    return paths[0].read_text()


def test_each_chosen_task_s_trivial_baseline_is_drawn(grid: Any) -> None:
    assert panel_of(grid).baselines == pytest.approx({"rte": 52.7, "boolq": 62.2, "cb": 50.0, "mean": 164.9 / 3})
    text = figure_text(grid)
    for words in ("rte trivial 52.7", "boolq trivial 62.2", "cb trivial 50.0"):
        assert words in text


def test_of_more_than_a_few_tasks_only_the_mean_baseline_is_drawn(cell: Any, record: Any, store: Any) -> None:
    tasks = (*AVERAGED, "wic")
    made = store(record(cell(task), 60.0) for task in tasks)
    report = collect([made.path], {"superglue": tasks})
    panel = average_panel(report.summary, report.averages, tasks, None)
    assert (panel.title, list(panel.baselines)) == ("mean of 4 tasks", ["mean"])
    assert [list(panel.baselines) for panel in task_panels(report.summary, tasks, None)] == [[""]] * 4


def test_a_panel_per_task_the_chosen_first(cell: Any, record: Any, store: Any) -> None:
    report = collect([store(record(cell(task), 60.0) for task in ("wic", *AVERAGED)).path], {"superglue": AVERAGED})
    panels = task_panels(report.summary, AVERAGED, None)
    assert [panel.title for panel in panels] == ["rte accuracy", "boolq accuracy", "cb accuracy", "wic accuracy"]


def test_a_single_task_with_a_single_point_is_drawn(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0)])
    paths = write_report([made.path], {"png", "svg"}, {"superglue": AVERAGED})
    assert [path.name for path in paths] == [
        "scale-superglue.png", "scale-superglue.svg", "scale-superglue-tasks.png", "scale-superglue-tasks.svg"
    ]  # fmt: skip
    assert panel_of(made).title == "rte accuracy"


def test_a_grid_without_any_result_is_drawn(cell: Any, store: Any) -> None:
    made = store(planned=[cell(), cell("cb")])
    assert "no point has a score" in figure_text(made)


def test_the_same_results_give_the_same_bytes(grid: Any, tmp_path: Path) -> None:
    first, second = (
        write_report([grid.path], {"svg", "png"}, {"superglue": AVERAGED}, to=tmp_path / name) for name in ("a", "b")
    )
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_published_means_are_the_paper_s_figure_1() -> None:
    table = published.means(published.read(), ACCURACY)
    for method, expected in FIGURE_1.items():
        rows = table[(table["method"] == method) & (table["model"] != "BERT-large")]
        assert list(rows["model"]) == ["RoBERTa-large", "GLM-xlarge", "GLM-xxlarge"]
        assert list(rows["score"]) == pytest.approx(expected)
    assert [round(score, 2) for score in FIGURE_1["finetune"]] == [90.57, 91.67, 93.5]


def test_published_points_lie_over_the_figure_and_look_like_their_method(grid: Any) -> None:
    panel = panel_of(grid, published.read())
    over = curve(panel, "ptv2 (published)")
    assert [point.x for point in over.points] == [335e6, 355e6, 2e9, 10e9]
    styles = assign_styles(panel.curves)
    assert styles["ptv2 (published)"] == styles["ptv2"] != styles["finetune"]
    assert "ptv2 (published)" not in {one.label for one in panel_of(grid).curves}


def test_every_published_number_is_there() -> None:
    table = published.read()
    sizes = table.groupby("source").size().to_dict()
    assert sizes == {"table 2": 96, "table 3": 120, "table 4": 8, "figure 3": 24, "figure 4": 100}
    assert set(table.loc[table["digitised"], "source"]) == {"figure 3", "figure 4"}
    assert table["score"].between(0, 100).all()


def test_spread_keeps_order_distance_and_what_is_far_enough() -> None:
    assert spread([0.0, 1.0], 0.5) == [0.0, 1.0]
    assert spread([0.5, 0.5], 0.2) == pytest.approx([0.4, 0.6])
    moved = spread([0.9, 0.0, 0.05, 0.1, 0.3], 0.1)
    assert moved == pytest.approx([0.9, -0.05, 0.05, 0.15, 0.3])


def test_seven_panels_and_twenty_lines_are_drawn() -> None:
    curves = tuple(Curve(f"method_{number} (length=20)", f"method_{number}", ()) for number in range(20))
    panels = [Panel(f"task {number}", curves, {}, (), 20) for number in range(7)]
    assert len({(style.colour, style.marker) for style in assign_styles(curves).values()}) == 20
    assert render(draw_lines(panels, "many", ["note"]), ["png"])["png"].startswith(b"\x89PNG")
