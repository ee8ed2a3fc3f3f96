"""From a request to cells: what is to be measured, what cannot be, and why. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from bench.cell import TRIAL_SEED, Cell, Plan, Precision, Skip
from bench.data.places import check_source, fingerprint, folder_of, hub_revision
from bench.errors import UnfitModel, UsageError, unknown
from bench.joint import JointData
from bench.model.precisions import check_installed
from bench.model.proof import Proof
from bench.model.source import ModelSource
from bench.plan.budgets import BUDGET, budgets
from bench.plan.lines import Line, fitting, lines, notes
from bench.plan.models import chosen_models, layer_notes
from bench.registry import find_suite, find_tasks
from bench.request import RunRequest
from bench.seeds import VARIED
from bench.task import Suite, Task
from bench.tuning import Method

MOST_CELLS = 100_000


def plan(request: RunRequest, precision: Precision, proofs: Mapping[str, Proof] | None = None) -> Plan:
    """All cells of a request, models outermost, its trials, and the combinations skipped with their reasons.

    With trials, the cells stand for those to come (see `Plan`). `proofs` are what models have shown of themselves, by
    fingerprint: what one cannot do is skipped. UsageError for unknown names, impossible settings, data
    or models that are not there, prompts that do not fit; what this machine can tell comes before any hub is asked.
    """
    check_installed(precision)
    suite = find_suite(request.suite)
    tasks = find_tasks(suite, request.tasks)
    seeds = tuple(dict.fromkeys(request.seeds or range(suite.seeds)))
    _check_seeds(request, seeds)
    methods, references = request.methods or suite.methods, request.models or suite.models
    planned = lines(suite, methods, request.set, request.sweep, request.trials)
    every_budget = budgets(suite, request.budget, request.sweep.get(BUDGET, {}))
    joint_data = JointData(request.data)
    _check_sources(request, suite, tasks)
    for line, task in product([line for line in planned if line.named], tasks):
        joint_data.check(line.first.joint(task, suite), line.first)
    _check_size(len(references) * len(tasks) * len(planned) * len(every_budget), seeds, request.vary)
    models, skips = chosen_models(references, proofs or {})
    data = {task.name: _of_data(request, task) for task in tasks}
    # the cells of each seed are made of one at seed 0
    shared: dict[str, Any] = {"suite": suite.name, "seed": 0, "protocol": request.protocol, "precision": precision}
    cells: list[Cell] = []
    trials: list[Cell] = []
    for model, task, line in product(models, tasks, planned):
        try:
            serving, unfit = fitting(line, task, model, suite, every_budget[0], precision)
        except UnfitModel as error:
            if len(models) == 1:
                raise
            skips.append(Skip(task.name, model.name, line.label, str(error), fault=True))
            continue
        skips += [Skip(task.name, model.name, label, reason) for label, reason in unfit]
        for of_task in every_budget if serving else ():
            try:
                joint = joint_data.of(serving[0].joint(task, suite), serving[0], of_task)
            except UsageError as error:
                if line.named:
                    raise
                skips.append(Skip(task.name, model.name, line.label, str(error)))
                break
            fields = {**data[task.name], **_of_model(model), **_of_method(line, serving[0])}
            first = Cell(**shared, **fields, budget=of_task[task.name], joint=joint)
            tried = [_trial(first, method, line) for method in serving] if request.trials else []
            trials += tried
            cells += _seeded(first, seeds, request.vary, line.num_settings, tried)
    if not cells:
        raise UsageError(f"nothing can be run: {_why_nothing(suite, methods, references, skips)}")
    return Plan(_once(cells), tuple(skips), _once(trials), (*notes(planned), *layer_notes(models, cells)))


def _why_nothing(suite: Suite, methods: Iterable[str], models: Iterable[str], skips: list[Skip]) -> str:
    reasons = sorted({skip.reason for skip in skips})
    lacking = [name for name, named in (("methods", methods), ("models", models)) if not named]
    return "; ".join([*reasons, *(f"suite {suite.name!r} names no {name}; give --{name}" for name in lacking)])


def _check_sources(request: RunRequest, suite: Suite, tasks: list[Task]) -> None:
    """UsageError for data that is not where this machine should have it."""
    if request.data and not any(task.source.local or task.is_data for task in tasks):
        raise UsageError(
            f"--data {request.data}: no chosen task of suite {suite.name!r} reads local data; leave it out"
        )
    for task in tasks:
        check_source(task, request.data, task.splits(request.protocol))


def _of_data(request: RunRequest, task: Task) -> dict[str, Any]:
    """The fields of a cell that say what it is measured on."""
    folder = folder_of(task, request.data)
    return {
        "task": task.name,
        "task_version": task.version,
        "data_fingerprint": fingerprint(task, folder, task.splits(request.protocol)),
        "data_path": str(folder.resolve()) if folder else None,
        "data_revision": None if folder or task.source.generate else hub_revision(task),
    }


def _of_model(model: ModelSource) -> dict[str, Any]:
    return {"model": model.name, "model_fingerprint": model.fingerprint, "model_path": model.reference}


def _of_method(line: Line, method: Method) -> dict[str, Any]:
    return {"method": method.name, "settings": method.model_dump(mode="json"), "given": line.given}


def _once(cells: list[Cell]) -> tuple[Cell, ...]:
    return tuple({(cell.choice if cell.tried else cell.id): cell for cell in cells}.values())


def _check_size(combinations: int, seeds: tuple[int, ...], vary: tuple[str, ...]) -> None:
    """UsageError for a grid that nobody can mean."""
    count = combinations * (len(seeds) + len(vary) * (len(seeds) - 1))
    if count > MOST_CELLS:
        raise UsageError(f"this grid has {count:,} cells, more than the {MOST_CELLS:,} of one run; make it smaller")


def _check_seeds(request: RunRequest, seeds: tuple[int, ...]) -> None:
    """UsageError where seeds cannot do what trials or varied streams ask of them."""
    if request.trials and TRIAL_SEED in seeds:
        raise UsageError(f"--seeds {TRIAL_SEED}: this is the seed that trials run at; report other seeds")
    for stream in request.vary:
        if stream not in VARIED:
            raise unknown("random stream", stream, VARIED)
    if request.vary and len(seeds) < 2:
        raise UsageError(f"--vary {','.join(request.vary)}: one seed has nothing to vary over; give --seeds 2 or more")
    if "split" in request.vary and request.protocol == "paper":
        raise UsageError("--vary split: under --protocol paper nothing is held out of train; vary other streams")


def _trial(first: Cell, method: Method, line: Line) -> Cell:
    settings = method.model_dump(mode="json")
    return first.changed(stage="trial", seed=TRIAL_SEED, settings=settings, drawn=line.drawn(method))


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
