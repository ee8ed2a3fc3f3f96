"""From a grid to cells: what is to be measured, what cannot be, and why. No torch here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.budgets import BUDGET, budgets
from bench.cell import TRIAL_SEED, Budget, Cell, Frozen, Plan, Precision, Protocol, Skip
from bench.data.sources import fingerprint, hub_revision
from bench.errors import UsageError, unknown
from bench.joint import JointData
from bench.lineup import chosen_models, layer_notes
from bench.model.proof import Proof
from bench.model.source import ModelSource
from bench.registry import find_suite
from bench.seeds import VARIED
from bench.task import Suite, Task
from bench.tuning import Method
from bench.variants import Variant, fitting, notes, variants


class Grid(Frozen):
    """What a user asks for. Empty fields mean what the suite says."""

    suite: str = "smoke"
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    settings: dict[str, dict[str, Any]] = {}  # method -> setting -> value
    sweep: dict[str, dict[str, tuple[Any, ...]]] = {}  # method or "budget" -> setting -> values, a line each
    trials: int = 0  # settings per method to choose from; 0: none are drawn
    vary: tuple[str, ...] = ()  # random streams to vary alone
    budget: dict[str, Any] = {}  # fields of Budget
    data: Path | None = None
    protocol: Protocol = "holdout"
    precision: Precision = "fp32"


def plan(grid: Grid, proofs: Mapping[str, Proof] | None = None) -> Plan:
    """All cells of a grid, models outermost, its trials, and the combinations skipped with their reasons.

    With trials, the cells stand for those to come (see `Plan`). `proofs` are what models have shown of themselves, by
    fingerprint: what one cannot do is skipped. UsageError for unknown names, impossible settings, data
    or models that are not there, prompts that do not fit.
    """
    suite = find_suite(grid.suite)
    tasks = _chosen_tasks(suite, grid.tasks)
    seeds = tuple(dict.fromkeys(grid.seeds or range(suite.seeds)))
    _check_seeds(grid, seeds)
    names = grid.methods or suite.methods
    lines = variants(suite, names, grid.settings, grid.sweep, grid.trials)
    models, skips = chosen_models(suite, grid.models or suite.models, proofs or {})
    every_budget = budgets(suite, grid.budget, grid.sweep.get(BUDGET, {}))
    if grid.data and not any(task.source.local for task in tasks):
        raise UsageError(f"--data {grid.data}: no chosen task of suite {suite.name!r} reads local data; leave it out")
    prints = {task.name: fingerprint(task, grid.data, task.splits(grid.protocol)) for task in tasks}
    cells: list[Cell] = []
    trials: list[Cell] = []
    joint_data = JointData(grid.data)
    for model in models:
        for task in tasks:
            pairing = _Pairing(grid, suite, task, model, prints[task.name])
            for variant in lines:
                fitted, unfit = fitting(variant, task, model, suite, every_budget[0])
                skips += [Skip(task.name, model.name, label, reason) for label, reason in unfit]
                for of_task in every_budget if fitted else ():
                    first = pairing.cell(fitted[0], variant, of_task, joint_data)
                    tried = [_trial(first, method, variant) for method in fitted] if grid.trials else []
                    trials += tried
                    cells += _seeded(first, seeds, grid.vary, variant.num_settings, tried)
    if not cells:
        lacking = [name for name, named in (("methods", names), ("models", grid.models or suite.models)) if not named]
        reasons = sorted({skip.reason for skip in skips})
        reasons += [f"suite {suite.name!r} names no {name}; give --{name}" for name in lacking]
        raise UsageError("nothing can be run: " + "; ".join(reasons))
    return Plan(_once(cells), tuple(skips), _once(trials), (*notes(lines), *layer_notes(models, cells)))


def _once(cells: list[Cell]) -> tuple[Cell, ...]:
    return tuple({(cell.choice if cell.tried else cell.id): cell for cell in cells}.values())


def _check_seeds(grid: Grid, seeds: tuple[int, ...]) -> None:
    """UsageError where seeds cannot do what trials or varied streams ask of them."""
    if grid.trials and TRIAL_SEED in seeds:
        raise UsageError(f"--seeds {TRIAL_SEED}: this is the seed that trials run at; report other seeds")
    for stream in grid.vary:
        if stream not in VARIED:
            raise unknown("random stream", stream, VARIED)
    if grid.vary and len(seeds) < 2:
        raise UsageError(f"--vary {','.join(grid.vary)}: one seed has nothing to vary over; give --seeds 2 or more")
    if "split" in grid.vary and grid.protocol == "paper":
        raise UsageError("--vary split: under --protocol paper nothing is held out of train; vary other streams")


def _trial(first: Cell, method: Method, variant: Variant) -> Cell:
    settings = method.model_dump(mode="json")
    return first.changed(stage="trial", seed=TRIAL_SEED, settings=settings, drawn=variant.drawn(method))


def _seeded(
    first: Cell, seeds: tuple[int, ...], vary: tuple[str, ...], num_drawn: int, tried: list[Cell]
) -> Iterator[Cell]:
    """A cell per seed; then per varied stream one for each further seed of that stream, all else at the first seed."""
    if tried:
        first = first.changed(trials=num_drawn, tried=tuple(dict.fromkeys(trial.id for trial in tried)))
    for seed in seeds:
        yield first.changed(seed=seed)
    for stream in vary:
        for seed in seeds[1:]:
            yield first.changed(seed=seeds[0], streams={stream: seed})


def _chosen_tasks(suite: Suite, names: tuple[str, ...]) -> list[Task]:
    known = {task.name: task for task in suite.tasks}
    for name in names:
        if name not in known:
            raise unknown(f"task of suite {suite.name!r}", name, known)
    return [known[name] for name in names] if names else list(suite.tasks)


@dataclass(frozen=True)
class _Pairing:
    """A task on a model: what its cells have in common."""

    grid: Grid
    suite: Suite
    task: Task
    model: ModelSource
    data_fingerprint: str

    def cell(self, method: Method, variant: Variant, budgets: Mapping[str, Budget], joint_data: JointData) -> Cell:
        """The cell of a variant's method, by the budgets of the suite's tasks; those of each seed are made of it."""
        grid, task = self.grid, self.task
        return Cell(
            suite=self.suite.name,
            task=task.name,
            task_version=task.version,
            data_fingerprint=self.data_fingerprint,
            model=self.model.name,
            model_fingerprint=self.model.fingerprint,
            method=method.name,
            settings=method.model_dump(mode="json"),
            seed=0,
            budget=budgets[task.name],
            protocol=grid.protocol,
            precision=grid.precision,
            joint=joint_data.of(method.joint(task, self.suite), method, budgets),
            given=variant.given,
            model_path=self.model.path,
            data_path=str(grid.data.resolve()) if grid.data else None,
            data_revision=None if grid.data or task.source.generate else hub_revision(task),
        )
