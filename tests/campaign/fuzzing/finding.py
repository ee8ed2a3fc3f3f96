"""Cases of a target, made by hypothesis from a seed: what came of each, and the smallest that fails in the same way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.campaign.fuzzing.cases import corpus
from tests.campaign.fuzzing.target import Case, Target
from tests.campaign.fuzzing.watched import Outcome, watched

SHRINKING = 60.0  # seconds, for one kind of failure


@dataclass
class Failure:
    """The first case that broke in a way, how it was made, and how often another did."""

    target: str
    case: Case
    outcome: Outcome
    made: str  # in words
    seed: int = 0
    number: int = 0  # of the cases of this seed, from 1; 0 for one of the corpus
    times: int = 1


@dataclass
class Tally:
    """What came of the cases of one process, by target and kind."""

    kinds: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    failures: dict[tuple[str, str], Failure] = field(default_factory=dict)

    def note(self, target: Target, case: Case, outcome: Outcome, made: str, at: tuple[int, int] = (0, 0)) -> None:
        self.kinds[outcome.kind] += 1
        self.cases[target.name] += 1
        self.seconds[target.name] += outcome.seconds  # type: ignore[assignment]
        if outcome.kind != "broken":
            return
        key = target.name, outcome.key
        if key in self.failures:
            self.failures[key].times += 1
        else:
            self.failures[key] = Failure(target.name, case, outcome, made, *at)


def replay(target: Target, tally: Tally, folder: Path) -> None:
    """Run what once failed."""
    for name, case in corpus(target.name).items():
        tally.note(target, case, watched(target, case, folder / "case"), f"corpus/{target.name}/{name}.json")


def explore(target: Target, count: int, seed: int, tally: Tally, folder: Path, until: float) -> None:
    """Run `count` new cases, or as many as there is time for."""
    number = 0

    def run(case: Case) -> None:
        nonlocal number
        number += 1
        if time.monotonic() < until:
            outcome = watched(target, case, folder / "case")
            tally.note(target, case, outcome, f"case {number} of seed {seed}", (seed, number))

    _generate(target, count, seed, run, (Phase.generate,))


def shrunk(target: Target, failure: Failure, folder: Path) -> Case:
    """The smallest case found that fails with the same key: the run of the seed again, from its first failure on."""
    number, smallest = 0, failure.case
    until = time.monotonic() + SHRINKING

    def run(case: Case) -> None:
        nonlocal number, smallest
        number += 1
        if number < failure.number or time.monotonic() > until:
            return
        if watched(target, case, folder / "case").key == failure.outcome.key:
            smallest = case
            raise AssertionError(failure.outcome.key)

    with suppress(AssertionError, hypothesis.errors.Flaky):  # time that is over looks as if it had not failed again
        _generate(target, failure.number, failure.seed, run, (Phase.generate, Phase.shrink))
    return smallest


def _generate(target: Target, count: int, seed: int, run: Callable[[Case], None], phases: tuple[Phase, ...]) -> None:
    settings = hypothesis.settings(
        max_examples=count, database=None, deadline=None, phases=phases, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), verbosity=hypothesis.Verbosity.quiet,
    )  # fmt: skip
    hypothesis.seed(seed)(settings(hypothesis.given(target.cases())(run)))()
