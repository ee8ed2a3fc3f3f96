"""Ablation figures: their numbers, what is left out and said, published points, and that all of it is drawn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from bench.report.figures.ablations import Ablation, ablations
from bench.report.figures.captioned import CaptionedFigure, captioned_figures
from bench.report.figures.style import styles_of
from bench.report.files import collect
from bench.report.read import published
from bench.report.read.sweeps import sweep_points
from tests.report.conftest import write_report

BASE = {"length": 20, "layers": "all", "reparam": "none", "head": "linear", "learning_rate": 5e-3}
LARGE = "FacebookAI/roberta-large"
UP, DOWN = "ptv2, from the first layer up", "ptv2, from the last layer down"


@pytest.fixture
def point(cell: Any, record: Any) -> Any:
    """A record with some settings changed, of a backbone of 24 layers unless told otherwise; None: it failed."""

    def make(score: float | None, depth: int | None = 24, size: int | None = None, **changes: Any) -> Any:
        of_cell = {name: changes.pop(name) for name in ("task", "model", "method", "seed") if name in changes}
        of_cell["settings"] = BASE | changes
        made = record(cell(**of_cell, given=changes), score, "done" if score is not None else "failed")
        costs = made.costs.model_copy(update={"train_seconds": 1.0 + len(str(changes))})
        update: dict[str, Any] = {"provenance": {"layers": depth} if depth else {}, "costs": costs}
        if size:
            update["parameters"] = made.parameters.model_copy(update={"backbone": size})
        return made.model_copy(update=update)

    return make


def text_of(figure: CaptionedFigure) -> str:
    return " ".join([f"{figure.heading}.", *figure.notes])


def ablations_of(made: Any, overlay: Any = None, beside: Any = None) -> dict[str, Ablation]:
    report = collect([made.path], {})
    found = ablations(sweep_points(report.frame, report.summary), ("rte", "boolq"), overlay, beside)
    return {ablation.setting: ablation for ablation in found}


def curves(ablation: Ablation, panel: int = 0) -> dict[str, list[tuple[float, float]]]:
    drawn = ablation.panels[panel].curves
    return {curve.label: [(point.x, point.score) for point in curve.points] for curve in drawn}


def test_depth_counts_up_from_the_first_layer_and_down_from_the_last(point: Any, store: Any) -> None:
    scores = {"1-4": 58.0, "1-12": 57.0, "21-24": 69.0, "13-24": 77.0, "all": 78.0}
    found = ablations_of(store(point(score, layers=layers) for layers, score in scores.items()))
    assert list(found) == ["layers"]
    assert curves(found["layers"]) == {
        UP: [(4, 58.0), (12, 57.0), (24, 78.0)],
        DOWN: [(4, 69.0), (12, 77.0), (24, 78.0)],
    }
    assert found["layers"].notes == ()


def test_a_range_that_touches_no_end_is_named_beside_the_lines(point: Any, store: Any) -> None:
    found = ablations_of(store(point(60.0, layers=layers) for layers in ("1-4", "1-8", "5-8", "21-24")))["layers"]
    assert curves(found) == {UP: [(4, 60.0), (8, 60.0)]}
    assert found.notes == ("Not on a line, in the table alone: 5-8, 21-24.",)  # one point makes no line


def test_ranges_of_which_no_two_touch_the_same_end_make_no_figure(point: Any, store: Any) -> None:
    assert ablations_of(store(point(60.0, layers=layers) for layers in ("1-4", "5-8", "21-24"))) == {}


def test_without_a_recorded_depth_the_last_layer_named_is_the_last(point: Any, store: Any) -> None:
    ranges = ("1-6", "1-12", "7-12", "all")
    found = ablations_of(store(point(60.0, depth=None, layers=layers) for layers in ranges))["layers"]
    assert curves(found) == {UP: [(6, 60.0), (12, 60.0)], DOWN: [(6, 60.0), (12, 60.0)]}
    assert found.notes == ("Not on a line, in the table alone: all.",)


def test_all_layers_said_in_two_ways_are_one_point(point: Any, store: Any) -> None:
    found = ablations_of(store(point(60.0, layers=layers) for layers in ("1-12", "1-24", "all")))["layers"]
    assert curves(found) == {UP: [(12, 60.0), (24, 60.0)]}
    assert found.notes == ("Not on a line, in the table alone: all.",)


def test_length_has_a_line_per_reparameterisation_and_no_figure_of_its_own_for_that(point: Any, store: Any) -> None:
    made = store(
        point(60.0 + length + (reparam == "mlp"), length=length, reparam=reparam)
        for length in (32, 2, 8)
        for reparam in ("none", "mlp")
    )
    found = ablations_of(made)
    assert list(found) == ["length"]
    assert curves(found["length"]) == {
        "ptv2 (reparam=mlp)": [(2, 63.0), (8, 69.0), (32, 93.0)],
        "ptv2 (reparam=none)": [(2, 62.0), (8, 68.0), (32, 92.0)],
    }
    panel = found["length"].panels[0]
    assert (panel.x_label, panel.log) == ("length (log scale)", True)
    assert panel.trivial == pytest.approx(52.7)


def test_learning_rates_of_several_methods_share_a_panel(point: Any, store: Any) -> None:
    made = store(point(60.0, method=m, learning_rate=lr) for m in ("ptv2", "finetune") for lr in (1e-4, 1e-3))
    assert curves(ablations_of(made)["learning_rate"]) == {
        "finetune": [(1e-4, 60.0), (1e-3, 60.0)], "ptv2": [(1e-4, 60.0), (1e-3, 60.0)]
    }  # fmt: skip


def test_a_narrow_range_or_one_with_zero_has_a_linear_axis(point: Any, store: Any) -> None:
    made = store(point(60.0, length=length) for length in (10, 20, 29))
    assert not ablations_of(made)["length"].panels[0].log


def test_a_panel_per_task_and_model_the_named_tasks_first_then_by_size(point: Any, store: Any) -> None:
    made = store(
        point(60.0, task=task, model=model, size=size, length=length)
        for task in ("cb", "boolq", "rte")
        for model, size in (("b", 10), ("a", 20))
        for length in (2, 4)
    )
    titles = [panel.title for panel in ablations_of(made)["length"].panels]
    assert titles == [f"{task} accuracy · {model}" for task in ("rte", "boolq", "cb") for model in ("b", "a")]


def test_a_failed_value_is_a_gap_and_is_counted(point: Any, store: Any) -> None:
    made = store([point(60.0, length=2), point(None, length=4), point(61.0, length=8)])
    caption = next(text_of(figure) for figure in captioned_figures(collect([made.path], {})) if "length" in figure.name)
    assert "1 of 3 points missing: ptv2 at 4" in caption
    panel = ablations_of(made)["length"].panels[0]
    assert [math.isnan(point.score) for point in panel.curves[0].points] == [False, True, False]
    assert (panel.absent, panel.num_asked) == (("ptv2 at 4",), 3)


def test_intervals_are_those_of_the_summary_and_one_seed_has_none(point: Any, store: Any) -> None:
    made = store([point(60.0 + seed, length=2, seed=seed) for seed in range(2)] + [point(60.0, length=4)])
    first, second = ablations_of(made)["length"].panels[0].curves[0].points
    row = collect([made.path], {}).summary.set_index("label").loc["ptv2 (length=2)"]
    assert (first.score, first.low, first.high) == (60.5, row["low"], row["high"])
    assert first.low < 60.5 < first.high
    assert math.isnan(second.low)


def test_of_many_lines_and_panels_the_rest_is_said_to_be_in_the_table(point: Any, store: Any) -> None:
    swept = [(task, 1.0) for task in range(14)] + [(0, 1.0 + rate) for rate in range(1, 9)]
    made = store(
        point(60.0, task=f"task{task}", length=length, learning_rate=rate) for task, rate in swept for length in (2, 4)
    )
    found = ablations_of(made)["length"]
    assert [len(panel.curves) for panel in found.panels] == [8] + [1] * 11
    assert found.notes[0] == "2 of 14 pairs of task and model are in the table alone."
    assert found.notes[1] == "task0: 1 of 9 lines are in the table alone."


def test_heads_are_paired_per_task_and_method_beside_the_trivial_baseline(point: Any, store: Any) -> None:
    made = store(
        point(score, task=task, method=method, head=head)
        for task in ("boolq", "rte")
        for method in ("ptv2", "finetune")
        for head, score in (("linear", 70.0), ("verbalizer", None if method == "ptv2" else 68.0))
    )
    found = ablations_of(made)["head"]
    (panel,) = found.pairs
    assert [row.name for row in panel.rows] == [
        "rte accuracy · finetune", "rte accuracy · ptv2", "boolq accuracy · finetune", "boolq accuracy · ptv2"
    ]  # fmt: skip
    assert {value: point.score for value, point in panel.rows[0].scores.items()} == {"linear": 70.0, "verbalizer": 68.0}
    assert math.isnan(panel.rows[1].scores["verbalizer"].score)
    assert [row.trivial for row in panel.rows] == pytest.approx([52.7, 52.7, 62.2, 62.2])


def test_the_head_has_its_figure_even_where_it_names_lines_of_another(point: Any, store: Any) -> None:
    made = store(point(60.0, length=length, head=head) for length in (2, 4) for head in ("linear", "verbalizer"))
    found = ablations_of(made)
    assert list(found) == ["head", "length"]
    assert [row.name for row in found["head"].pairs[0].rows] == [
        "rte accuracy · ptv2 (length=2)", "rte accuracy · ptv2 (length=4)"
    ]  # fmt: skip


def test_the_paper_s_depths_lie_over_those_of_the_same_model(point: Any, store: Any) -> None:
    ranges = ("1-4", "1-24", "5-24")
    made = store(point(60.0, size=335_000_000, model="bert-large-cased", layers=layers) for layers in ranges)
    found = ablations_of(made, published.read())["layers"]
    assert curves(found)[f"{DOWN} (published)"] == [(4, 69), (8, 76), (12, 77), (16, 76), (20, 77), (24, 78)]
    assert curves(found)[f"{UP} (published)"] == [(4, 58), (8, 59), (12, 57), (16, 69), (20, 75), (24, 78)]
    assert found.published
    other = store((point(60.0, model="roberta-large", layers=layers) for layers in ranges), name="other")
    assert set(curves(ablations_of(other, published.read())["layers"])) == {UP, DOWN}


def test_what_a_paper_found_with_other_models_has_panels_of_its_own_beside(point: Any, store: Any) -> None:
    made = store(point(60.0, model="mine", layers=layers) for layers in ("1-4", "1-8", "5-8"))
    papers = published.read()
    assert [panel.title for panel in ablations_of(made, papers)["layers"].panels] == ["rte accuracy"]
    found = ablations_of(made, papers, papers)["layers"]
    titles = ["rte accuracy", "rte accuracy · BERT-large", "boolq accuracy · BERT-large"]
    assert [panel.title for panel in found.panels] == titles
    assert set(curves(found)) == {UP}
    assert curves(found, 1)[f"{UP} (published)"] == [(4, 58), (8, 59), (12, 57), (16, 69), (20, 75), (24, 78)]
    assert curves(found, 2)[f"{DOWN} (published)"] == [(4, 64), (8, 62), (12, 66), (16, 70), (20, 72), (24, 75.8)]
    assert found.published
    assert {point.model for point in found.points} == {"mine"}


def test_what_lies_over_one_s_own_does_not_stand_beside_too(point: Any, store: Any) -> None:
    made = store(point(60.0, size=335_000_000, model="bert-large-cased", layers=layers) for layers in ("1-4", "1-24"))
    papers = published.read()
    found = ablations_of(made, papers, papers)["layers"]
    assert [panel.title for panel in found.panels] == ["rte accuracy", "boolq accuracy · BERT-large"]
    assert f"{UP} (published)" in curves(found)


def test_a_choice_that_a_paper_made_with_other_models_has_rows_of_its_own(point: Any, store: Any) -> None:
    made = store(point(60.0, model="mine", head=head) for head in ("linear", "verbalizer"))
    own, theirs = ablations_of(made, None, published.read())["head"].pairs
    assert [row.name for row in own.rows] == ["rte accuracy · ptv2"]
    assert theirs.title == "RoBERTa-large (published)"
    rows = {row.name: dict(row.published) for row in theirs.rows}
    assert rows["sst2 accuracy · ptv2"] == {"linear": 96.3, "verbalizer": 95.8}
    assert len(rows) == 4


def test_the_paper_s_heads_stand_beside_those_of_the_same_model_and_method(point: Any, store: Any) -> None:
    made = store(
        point(60.0, size=355_000_000, model=LARGE, method=method, head=head)
        for method in ("ptv2", "finetune")
        for head in ("linear", "verbalizer")
    )
    rows = {row.name: dict(row.published) for row in ablations_of(made, published.read())["head"].pairs[0].rows}
    assert rows == {
        "rte accuracy · ptv2": {"linear": 88.4, "verbalizer": 86.6}, "rte accuracy · finetune": {}
    }  # fmt: skip


def test_the_paper_s_lengths_lie_over_the_line_of_their_reparameterisation(cell: Any, record: Any, store: Any) -> None:
    def tagged(length: int, reparam: str) -> Any:
        settings = BASE | {"length": length, "reparam": reparam}
        made = record(cell("conll04", LARGE, settings=settings, given=settings), 80.0)
        sizes = made.parameters.model_copy(update={"backbone": 355_000_000})
        update = {"main_metric": "entity_f1", "scores": {"entity_f1": 80.0}, "parameters": sizes}
        return made.model_copy(update=update)

    made = store(tagged(length, reparam) for length in (16, 32) for reparam in ("none", "mlp"))
    drawn = curves(ablations_of(made, published.read())["length"])
    assert drawn["ptv2 (reparam=none) (published)"][:2] == [(16, 85.4), (32, 86.7)]
    assert drawn["ptv2 (reparam=mlp) (published)"][:2] == [(16, 86.9), (32, 89.1)]


def test_a_published_line_looks_like_its_namesake_or_the_only_line_of_its_method(
    cell: Any, record: Any, store: Any
) -> None:
    def tagged(length: int) -> Any:
        settings = BASE | {"length": length}
        made = record(cell("conll04", LARGE, settings=settings, given=settings), 80.0)
        return made.model_copy(update={"main_metric": "entity_f1", "scores": {"entity_f1": 80.0}})

    made = store([tagged(16), tagged(32)])
    report = collect([made.path], {})
    report.summary["backbone_parameters"] = 355e6
    (found,) = ablations(sweep_points(report.frame, report.summary), (), published.read())
    looks = styles_of(report.frame).of_curves(found.panels[0].curves)
    assert set(looks) == {("ptv2", ""), ("ptv2 (reparam=none) (published)", "")}
    assert len(set(looks.values())) == 1


def test_every_figure_of_a_swept_grid_is_drawn_the_same_twice(point: Any, store: Any, tmp_path: Path) -> None:
    swept = [{"layers": layers} for layers in ("1-12", "1-24", "13-24")]
    swept += [{"length": 4}, {"length": 8}, {"head": "verbalizer"}, {}]
    made = store(
        point(60.0 + seed, seed=seed, model=LARGE, size=355_000_000, **changes)
        for seed in range(2)
        for changes in swept
    )
    first = write_report([made.path], {"svg"}, {}, to=tmp_path / "a")
    names = ["scale-superglue", "scale-superglue-tasks"]
    names += [f"ablation-superglue-{setting}" for setting in ("head", "layers", "length")] + ["cost-superglue"]
    assert [path.name for path in first] == [*(f"{name}.svg" for name in names), "figures.md"]
    second = write_report([made.path], {"svg"}, {}, to=tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_figure_s_caption_says_what_is_drawn_and_under_which_conditions(point: Any, store: Any) -> None:
    made = store(point(60.0 + seed, seed=seed, length=length) for seed in (0, 1) for length in (2, 40))
    drawn = {figure.name: figure for figure in captioned_figures(collect([made.path], {}))}
    assert list(drawn) == ["scale-superglue", "scale-superglue-tasks", "ablation-superglue-length", "cost-superglue"]
    for words in (
        "superglue: score against length, small.",
        "Along a line nothing but length differs.",
        "Seeds 0–1.",
        "Protocol: holdout. Budget: 10 epochs × batch 32.",
    ):
        assert words in text_of(drawn["ablation-superglue-length"])
    assert len(drawn["ablation-superglue-length"].plots) == 1


def test_trials_are_named_where_settings_were_chosen_from_them(point: Any, store: Any) -> None:
    report = collect([store(point(60.0, length=length) for length in (2, 4)).path], {})
    report.frame["trials"] = 4
    for figure in captioned_figures(report):
        assert "Protocol: holdout. Trials: settings chosen from 4. Budget" in text_of(figure)
