"""What a number of seeds can show: the errors that the verdicts' own tests need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.report.statistics.intervals import Estimate, tails
from bench.report.statistics.power import errors_needed, seeds_can_show


@pytest.mark.parametrize(("seeds", "tests"), [(2, 1), (3, 9), (5, 45), (10, 1)])
def test_the_errors_needed_are_the_sums_of_students_quantiles(seeds: int, tests: int) -> None:
    from scipy.stats import norm, t

    level = 0.05 / (2 * tests)
    assert errors_needed(seeds, tests) == pytest.approx(t.isf(level, seeds - 1))
    assert errors_needed(seeds, tests, borrowed=1e6) == pytest.approx(norm.isf(level), rel=1e-4)


def test_what_is_needed_is_what_the_tests_of_verdicts_need() -> None:
    level = 0.05 / (2 * 9)
    needed = 2.0 * errors_needed(3, 9)
    just, short = (Estimate(factor * needed, (2.0, 2.0), (2.0, 2.0)) for factor in (1.001, 0.999))  # standard error 2
    assert tails([just], 0.0)[0] < level < tails([short], 0.0)[0]


@pytest.mark.parametrize(
    ("seeds", "tests", "said"),
    [
        (1, 4, "1 seed: no spread, no interval and no verdict can be given; 2 seeds can be compared, 3 to 5 are usual"),
        (3, 9, "3 seeds: the first verdict of 9 comparisons takes a difference of 2.8 standard errors where many cells "
            "are spread alike, of 13.4 where no spread can be borrowed; no collapse in 3 runs rules out no rate under "
            "63 %"),
        (5, 1, "5 seeds: the first verdict of 1 comparison takes a difference of 2.0 standard errors where many cells "
            "are spread alike, of 2.8 where no spread can be borrowed; no collapse in 5 runs rules out no rate under "
            "45 %"),
    ],
)  # fmt: skip
def test_a_number_of_seeds_is_told_what_it_can_show(seeds: int, tests: int, said: str) -> None:
    assert seeds_can_show(seeds, tests) == said


def test_a_plan_counts_the_comparisons_of_its_averages(cell: Any, tmp_path: Path) -> None:
    """Three lines with two models: one line is the reference, which leaves four comparisons, whatever the tasks."""
    from io import StringIO

    from rich.console import Console

    from bench.cell import Plan
    from bench.commands.preview import print_plan
    from bench.plan.selection import Choice, Outstanding

    cells = tuple(
        cell(task, model, method, seed)
        for task in ("rte", "cb") for model in ("small", "large") for method in ("finetune", "ptv2", "lora")
        for seed in range(3)
    )  # fmt: skip
    shown = StringIO()
    print_plan(Console(file=shown), Plan(cells), Outstanding([], list(cells), Choice(cells, (), ())), tmp_path)
    assert shown.getvalue().splitlines()[-1] == seeds_can_show(3, 4)
