"""Equal-budget selection: which trials must run, and what they choose. Which settings they have: bench.plan.design.

Every method gets the same number of settings, each trained once with the budget, the batches and the selection slice
that all trials of a task share, at one seed that no reported number comes from (TRIAL_SEED). The scored split has no
part in it: a trial's record holds no score of it, and nothing but `selection_score` is compared here. That a comparison
needs the same tuning budget for every method: Dodge et al. 2019 (arXiv:1909.03004). No torch here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bench.cell import Cell, Plan, Skip
from bench.store.record import Record
from bench.store.store import Store


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
    return {ids: Contest(tuple(cells[trial_id] for trial_id in ids), known) for ids in tried}


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
    return [cell.changed(settings=trials[trial_id].settings) for cell in waiting for trial_id in cell.tried]


@dataclass(frozen=True)
class Outstanding:
    """What of a plan is still to be run: trials, and the cells whose settings are known; and the choice so far."""

    trials: list[Cell]
    cells: list[Cell]
    choice: Choice

    @property
    def every(self) -> list[Cell]:
        """All of it; those that wait for a choice with their method's first setting."""
        return [*self.trials, *self.cells, *self.choice.waiting]

    def ahead(self, plan: Plan) -> list[Cell]:
        """Whatever may come to run: those that wait with each setting that may be chosen."""
        return [*self.trials, *self.cells, *possible(plan, self.choice.waiting)]


def outstanding(plan: Plan, store: Store | None) -> Outstanding:
    """What a store lacks of a plan; all of it where there is no store yet."""
    choice = choose(plan, store)
    missing = store.missing(choice.cells) if store else list(choice.cells)
    return Outstanding(trials_to_run(plan, store), missing, choice)


def ranking(record: Record, store: Store) -> list[tuple[str, Record | None, bool]]:
    """What a chosen cell was chosen from: the trials' ids, their records, and which has its settings."""
    known = store.records_of(record.cell.tried)
    settings = record.cell.settings
    return [
        (trial_id, known.get(trial_id), trial_id in known and known[trial_id].cell.settings == settings)
        for trial_id in record.cell.tried
    ]
