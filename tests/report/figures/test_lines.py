"""Figures: the numbers they are drawn from, gaps that stay gaps, published points, and the same bytes twice."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.report.figures.captioned import captioned_figures
from bench.report.figures.curves import Curve, Panel, Point, average_panel, task_panels
from bench.report.figures.layout import compose, render
from bench.report.figures.lines import line_keys, line_plots
from bench.report.figures.style import styles_of
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
    (main, *_) = captioned_figures(collect([grid.path], {"superglue": AVERAGED}))
    assert main.notes[0] == "1 of 6 points missing: medium · ptv2"


def drawn_words(store: Any) -> list[str]:
    """The words that are drawn in the scale figure, in their order."""
    paths = write_report([store.path], {"svg"}, {"superglue": AVERAGED})
    return words_of(paths[0].read_text())


def words_of(svg: str) -> list[str]:
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


def test_the_mean_has_the_mean_of_the_trivial_scores_and_no_task_s(grid: Any) -> None:
    assert panel_of(grid).trivial == pytest.approx(164.9 / 3)
    words = drawn_words(grid)
    assert (words.count("trivial"), words.count("55.0")) == (1, 1)
    assert {"52.7", "62.2"} & {*words} == set()


def test_a_panel_of_a_task_has_its_own_trivial_score(cell: Any, record: Any, store: Any) -> None:
    tasks = (*AVERAGED, "wic")
    report = collect([store(record(cell(task), 60.0) for task in tasks).path], {"superglue": tasks})
    assert average_panel(report.summary, report.averages, tasks, None).title == "mean of 4 tasks"
    assert [panel.trivial for panel in task_panels(report.summary, tasks, None)] == [52.7, 62.2, 50.0, 50.0]


def test_a_drawing_has_its_caption_beside_it_and_not_in_it(grid: Any) -> None:
    paths = {path.name: path for path in write_report([grid.path], {"svg", "png"}, {"superglue": AVERAGED})}
    svg, captions = (paths[name].read_text() for name in ("scale-superglue.svg", "figures.md"))
    assert ' role="img"' in svg
    assert "<title>superglue: score against model size</title>" in svg
    for words in ("superglue: score against model size", "Seeds 0–1.", "95\u00a0% interval"):
        assert not [drawn for drawn in words_of(svg) if words in drawn]
        assert words in captions
    assert "![superglue: each task against model size](scale-superglue-tasks.svg)" in captions


def test_a_panel_per_task_the_chosen_first(cell: Any, record: Any, store: Any) -> None:
    report = collect([store(record(cell(task), 60.0) for task in ("wic", *AVERAGED)).path], {"superglue": AVERAGED})
    panels = task_panels(report.summary, AVERAGED, None)
    assert [panel.title for panel in panels] == ["rte accuracy", "boolq accuracy", "cb accuracy", "wic accuracy"]


def test_a_single_task_with_a_single_point_is_drawn(cell: Any, record: Any, store: Any) -> None:
    made = store([record(cell(), 60.0)])
    paths = write_report([made.path], {"png", "svg"}, {"superglue": AVERAGED})
    assert [path.name for path in paths] == [
        "scale-superglue.png", "scale-superglue.svg", "scale-superglue-tasks.png", "scale-superglue-tasks.svg",
        "figures.md",
    ]  # fmt: skip
    assert panel_of(made).title == "rte accuracy"


def test_a_grid_without_any_result_is_drawn(cell: Any, store: Any) -> None:
    made = store(planned=[cell(), cell("cb")])
    assert "no point has a score" in drawn_words(made)


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
    report = collect([grid.path], {"superglue": AVERAGED})
    looks = styles_of(report.frame, ["ptuning_v1", "ptv2"]).of_curves(panel.curves)
    assert looks["ptv2 (published)", ""] == looks["ptv2", ""] != looks["finetune", ""]
    assert "ptv2 (published)" not in {one.label for one in panel_of(grid).curves}


def test_every_published_number_is_there() -> None:
    table = published.read()
    sizes = table.groupby("source").size().to_dict()
    assert sizes == {"table 2": 96, "table 3": 120, "table 4": 8, "figure 3": 24, "figure 4": 100}
    assert set(table.loc[table["digitised"], "source"]) == {"figure 3", "figure 4"}
    assert table["score"].between(0, 100).all()


def test_seven_panels_and_twenty_lines_are_drawn() -> None:
    curves = tuple(Curve(f"method_{number} (length=20)", f"method_{number}", ()) for number in range(20))
    frame = pd.DataFrame({"method": [c.method for c in curves], "label": [c.label for c in curves]})
    looks = styles_of(frame.assign(suite="s", id=range(20), given=[{}] * 20)).of_curves(curves)
    assert len({(style.base, style.marker) for style in looks.values()}) == 20
    panels = [Panel(f"task {number}", curves, math.nan, (), 20) for number in range(7)]
    figure = compose(line_plots(panels, looks), line_keys(panels, looks))
    assert render(figure, ["png"])["png"].startswith(b"\x89PNG")


def test_the_legend_of_one_panel_reads_as_its_lines_end() -> None:
    ends = {"a": 50.0, "b": 70.0, "c": 60.0}
    curves = tuple(Curve(name, name, (Point("m", 1e6, 0.0), Point("n", 1e7, end))) for name, end in ends.items())
    frame = pd.DataFrame({"suite": "s", "method": list(ends), "label": list(ends), "id": [1, 2, 3], "given": [{}] * 3})
    looks = styles_of(frame).of_curves(curves)
    one, two = (Panel(name, curves, math.nan, (), 6) for name in ("one", "two"))
    assert [key.text for key in line_keys([one], looks)] == ["b", "c", "a"]
    assert [key.text for key in line_keys([one, two], looks)] == ["a", "b", "c"]
