"""Several budgets in one report: a figure of them, verdicts and ranks within each, never across."""

from __future__ import annotations

from typing import Any

import pytest

from bench.cell import Budget
from bench.report.figures.budgets import against_budgets, order_notes
from bench.report.files import collect, write
from bench.report.tables.report import Report

SCORES = {  # steps -> method -> score
    100: {"finetune": 80.0, "ptv2": 60.0},
    400: {"finetune": 82.0, "ptv2": 90.0},
}


def of_steps(steps: int, **changes: Any) -> Budget:
    return Budget(steps=steps, **changes)


@pytest.fixture
def reported(cell: Any, record: Any, store: Any) -> Any:
    """A report of these scores by steps and method, three seeds each, on these tasks."""

    def make(scores: dict[int, dict[str, float]] = SCORES, tasks: tuple[str, ...] = ("rte",), **changes: Any) -> Report:
        records = [
            record(cell(task=task, method=method, seed=seed, budget=of_steps(steps), **changes), score + seed)
            for steps, own in scores.items()
            for method, score in own.items()
            for task in tasks
            for seed in range(3)
        ]
        return collect([store(records).path], {"superglue": tasks})

    return make


def figures_of(report: Report) -> Any:
    (tasks,) = report.averaged.values()
    return against_budgets(report.outcomes, report.frame, report.summary, report.averages, tasks)


def curves_of(panel: Any) -> dict[str, list[tuple[float, float]]]:
    return {curve.label: [(point.x, point.score) for point in curve.points] for curve in panel.curves}


def test_scores_stand_against_the_budget_a_line_per_method(reported: Any) -> None:
    (figure,) = figures_of(reported())
    assert (figure.setting, figure.heading) == ("steps", "score against steps, small")
    (panel,) = figure.panels
    assert curves_of(panel) == {"finetune": [(100, 81.0), (400, 83.0)], "ptv2": [(100, 61.0), (400, 91.0)]}
    assert panel.x_label == "steps (log scale)"


def test_the_average_comes_first_where_there_are_several_tasks(reported: Any) -> None:
    (figure,) = figures_of(reported(tasks=("rte", "cb")))
    assert [panel.title for panel in figure.panels] == ["average", "rte accuracy", "cb accuracy"]


def test_a_change_of_order_is_told_and_so_is_none(reported: Any) -> None:
    (figure,) = figures_of(reported())
    assert order_notes(figure) == [
        "By the mean on rte accuracy the order changes: 100: finetune > ptv2; 400: ptv2 > finetune. Which "
        "differences are shown is for the verdicts to say."
    ]


def test_an_order_that_stays_is_told_in_one(reported: Any) -> None:
    (figure,) = figures_of(reported({100: {"finetune": 80.0, "ptv2": 60.0}, 400: {"finetune": 82.0, "ptv2": 61.0}}))
    assert order_notes(figure) == ["By the mean on rte accuracy the order is the same at each: finetune > ptv2."]


def test_two_fields_swept_together_keep_their_lines_apart_in_the_order(cell: Any, record: Any, store: Any) -> None:
    records = [
        record(cell(method=method, seed=seed, budget=of_steps(steps, batch_size=size)), score + steps / 100 + seed)
        for method, size, score in (
            ("finetune", 8, 70.0),
            ("finetune", 16, 75.0),
            ("ptv2", 8, 60.0),
            ("ptv2", 16, 50.0),
        )
        for steps in (100, 400)
        for seed in range(2)
    ]
    by_field = {figure.setting: order_notes(figure) for figure in figures_of(collect([store(records).path], {}))}
    assert by_field["steps"] == [
        "By the mean on rte accuracy the order is the same at each: finetune (batch_size=16) > "
        "finetune (batch_size=8) > ptv2 (batch_size=8) > ptv2 (batch_size=16)."
    ]
    assert set(by_field) == {"batch_size", "steps"}


def test_a_line_that_lacks_a_budget_has_no_order_and_the_others_are_drawn(reported: Any) -> None:
    (figure,) = figures_of(reported({100: {"finetune": 80.0, "ptv2": 60.0}, 400: {"finetune": 82.0}}))
    assert curves_of(figure.panels[0]) == {"finetune": [(100, 81.0), (400, 83.0)]}
    assert order_notes(figure) == []


def test_one_budget_has_no_figure(reported: Any) -> None:
    assert figures_of(reported({100: SCORES[100]})) == []


def test_settings_chosen_by_trials_for_each_budget_are_one_line_of_the_figure(
    cell: Any, record: Any, store: Any
) -> None:
    """What they chose differs from budget to budget; a line's name in the table tells its budget alone."""
    choices = ((100, "rte", 8), (100, "cb", 20), (400, "rte", 64), (400, "cb", 20))
    records = []
    for steps, task, length in choices:
        settings = {"length": length, "head": "linear"}
        chosen = {"trials": 4, "tried": (f"{steps}-{task}",), "drawn": {"length": length}, "settings": settings}
        made = [cell(task=task, seed=seed, budget=of_steps(steps), **chosen) for seed in range(2)]
        records += [record(each, 60.0) for each in made]
    report = collect([store(records).path], {"superglue": ("rte", "cb")})
    assert set(report.frame["label"]) == {"ptv2 [100 steps × batch 32]", "ptv2 [400 steps × batch 32]"}
    assert (report.averages["n"] == 2).all()
    (figure,) = figures_of(report)
    assert [len(panel.curves) for panel in figure.panels] == [1, 1, 1]
    assert figure.panels[0].curves[0].label == "ptv2"


def test_epochs_and_steps_are_two_figures_and_never_one_axis(cell: Any, record: Any, store: Any) -> None:
    budgets = [Budget(epochs=2), Budget(epochs=8), Budget(steps=50), Budget(steps=100)]
    records = [record(cell(budget=budget, seed=seed), 60.0) for budget in budgets for seed in (0, 1)]
    report = collect([store(records).path], {})
    places = {figure.setting: [point.x for point in figure.panels[0].curves[0].points] for figure in figures_of(report)}
    assert places == {"epochs": [2, 8], "steps": [50, 100]}


def test_the_figure_is_drawn_and_says_that_each_point_is_a_training_of_its_own(reported: Any) -> None:
    report = reported()
    paths = {path.name: path for path in write(report, {"png", "svg", "html"})}
    assert paths["budget-superglue-steps.png"].read_bytes().startswith(b"\x89PNG")
    words = paths["report.html"].read_text()
    assert "Each point is a training of its own" in words
    assert "100: finetune &gt; ptv2; 400: ptv2 &gt; finetune" in words


# --- verdicts and ranks


def test_every_line_is_compared_with_the_reference_of_its_own_budget(reported: Any) -> None:
    report = reported()
    rows = report.comparisons[report.comparisons["task"] == "rte"]
    assert set(zip(rows["label"], rows["reference"], rows["difference"], strict=True)) == {
        ("ptv2 [100 steps × batch 32]", "finetune [100 steps × batch 32]", -20.0),
        ("ptv2 [400 steps × batch 32]", "finetune [400 steps × batch 32]", 8.0),
    }


def test_lines_of_unlike_budgets_have_no_verdict_and_the_reader_is_told(cell: Any, record: Any, store: Any) -> None:
    """Nothing marks them in the table, where each line has one budget only."""
    records = [
        record(cell(method=method, seed=seed, budget=of_steps(steps)), score + seed)
        for method, steps, score in (("finetune", 100, 80.0), ("ptv2", 400, 90.0), ("lora", 100, 70.0))
        for seed in range(3)
    ]
    report = collect([store(records).path], {})
    assert set(report.comparisons["label"]) == {"lora"}
    assert (
        "superglue: no verdict between ptv2 (400 steps × batch 32) and finetune (100 steps × batch 32): "
        "their budgets differ; run both with the same one"
    ) in report.warnings


def test_a_budget_may_differ_between_models_but_not_between_the_lines_compared(
    cell: Any, record: Any, store: Any
) -> None:
    records = [
        record(cell(method=method, model=model, seed=seed, budget=of_steps(steps)), 80.0 + seed)
        for model, steps in (("small", 100), ("large", 400))
        for method in ("finetune", "ptv2")
        for seed in range(3)
    ]
    report = collect([store(records).path], {})
    assert set(report.comparisons["model"]) == {"small", "large"}
    assert not any("budgets differ" in warning for warning in report.warnings)


def test_ranks_are_among_lines_of_one_budget(cell: Any, record: Any, store: Any) -> None:
    records = [
        record(cell(method=method, seed=seed, budget=of_steps(steps)), score + spread[seed])
        for steps, method, score, spread in (
            (100, "finetune", 80.0, (0.0, 0.3, 0.1)), (100, "ptv2", 20.0, (0.2, 0.0, 0.5)),
            (400, "finetune", 95.0, (0.0, 2.0, 1.0)), (400, "ptv2", 95.0, (1.0, 0.0, 2.0)),
        )
        for seed in range(3)
    ]  # fmt: skip
    ranks = collect([store(records).path], {}).ranks
    of_task = ranks[ranks["task"] == "rte"]
    assert dict(zip(of_task["label"], of_task["group"], strict=True)) == {
        "finetune [100 steps × batch 32]": 1, "ptv2 [100 steps × batch 32]": 2,
        "finetune [400 steps × batch 32]": 1, "ptv2 [400 steps × batch 32]": 1,
    }  # fmt: skip
