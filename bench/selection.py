"""Equal-budget selection: which settings a method's trials have, which trials must run, and what they choose.

Every method gets the same number of settings, each trained once with the budget, the batches and the selection slice
that all trials of a task share, at one seed that no reported number comes from (TRIAL_SEED). The scored split has no
part in it: a trial's record holds no score of it, and nothing but `selection_score` is compared here. That a comparison
needs the same tuning budget for every method: Dodge et al. 2019 (arXiv:1909.03004). No torch here.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.errors import UsageError, unknown
from bench.registry import build
from bench.seeds import derive
from bench.spec import Cell, Method, Plan, Skip
from bench.store.record import Record
from bench.store.store import Store


def draw(kind: type[Method], base: Mapping[str, Any], fixed: Collection[str], number: int) -> list[Method]:
    """At most `number` methods: the settings `base` first, then others of the method's space, none of them twice.

    The rule: the product of the space, without the settings that are `fixed`, in the order in which the method declares
    it, shuffled by Python's `random` with the seed derive("trials", method's name). So the first settings of more
    trials are those of fewer. Combinations that a rule between settings forbids are passed over; a space with fewer
    than `number` combinations gives what it has.
    """
    free = {name: values for name, values in kind.space.items() if name not in fixed}
    for name in free:
        if name not in kind.model_fields:
            raise unknown(f"setting in the space of {kind.name}", name, kind.model_fields)
    found = [build(kind, dict(base))]
    combinations = list(product(*free.values()))
    random.Random(derive("trials", kind.name)).shuffle(combinations)
    for values in combinations:
        if len(found) == number:
            break
        try:
            method = build(kind, {**base, **dict(zip(free, values, strict=True))})
        except UsageError:
            continue
        if method not in found:
            found.append(method)
    return found


@dataclass(frozen=True)
class Contest:
    """The trials of one task, model and line, in their order, with the records of those that have one."""

    trials: tuple[Cell, ...]
    records: Mapping[str, Record]

    @property
    def winner(self) -> Cell | None:
        """The finished trial with the best selection score, of equals the earliest; None when none is finished."""
        finished = [(self._score(trial), -place) for place, trial in enumerate(self.trials) if self._is_done(trial)]
        return self.trials[-max(finished)[1]] if finished else None

    @property
    def to_run(self) -> list[Cell]:
        """The trials still to be run.

        A trial that diverged has lost and stays so while another is finished; one that failed is tried again.
        """
        lost = {"diverged"} if self.winner else set()
        return [trial for trial in self.trials if self.status(trial) not in {"done", *lost}]

    def status(self, trial: Cell) -> str:
        return self.records[trial.id].status if trial.id in self.records else "missing"

    def why_none(self) -> str:
        """The reason when no trial is finished."""
        first = self.records[self.trials[0].id]
        return f"none of its {len(self.trials)} trials finished; the first {first.status}: {first.reason}"

    def _is_done(self, trial: Cell) -> bool:
        return self.status(trial) == "done" and self.records[trial.id].selection_score is not None

    def _score(self, trial: Cell) -> float:
        score = self.records[trial.id].selection_score
        assert score is not None
        return score


def contests(plan: Plan, store: Store | None) -> dict[tuple[str, ...], Contest]:
    """The contests of a plan by the ids of their trials, with what the store knows of them."""
    cells = {trial.id: trial for trial in plan.trials}
    known = store.records_of(cells) if store else {}
    tried = dict.fromkeys(cell.tried for cell in plan.cells if cell.tried)
    return {ids: Contest(tuple(cells[each] for each in ids), known) for ids in tried}


def trials_to_run(plan: Plan, store: Store | None) -> list[Cell]:
    """The trials of a plan that are still to be run, each once, in the plan's order."""
    wanted = {trial.id for contest in contests(plan, store).values() for trial in contest.to_run}
    return [trial for trial in plan.trials if trial.id in wanted]


@dataclass(frozen=True)
class Choice:
    """The scoring cells of a plan whose settings are known, those that wait for trials, and what cannot be chosen."""

    cells: tuple[Cell, ...]
    waiting: tuple[Cell, ...]
    skips: tuple[Skip, ...]


def choose(plan: Plan, store: Store | None, attempted: Collection[str] = ()) -> Choice:
    """Put the chosen settings in place where the trials are over.

    `attempted` are ids of trials that this run has tried: what failed among them loses, and is not waited for. Where
    every trial failed, the cells go on waiting, and a skip gives the reason.
    """
    known = contests(plan, store)
    cells: list[Cell] = []
    waiting: list[Cell] = []
    skips: dict[tuple[str, ...], Skip] = {}
    for cell in plan.cells:
        contest = known.get(cell.tried)
        if contest is None:
            cells.append(cell)
            continue
        over = all(trial.id in attempted for trial in contest.to_run)
        if over and contest.winner:
            cells.append(cell.changed(settings=contest.winner.settings, drawn=contest.winner.drawn))
            continue
        waiting.append(cell)
        if over:
            skips[cell.tried] = Skip(cell.task, cell.model, cell.label, contest.why_none())
    return Choice(tuple({cell.id: cell for cell in cells}.values()), tuple(waiting), tuple(skips.values()))


def possible(plan: Plan, waiting: Collection[Cell]) -> list[Cell]:
    """The cells that may come of those that wait: each with the settings of each of its trials."""
    trials = {trial.id: trial for trial in plan.trials}
    return [cell.changed(settings=trials[each].settings) for cell in waiting for each in cell.tried]


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings in a line: "learning_rate=0.01, length=8"."""
    return ", ".join(f"{name}={value}" for name, value in settings.items()) or "default"


def ranking(record: Record, store: Store) -> list[tuple[str, Record | None, bool]]:
    """What a chosen cell was chosen from: the trials' ids, their records, and which has its settings."""
    known = store.records_of(record.cell.tried)
    settings = record.cell.settings
    return [
        (each, known.get(each), each in known and known[each].cell.settings == settings) for each in record.cell.tried
    ]
