"""A report before it is written: what was found, and the tables that say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report.statistics.findings import Findings
from bench.report.tables.costs import costs_table
from bench.report.tables.recommendation import recommendation_table
from bench.report.tables.scores import nothing, scores_table
from bench.report.tables.table import Table
from bench.report.tables.trials import chosen_table
from bench.report.tables.variance import variance_table
from bench.report.tables.verdicts import verdicts_table


@dataclass(frozen=True, kw_only=True)
class Report(Findings):
    """Findings with their tables, and the results folders that they are of."""

    folders: tuple[Path, ...]
    recommendation_tables: tuple[Table, ...]  # of each suite in which a line has a score
    tables: tuple[Table, ...]  # the scores of each suite
    further_tables: dict[str, tuple[Table, ...]]  # per suite what stands under its scores
    verdict_tables: tuple[Table, ...]  # of the suites that have comparisons

    @property
    def every_table(self) -> tuple[Table, ...]:
        """In the order in which they are read."""
        scores = (part for table in self.tables for part in (table, *self.further_tables.get(table.suite, ())))
        return (*self.recommendation_tables, *scores, *self.verdict_tables)


def with_tables(findings: Findings, folders: Sequence[Path]) -> Report:
    """The report of the findings in some results folders."""
    compared = set(findings.comparisons["suite"])
    return Report(
        **vars(findings),
        folders=tuple(folders),
        recommendation_tables=tuple(
            table for suite in findings.averaged if (table := recommendation_table(findings, suite)) is not None
        ),
        tables=tuple(scores_table(findings, suite) for suite in findings.averaged) or (nothing(findings, folders),),
        further_tables={
            suite: tuple(table for table in _further(findings, suite) if table is not None)
            for suite in findings.averaged
        },
        verdict_tables=tuple(verdicts_table(findings, suite) for suite in findings.averaged if suite in compared),
    )


def _further(findings: Findings, suite: str) -> tuple[Table | None, ...]:
    return (
        chosen_table(findings.outcomes, findings.frame, suite),
        variance_table(findings.variance, suite),
        costs_table(findings.frame, suite),
    )
