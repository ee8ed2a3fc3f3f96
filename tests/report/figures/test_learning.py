"""Selection scores against training steps: whether a budget ends too early is to be seen, task by task."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from bench.report.figures.captioned import CaptionedFigure, captioned_figures
from bench.report.figures.learning import MOST_PANELS, learning_panels
from bench.report.files import collect, write
from bench.report.tables.report import Report
from bench.store.record import CurvePoint


def points(*scores: float, every: int = 100) -> list[CurvePoint]:
    return [
        CurvePoint(step=every * at, epoch=at, train_loss=None, scores={"accuracy": score, "f1": 0.0})
        for at, score in enumerate(scores, start=1)
    ]


@pytest.fixture
def reported(cell: Any, record: Any, store: Any) -> Any:
    """A report of curves by task, model, method and seed."""

    def make(curves: dict[tuple[str, str, str, int], list[CurvePoint]]) -> Report:
        records = [
            record(cell(*key), 70.0 + key[-1]).model_copy(update={"curve": curve}) for key, curve in curves.items()
        ]
        return collect([store(records).path], {"superglue": ("rte", "cb")})

    return make


def panels_of(report: Report) -> tuple[dict[str, dict[str, list[tuple[float, float]]]], str]:
    panels, note = learning_panels(report.curves, report.frame, report.averaged["superglue"])
    return {
        panel.title: {curve.label: [(point.x, point.score) for point in curve.points] for curve in panel.curves}
        for panel in panels
    }, note


def figure_of(report: Report) -> CaptionedFigure:
    (figure,) = [figure for figure in captioned_figures(report) if figure.name.startswith("curves-")]
    return figure


def test_a_line_is_the_mean_of_its_seeds_at_each_step(reported: Any) -> None:
    report = reported({
        ("rte", "small", "ptv2", 0): points(50, 60), ("rte", "small", "ptv2", 1): points(52, 70),
        ("rte", "small", "finetune", 0): points(80, 81, 82),
    })  # fmt: skip
    assert panels_of(report) == (
        {"rte accuracy": {"finetune": [(100, 80), (200, 81), (300, 82)], "ptv2": [(100, 51), (200, 65)]}}, "",
    )  # fmt: skip


def test_of_seeds_that_were_evaluated_at_other_steps_the_most_common_ones_count(reported: Any) -> None:
    report = reported({
        ("rte", "small", "ptv2", 0): points(50, 60), ("rte", "small", "ptv2", 1): points(52, 70),
        ("rte", "small", "ptv2", 2): points(10, 10, every=7),
    })  # fmt: skip
    assert panels_of(report)[0] == {"rte accuracy": {"ptv2": [(100, 51), (200, 65)]}}


def test_panels_go_by_task_and_in_each_by_the_models_size(reported: Any) -> None:
    curves = {
        (task, model, "ptv2", 0): points(50, 60)
        for task in ("boolq", "cb", "rte")
        for model in ("large", "medium", "small")
    }
    titles = list(panels_of(reported(curves))[0])
    assert titles == [f"{task} accuracy · {model}" for task in ("rte", "cb", "boolq")
                      for model in ("small", "medium", "large")]  # fmt: skip


@pytest.mark.parametrize(("lacking", "rows"), [([], [4, 4]), ([("cb", "a")], [3, 3, 1])])
def test_a_task_has_a_row_where_it_has_a_panel_of_each_model(reported: Any, lacking: Any, rows: list[int]) -> None:
    places = [(task, model) for task in ("rte", "cb") for model in ("a", "b", "c", "d")]
    figure = figure_of(reported({(*place, "ptv2", 0): points(50, 60) for place in places if place not in lacking}))
    heights = [axes.get_position().y0 for axes in figure.drawing.axes]
    assert [heights.count(height) for height in dict.fromkeys(heights)] == rows


def test_of_many_panels_those_of_the_largest_models_are_kept_and_it_is_said(reported: Any) -> None:
    tasks = [f"task{number}" for number in range(MOST_PANELS // 2 - 1)]
    report = reported(
        {(task, model, "ptv2", 0): points(50, 60) for task in tasks for model in ("small", "medium", "large")}
    )
    panels, note = panels_of(report)
    assert len(panels) == 2 * len(tasks)
    assert {title.partition(" · ")[2] for title in panels} == {"medium", "large"}
    assert note == "Of 3 models the 2 largest are shown."
    assert note in figure_of(report).notes


def test_of_many_evaluations_some_are_drawn_evenly_and_the_last(reported: Any) -> None:
    report = reported({("rte", "small", "ptv2", 0): points(*[50.0] * 99, 60.0, every=10)})
    ((_, line),) = panels_of(report)[0]["rte accuracy"].items()
    assert len(line) == 20
    assert line[-1] == (1000, 60)
    assert {later[0] - before[0] for before, later in pairwise(line)} == {50}


def test_one_evaluation_is_no_curve(reported: Any) -> None:
    report = reported({("rte", "small", "ptv2", 0): points(50), ("rte", "small", "finetune", 0): []})
    assert panels_of(report) == ({}, "")
    assert not [figure for figure in captioned_figures(report) if figure.name.startswith("curves-")]


def test_lines_without_intervals_stand_at_their_steps_and_are_drawn_into_the_files(
    reported: Any, tmp_path: Any
) -> None:
    methods = ("bitfit", "finetune", "lora", "ptv2")
    report = reported({("rte", "small", method, 0): points(50, 60, 70) for method in methods})
    figure = figure_of(report)
    (axes,) = figure.drawing.axes
    assert len({tuple(line.get_transform().transform((100, 50))) for line in axes.lines}) == 1
    assert not axes.collections
    write(report, ["svg", "md", "html"], to=tmp_path)
    drawn = (tmp_path / "curves-superglue.svg").read_text()
    assert re.search(r">training steps<", drawn)
    assert "curves-superglue.svg" in (tmp_path / "figures.md").read_text()
    assert "selection score against training steps" in (tmp_path / "report.html").read_text()
