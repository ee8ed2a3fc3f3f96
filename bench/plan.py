"""From a grid to cells: what is to be measured, what cannot be, and why. No torch here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.data.sources import fingerprint, hub_revision
from bench.errors import UsageError, unknown
from bench.model.scales import expand
from bench.model.source import ModelSource, find_model
from bench.registry import build, find_method, find_suite
from bench.seeds import VARIED
from bench.selection import draw, settings_text
from bench.spec import (
    TRIAL_SEED,
    Budget,
    Cell,
    Frozen,
    Joint,
    JointTask,
    Method,
    Plan,
    Precision,
    Protocol,
    Skip,
    Suite,
    Task,
)


class Grid(Frozen):
    """What a user asks for. Empty fields mean what the suite says."""

    suite: str = "smoke"
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    settings: dict[str, dict[str, Any]] = {}  # method -> setting -> value
    sweep: dict[str, dict[str, tuple[Any, ...]]] = {}  # method -> setting -> values, each a line of its own
    trials: int = 0  # settings per method to choose from; 0: none are drawn
    vary: tuple[str, ...] = ()  # random streams to vary alone
    budget: dict[str, Any] = {}  # fields of Budget
    data: Path | None = None
    protocol: Protocol = "holdout"
    precision: Precision = "fp32"


@dataclass(frozen=True)
class Variant:
    """One line of the tables: a method with the settings somebody gave, and those its trials have, the first one first.

    Without trials there is just the one.
    """

    given: dict[str, Any]
    methods: tuple[Method, ...]

    @property
    def label(self) -> str:
        marks = ", ".join(f"{name}={value}" for name, value in sorted(self.given.items()))
        return f"{self.methods[0].name} ({marks})" if marks else self.methods[0].name


def plan(grid: Grid) -> Plan:
    """All cells of a grid, models outermost, its trials, and the combinations skipped with their reasons.

    With trials, the cells stand for those to come (see `Plan`). UsageError for unknown names, impossible settings, data
    or models that are not there, prompts that do not fit.
    """
    suite = find_suite(grid.suite)
    tasks = _chosen_tasks(suite, grid.tasks)
    seeds = tuple(dict.fromkeys(grid.seeds or range(suite.seeds)))
    _check_seeds(grid, seeds)
    names = grid.methods or suite.methods
    variants = _variants(grid, suite, names)
    models, skips = _chosen_models(suite, grid.models or suite.models)
    budgets = {task.name: _budget(suite, task, grid.budget) for task in suite.tasks}
    if grid.data and not any(task.source.local for task in tasks):
        raise UsageError(f"--data {grid.data}: no chosen task of suite {suite.name!r} reads local data; leave it out")
    prints = {task.name: fingerprint(task, grid.data, task.splits(grid.protocol)) for task in tasks}
    cells: list[Cell] = []
    trials: list[Cell] = []
    joint_tasks: dict[str, JointTask] = {}
    for model in models:
        for task in tasks:
            for variant in variants:
                fitted, unfit = _fitting(variant, task, model, suite, budgets)
                skips += [Skip(task.name, model.name, label, reason) for label, reason in unfit]
                if not fitted:
                    continue
                joint = _joint(grid, fitted[0], task, suite, budgets, joint_tasks)
                first = _cell(
                    grid, suite, task, model, fitted[0], variant, budgets[task.name], prints[task.name], joint
                )
                tried = [_trial(first, method, variant) for method in fitted] if grid.trials else []
                trials += tried
                cells += _seeded(first, seeds, grid.vary, len(variant.methods), tried)
    if not cells:
        lacking = [name for name, named in (("methods", names), ("models", models)) if not named]
        reasons = sorted({skip.reason for skip in skips})
        reasons += [f"suite {suite.name!r} names no {name}; give --{name}" for name in lacking]
        raise UsageError("nothing can be run: " + "; ".join(reasons))
    return Plan(_once(cells), tuple(skips), _once(trials), _notes(grid, variants))


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


def _variants(grid: Grid, suite: Suite, names: tuple[str, ...]) -> list[Variant]:
    """Per method its lines: one, or one for each combination of the values it is swept over."""
    kinds = {name: find_method(name) for name in names}
    for flag, asked in (("set", grid.settings), ("sweep", grid.sweep)):
        for name in asked:
            if name not in kinds:
                find_method(name)
                raise UsageError(f"--{flag} {name}.…: method {name!r} is not in this run; add it to --methods")
    found = []
    for name, kind in kinds.items():
        fixed, swept = grid.settings.get(name, {}), grid.sweep.get(name, {})
        for setting in swept:
            if setting in fixed:
                raise UsageError(f"{name}.{setting} is given by --set and by --sweep; leave one of them out")
        for values in product(*swept.values()):
            given = {**fixed, **dict(zip(swept, values, strict=True))}
            base = {**suite.settings.get(name, {}), **given}
            methods = draw(kind, base, given, grid.trials) if grid.trials else [build(kind, base)]
            found.append(Variant(given, tuple(methods)))
    return found


def _fitting(
    variant: Variant, task: Task, model: ModelSource, suite: Suite, budgets: dict[str, Budget]
) -> tuple[list[Method], list[tuple[str, str]]]:
    """The variant's methods that can serve a task on a model; and of the others the label and the reason.

    UsageError when the settings that were given do not fit the model's positions; of settings drawn that is a reason.
    """
    fitted: list[Method] = []
    reasons: list[tuple[str, str]] = []
    for place, drawn in enumerate(variant.methods):
        method = _fitted(drawn, task, variant.given)
        first = method.joint(task, suite)
        reason = method.unfit(task, model) or _alone(first, task, suite)
        needed = first.tasks if first else (task,)
        found = (_beyond_positions(method, model, each, budgets[each.name]) for each in needed)
        beyond = next(filter(None, found), None)
        if beyond and not reason and place == 0:
            raise UsageError(beyond)
        if reason or beyond:
            reasons.append((f"{variant.label} as {settings_text(_drawn(method, variant))}", reason or beyond or ""))
        elif method not in fitted:
            fitted.append(method)
    if not fitted:  # the first reason says it all
        reasons = [(variant.label, reasons[0][1])]
    return fitted, reasons


def _drawn(method: Method, variant: Variant) -> dict[str, Any]:
    settings = method.model_dump(mode="json")
    return {name: settings[name] for name in method.space if name not in variant.given}


def _trial(first: Cell, method: Method, variant: Variant) -> Cell:
    settings = method.model_dump(mode="json")
    return first.changed(stage="trial", seed=TRIAL_SEED, settings=settings, drawn=_drawn(method, variant))


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


def _notes(grid: Grid, variants: list[Variant]) -> tuple[str, ...]:
    lacking = tuple(
        f"{variant.label}: its space holds {len(variant.methods)} of the {grid.trials} settings that were asked for"
        for variant in variants
        if len(variant.methods) < grid.trials
    )
    passes = tuple(
        f"{variant.label}: a step puts {count} batches through the backbone, and one back; other methods' steps one"
        for variant in variants
        if (count := max(method.passes_per_step for method in variant.methods)) > 1
    )
    return lacking + passes


def _joint(
    grid: Grid, method: Method, task: Task, suite: Suite, budgets: dict[str, Budget], known: dict[str, JointTask]
) -> tuple[JointTask, ...]:
    """The data sets of a first stage, whether they were asked for as tasks or not. UsageError when one is not there."""
    first = method.joint(task, suite)
    for each in first.tasks if first else ():
        if each.name not in known:
            try:
                found = fingerprint(each, grid.data, ("train",))
            except UsageError as error:
                hint = f"{method.name} trains on all {each.kind} tasks of a suite first; its settings may name fewer"
                raise UsageError(f"{error} ({hint})") from None
            length = budgets[each.name].max_length
            known[each.name] = JointTask(
                task=each.name, task_version=each.version, data_fingerprint=found, max_length=length
            )
    return tuple(known[each.name] for each in first.tasks) if first else ()


def _alone(first: Joint | None, task: Task, suite: Suite) -> str | None:
    if first is None or len(first.tasks) > 1:
        return None
    return f"suite {suite.name!r} has no other {task.kind} task to train on together with {task.name!r} first"


def _chosen_tasks(suite: Suite, names: tuple[str, ...]) -> list[Task]:
    known = {task.name: task for task in suite.tasks}
    for name in names:
        if name not in known:
            raise unknown(f"task of suite {suite.name!r}", name, known)
    return [known[name] for name in names] if names else list(suite.tasks)


def _chosen_models(suite: Suite, names: tuple[str, ...]) -> tuple[list[ModelSource], list[Skip]]:
    """The models named, each once, and what a family of models has that cannot be loaded."""
    references: dict[str, str] = {}  # each with the reason why it is left out, or none
    for name in names:
        members = expand(name)
        if members is None:
            references[_model_reference(suite, name)] = ""
        else:
            references.update({member.reference: member.remark for member in members})
    models = [find_model(reference) for reference, reason in references.items() if not reason]
    skips = [Skip("every task", each, "every method", reason) for each, reason in references.items() if reason]
    return models, skips


def _model_reference(suite: Suite, name: str) -> str:
    """A suite's own model may be called by its folder's name."""
    return next((path for path in suite.models if Path(path).name == name and Path(path).is_dir()), name)


def _budget(suite: Suite, task: Task, changes: dict[str, Any]) -> Budget:
    """What the suite says, but the text length the task wants, and before either what was asked for."""
    own = {"max_length": task.max_length} if task.max_length else {}
    asked = {**suite.budget.model_dump(), **own, **changes}
    if "epochs" in changes and "steps" not in changes:
        asked["steps"] = None
    try:
        return Budget(**asked)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0]).replace("_", "-")
        raise UsageError(f"--{name} {problem['input']!r} is not possible: {problem['msg']}") from None


def _fitted(method: Method, task: Task, given: dict[str, Any]) -> Method:
    """A task without a cloze form gets the linear head, unless somebody asked for the verbalizer by name."""
    if method.head == "verbalizer" and not task.has_cloze and "head" not in given:
        return method.model_copy(update={"head": "linear"})
    return method


def _beyond_positions(method: Method, model: ModelSource, task: Task, budget: Budget) -> str | None:
    """Why prompt and text do not fit the model's absolute positions, or None."""
    slots = method.positions()
    needed = slots + budget.max_length
    if model.positions and needed > model.positions:
        text = f"{budget.max_length} text tokens"
        asked = f"{slots} prompt positions + {text} = {needed}" if slots else text
        mend = f"{method.name}.length or --max-length" if slots else "--max-length"
        return (
            f"{method.name} on {task.name}: {asked}, but model {model.name!r} has {model.positions} positions; "
            f"lower {mend}"
        )
    return None


def _cell(
    grid: Grid,
    suite: Suite,
    task: Task,
    model: ModelSource,
    method: Method,
    variant: Variant,
    budget: Budget,
    data_fingerprint: str,
    joint: tuple[JointTask, ...],
) -> Cell:
    return Cell(
        suite=suite.name,
        task=task.name,
        task_version=task.version,
        data_fingerprint=data_fingerprint,
        model=model.name,
        model_fingerprint=model.fingerprint,
        method=method.name,
        settings=method.model_dump(mode="json"),
        seed=0,  # the cells of each seed are made of this one
        budget=budget,
        protocol=grid.protocol,
        precision=grid.precision,
        joint=joint,
        given=variant.given,
        model_path=model.path,
        data_path=str(grid.data.resolve()) if grid.data else None,
        data_revision=None if grid.data or task.source.generate else hub_revision(task),
    )
