"""What the cells of some results folders come to, counted up: the numbers behind all tables and figures of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from bench.registry import methods
from bench.report.read import published
from bench.report.read.consistency import differences
from bench.report.read.declared import Suites
from bench.report.read.frame import model_sizes, scored, varied
from bench.report.read.outcomes import Outcome
from bench.report.read.reference import references
from bench.report.statistics.differences import Sides
from bench.report.statistics.draws import CellDraws, draw_cells
from bench.report.statistics.equal_budgets import comparable, within_budgets
from bench.report.statistics.published_rows import beside
from bench.report.statistics.ranking import RANKS, crossings, ranks
from bench.report.statistics.recommended import Recommendation, recommendations
from bench.report.statistics.rising import LineKey, Rise, SelectionCurves, noted, rising, selection_curves
from bench.report.statistics.samples import main_metrics, samples
from bench.report.statistics.summary import averages, summarise
from bench.report.statistics.variance import shares
from bench.report.statistics.verdicts import comparisons, sides_of


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Frames have the rows of all suites, with the columns that the modules named here say."""

    outcomes: tuple[Outcome, ...]  # every cell with its record, trials among them
    suites: Suites  # how the tasks are declared, by suite
    frame: pd.DataFrame  # those that are scored, a row per cell and metric (read.frame)
    draws: CellDraws
    averaged: dict[str, tuple[str, ...]]  # per suite the tasks whose mean is the average
    left_out: dict[str, tuple[str, ...]]  # per suite the tasks of its usual average that nobody asked for
    summary: pd.DataFrame  # (statistics.summary), and the averages
    averages: pd.DataFrame
    published: pd.DataFrame | None  # the papers' numbers, where the installation has them (read.published)
    beside: pd.DataFrame  # those of them that agree with something measured (statistics.published_rows)
    variance: pd.DataFrame  # seeds taken apart (statistics.variance)
    sides: dict[str, Sides]  # per suite its lines, to be compared
    comparisons: pd.DataFrame  # (statistics.verdicts)
    crossings: pd.DataFrame  # (statistics.ranking), and the ranks
    ranks: pd.DataFrame
    recommendations: tuple[Recommendation, ...]  # (statistics.recommended)
    curves: dict[LineKey, SelectionCurves]  # (statistics.rising)
    rises: dict[LineKey, Rise]  # the lines whose selection curves still rise
    warnings: tuple[str, ...]  # what was wrong with the folders, and in what the cells are not alike

    @property
    def references(self) -> frozenset[str]:
        """Labels of the lines that others are compared with."""
        return frozenset(self.comparisons["reference"])


def analyse(
    outcomes: Sequence[Outcome],
    suites: Suites,
    usual: Mapping[str, Sequence[str]],
    reference: str | None,
    margin: float,
    problems: Sequence[str],
) -> Findings:
    """The findings of some outcomes. `usual` names each suite's tasks to average; all of them for a suite not in it.
    `suites` say what the tasks are.

    Of the named tasks those count that somebody asked for. Lines are compared with that called `reference` (default:
    that of the reference method), and match it within `margin` points. `problems` are the first of the warnings.
    UsageError for an unknown reference.
    """
    frame = scored(outcomes)
    asked_for = {str(suite): sorted(set(tasks)) for suite, tasks in frame.groupby("suite", sort=True)["task"]}
    averaged = {suite: _averaged(tasks, usual.get(suite, ())) for suite, tasks in asked_for.items()}
    records = {outcome.record.id: outcome.record for outcome in outcomes if outcome.record is not None}
    draws = draw_cells(frame, suites, {outcome.results: outcome.folder for outcome in outcomes}, records=records)
    of_entries = samples(frame, averaged, draws)
    summary, means = summarise(frame, of_entries), averages(frame, averaged, of_entries)
    sides = sides_of(of_entries, averaged, main_metrics(frame))
    compared_with, unclear = references(frame, reference, _reference_methods())
    alike, unequal = comparable(_joined([summary, means]), compared_with)
    curves = selection_curves(outcomes, frame)
    rises = rising(curves)
    compared = noted(comparisons(alike, averaged, sides, compared_with, margin), rises, averaged)
    papers = published.known()
    return Findings(
        outcomes=tuple(outcomes),
        suites=suites,
        frame=frame,
        draws=draws,
        averaged=averaged,
        left_out={
            suite: tuple(task for task in usual.get(suite, ()) if task not in averaged[suite]) for suite in averaged
        },
        summary=summary,
        averages=means,
        published=papers,
        beside=beside(papers, summary, averaged),
        variance=shares(varied(outcomes), frame),
        sides=sides,
        comparisons=compared,
        crossings=crossings(compared, _backbone_sizes(frame)),
        ranks=_ranks(frame, sides, averaged),
        recommendations=recommendations(frame, sides, averaged, margin),
        curves=curves,
        rises=rises,
        warnings=(*problems, *differences(outcomes), *draws.problems, *unclear, *unequal),
    )


def _averaged(asked_for: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    return tuple(task for task in usual if task in asked_for) or tuple(asked_for)


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all parts, without the empty ones, whose columns have no types."""
    return pd.concat([part for part in parts if len(part)] or [parts[0]], ignore_index=True)


def _reference_methods() -> list[str]:
    return [name for name, method in methods().items() if method.reference]


def _backbone_sizes(frame: pd.DataFrame) -> dict[str, float]:
    return {str(model): float(size) for model, size in model_sizes(frame).dropna().items()}


def _ranks(frame: pd.DataFrame, sides: Mapping[str, Sides], averaged: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Rank groups within each suite and budget."""
    parts = [
        ranks(suite, of_budget, averaged[suite])
        for suite, of_suite in sides.items()
        for of_budget in within_budgets(of_suite, frame[frame["suite"] == suite])
    ]
    return _joined([pd.DataFrame(columns=RANKS), *parts])
