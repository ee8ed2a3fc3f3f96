"""What a run hands to its workers, whatever process or machine they are in: the plan and how it is measured. No torch
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.cell import Cell, Compile, Plan
from bench.registry import declare
from bench.report.read.names import budget_text
from bench.task import Suite


@dataclass(frozen=True)
class Job:
    """A plan, the results folder it is measured into, and how.

    `failures` are marks of what had failed before (`Store.failures`): what fails anew is not tried again in this run.
    `command` is the one that asked for all of it, for the records; `track` names the trackers that are told of it.
    `tokens`: by model and precision those that the plan puts through the model while it trains, from which it follows
    whether layers are compiled; `compiled`: what was decided for it before. `suites` are those of a user's own data,
    which no plugin brings. `trust_remote_code`: whether models run code that they bring.
    """

    plan: Plan
    folder: Path
    run: str
    max_lanes: int
    workers: int = 1  # how many there are at least
    shard: int = 1  # devices of each, over which a model that is larger than one lies
    token_budget: int | None = None
    save_tuned: bool = True
    checkpointing: bool = False
    compile: Compile = "auto"
    trust_remote_code: bool = False
    plugins: tuple[Path, ...] = ()
    command: tuple[str, ...] = ("bench",)
    track: tuple[str, ...] = ()
    suites: tuple[Suite, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[tuple[str, str], int] = field(default_factory=dict)
    compiled: Mapping[tuple[str, str], bool] = field(default_factory=dict)


def declare_suites(job: Job) -> None:
    """Make the job's own suites known in this process."""
    for suite in job.suites:
        declare(suite)


def grid_of(cells: tuple[Cell, ...]) -> dict[str, str]:
    """How a plan measures each task, as other processes on its folder are told: lengths, protocol, precision."""
    ways: dict[str, set[str]] = {}
    for cell in cells:
        way = f"{budget_text(cell.budget)}, protocol {cell.protocol}, {cell.precision}"
        ways.setdefault(f"{cell.suite}/{cell.task}", set()).add(way)
    return {place: " and ".join(sorted(of_place)) for place, of_place in ways.items()}
