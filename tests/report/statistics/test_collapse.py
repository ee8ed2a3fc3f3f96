"""Collapsed runs: which they are, the bounds of their rate, and when so many are no chance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import barnard_exact, beta, binom

from bench.report.statistics.collapse import Parted, barnard, chance, flukes, leave_out, most, part, whole_tasks
from bench.report.statistics.samples import Sample

TRIVIAL, ROWS = 53.0, 300  # a run's own standard error is then 2.9 points at the trivial score, 2.0 at 86


def runs(*scores: float, trivial: float = TRIVIAL, diverged: tuple[int, ...] = ()) -> Sample:
    """Runs of these accuracies on the same 300 rows, their mistakes drawn anew."""
    generator = np.random.default_rng(0)
    right = np.zeros((len(scores), ROWS))
    for own, score in zip(right, scores, strict=True):
        own[generator.permutation(ROWS)[: round(score * ROWS / 100)]] = 100
    means = right.mean(axis=1)
    draws = means[:, None] + (right - means[:, None]) / math.sqrt(ROWS)
    return Sample(tuple(range(len(scores))), means, draws, ROWS, frozenset({"rows"}), trivial, diverged)


def test_a_run_at_the_trivial_score_beside_others_that_trained_collapsed() -> None:
    found = part(runs(86, 53, 85, 87, 55))
    assert (found.collapsed, found.flat, found.runs.seeds) == ((1, 4), False, (0, 2, 3))
    assert (found.num_runs, found.num_collapsed) == (5, 2)


def test_a_line_at_the_trivial_score_as_a_whole_has_no_collapsed_runs() -> None:
    found = part(runs(53, 54, 51))
    assert (found.collapsed, found.flat, found.runs.seeds) == ((), True, (0, 1, 2))


@pytest.mark.parametrize("scores", [(61, 60, 63, 65), (58, 62, 66, 70), (64, 60, 59)])
def test_a_weak_line_near_the_trivial_score_keeps_all_its_runs(scores: tuple[float, ...]) -> None:
    found = part(runs(*scores))
    assert (found.collapsed, found.flat, found.runs.seeds) == ((), False, tuple(range(len(scores))))


def test_the_runs_in_doubt_of_a_weak_line_can_be_left_out() -> None:
    found = part(runs(58, 62, 66, 70))
    assert found.doubtful == (0, 1)
    without = leave_out(found)
    assert (without.collapsed, without.runs.seeds, without.num_runs) == ((0, 1), (2, 3), 4)


def test_a_run_below_the_others_and_above_the_trivial_score_did_not_collapse() -> None:
    assert part(runs(86, 70, 85)).collapsed == ()


def test_a_run_that_diverged_is_a_collapsed_one() -> None:
    found = part(runs(86, 85, 87, diverged=(3, 4)))
    assert (found.num_collapsed, found.num_runs, found.runs.seeds) == (2, 5, (0, 1, 2))
    assert found.sample.every_run.tolist() == [pytest.approx(86), 85, 87, TRIVIAL, TRIVIAL]


def test_without_predictions_the_score_itself_decides() -> None:
    assert part(Sample((0, 1, 2), np.array([86.0, 53.0, 53.1]), trivial=53.0)).collapsed == (1,)


def test_of_an_unknown_trivial_score_nothing_is_said() -> None:
    found = part(runs(86, 53, 85, trivial=math.nan))
    assert (found.collapsed, found.flat) == ((), False)
    assert replace(found.sample, failed=(7,)).every_run.tolist() == [pytest.approx(86), 53, 85]


def test_no_score_at_all_is_the_trivial_score_of_tags_and_spans() -> None:
    draws = np.array([np.full(50, 0.0), np.linspace(55, 65, 50), np.linspace(56, 66, 50)])
    found = part(Sample((0, 1, 2), np.array([0.0, 60.0, 61.0]), draws, 100, trivial=0.0))
    assert found.collapsed == (0,)


@pytest.mark.parametrize(("count", "of"), [(0, 3), (0, 5), (1, 5), (4, 5), (5, 5), (2, 20)])
def test_the_bound_of_a_rate_is_clopper_and_pearson_s(count: int, of: int) -> None:
    found = most(count, of)
    assert found == pytest.approx(1.0 if count == of else beta.ppf(0.95, count + 1, of - count))
    assert binom.cdf(count, of, found) == pytest.approx(1.0 if count == of else 0.05)


def test_no_collapse_in_five_runs_rules_out_no_rate_under_45_percent() -> None:
    assert most(0, 5) == pytest.approx(0.451, abs=5e-4)


@pytest.mark.parametrize(("runs", "collapsed", "reference_runs"), [(3, 0, 3), (5, 0, 5), (3, 1, 3), (4, 1, 6)])
def test_so_many_by_one_rate_is_barnard_s_test(runs: int, collapsed: int, reference_runs: int) -> None:
    rates = np.linspace(0, 1, 20001)
    assert barnard(runs, collapsed, reference_runs) == pytest.approx(
        (rates**runs * binom.cdf(collapsed, reference_runs, rates)).max(), rel=1e-3
    )
    if (runs, collapsed, reference_runs) == (3, 0, 3):
        table = [[3, 0], [0, 3]]
        assert barnard(runs, collapsed, reference_runs) == pytest.approx(
            barnard_exact(table, alternative="greater").pvalue, rel=1e-3
        )


def parted(*collapsed: int, num: int = 3) -> list[Parted]:
    """A line on some tasks of which so many of `num` runs collapsed; all of them: at the trivial score."""
    return [part(runs(*[53.0] * count, *[86.0] * (num - count))) for count in collapsed]


def test_a_task_without_one_run_that_trained_is_no_chance_where_no_other_run_collapsed() -> None:
    assert chance(parted(3), parted(0), 0) == pytest.approx(1 / 64)
    expected = max(5 * rate**3 * (1 - rate) ** 27 for rate in np.linspace(0, 1, 10001))
    assert chance(parted(0, 0, 3, 0, 0), parted(0, 0, 0, 0, 0), 2) == pytest.approx(expected, rel=1e-4)
    assert whole_tasks(1, 5, 3, 30) == pytest.approx(expected, rel=1e-4)


def test_it_may_be_chance_where_the_line_collapses_in_part_elsewhere() -> None:
    line, reference = parted(1, 0, 3, 0, 2), parted(0, 0, 0, 0, 0)
    assert chance(line, reference, 2) == pytest.approx(1 / 64)
    assert chance(reference, line, 2) == 1.0  # it is not the reference that is at the trivial score


def test_tasks_where_neither_trains_say_nothing() -> None:
    assert chance(parted(3, 3), parted(0, 3), 0) == chance(parted(3), parted(0), 0)


def test_flukes_by_hand() -> None:
    rates = np.linspace(0, 0.5, 50001)
    line = parted(3, 1, 0, 0, 0)
    assert flukes(line, 1) == pytest.approx(5 * (rates**3 * binom.cdf(1, 12, rates)).max(), rel=1e-3)
    assert flukes(parted(3, 3, 3, 3, 3), 5) == pytest.approx(0.5**15)
