"""From a grid to cells: what is to be measured, what cannot be, and why. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.data.sources import fingerprint, hub_revision
from bench.errors import UsageError, unknown
from bench.model.scales import expand
from bench.model.source import ModelSource, find_model
from bench.registry import build, find_method, find_suite
from bench.spec import Budget, Cell, Frozen, Joint, JointTask, Method, Plan, Precision, Protocol, Skip, Suite, Task


class Grid(Frozen):
    """What a user asks for. Empty fields mean what the suite says."""

    suite: str = "smoke"
    tasks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    settings: dict[str, dict[str, Any]] = {}  # method -> setting -> value
    budget: dict[str, Any] = {}  # fields of Budget
    data: Path | None = None
    protocol: Protocol = "holdout"
    precision: Precision = "fp32"


def plan(grid: Grid) -> Plan:
    """All cells of a grid, models outermost, and the combinations skipped with their reasons.

    UsageError for unknown names, impossible settings, data or models that are not there, prompts that do not fit.
    """
    suite = find_suite(grid.suite)
    tasks = _chosen_tasks(suite, grid.tasks)
    names = grid.methods or suite.methods
    kinds = {name: find_method(name) for name in names}
    for name in grid.settings:
        if name not in kinds:
            find_method(name)
            raise UsageError(f"--set {name}.…: method {name!r} is not in this run; add it to --methods")
    settings = {name: {**suite.settings.get(name, {}), **grid.settings.get(name, {})} for name in names}
    methods = {name: build(kind, settings[name]) for name, kind in kinds.items()}
    models, skips = _chosen_models(suite, grid.models or suite.models)
    budgets = {task.name: _budget(suite, task, grid.budget) for task in tasks}
    if grid.data and not any(task.source.local for task in tasks):
        raise UsageError(f"--data {grid.data}: no chosen task of suite {suite.name!r} reads local data; leave it out")
    prints = {task.name: fingerprint(task, grid.data, task.splits(grid.protocol)) for task in tasks}
    cells: list[Cell] = []
    joint_tasks: dict[str, JointTask] = {}
    for model in models:
        for task in tasks:
            for name, method in methods.items():
                given = grid.settings.get(name, {})
                fitted = _fitted(method, task, given)
                first = fitted.joint(task, suite)
                reason = fitted.unfit(task, model) or _alone(first, task, suite)
                if reason:
                    skips.append(Skip(task.name, model.name, name, reason))
                    continue
                _check_positions(fitted, model, task, budgets[task.name])
                joint = _joint(grid, suite, model, fitted, first, joint_tasks)
                cells += [
                    _cell(grid, suite, task, model, fitted, given, seed, budgets[task.name], prints[task.name], joint)
                    for seed in grid.seeds or tuple(range(suite.seeds))
                ]
    if not cells:
        lacking = [name for name, found in (("methods", names), ("models", models)) if not found]
        reasons = sorted({skip.reason for skip in skips})
        reasons += [f"suite {suite.name!r} names no {name}; give --{name}" for name in lacking]
        raise UsageError("nothing can be run: " + "; ".join(reasons))
    return Plan(tuple({cell.id: cell for cell in cells}.values()), tuple(skips))


def _joint(
    grid: Grid, suite: Suite, model: ModelSource, method: Method, first: Joint | None, known: dict[str, JointTask]
) -> tuple[JointTask, ...]:
    """The data sets of a first stage, whether they were asked for as tasks or not. UsageError when one is not there."""
    for task in first.tasks if first else ():
        budget = _budget(suite, task, grid.budget)
        _check_positions(method, model, task, budget)
        if task.name not in known:
            try:
                found = fingerprint(task, grid.data, ("train",))
            except UsageError as error:
                hint = f"{method.name} trains on all {task.kind} tasks of a suite first; its settings may name fewer"
                raise UsageError(f"{error} ({hint})") from None
            known[task.name] = JointTask(
                task=task.name, task_version=task.version, data_fingerprint=found, max_length=budget.max_length
            )
    return tuple(known[task.name] for task in first.tasks) if first else ()


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


def _check_positions(method: Method, model: ModelSource, task: Task, budget: Budget) -> None:
    slots = method.positions()
    needed = slots + budget.max_length
    if model.positions and needed > model.positions:
        text = f"{budget.max_length} text tokens"
        asked = f"{slots} prompt positions + {text} = {needed}" if slots else text
        mend = f"{method.name}.length or --max-length" if slots else "--max-length"
        raise UsageError(
            f"{method.name} on {task.name}: {asked}, but model {model.name!r} has {model.positions} positions; "
            f"lower {mend}"
        )


def _cell(
    grid: Grid,
    suite: Suite,
    task: Task,
    model: ModelSource,
    method: Method,
    given: dict[str, Any],
    seed: int,
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
        seed=seed,
        budget=budget,
        protocol=grid.protocol,
        precision=grid.precision,
        joint=joint,
        given=given,
        model_path=model.path,
        data_path=str(grid.data.resolve()) if grid.data else None,
        data_revision=None if grid.data or task.source.generate else hub_revision(task),
    )
