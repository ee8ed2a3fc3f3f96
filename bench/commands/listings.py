"""`bench list`: what can be named on the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from bench.commands.screen import screen
from bench.errors import unknown
from bench.model.families.scales import SCALES, expand, listed_size
from bench.model.source import find_model, weight_shapes
from bench.registry import load_plugin, methods, suites
from bench.task import Task


def list_names(what: str, plugins: Iterable[Path]) -> None:
    """Print the known methods, suites, tasks or models."""
    for path in plugins:
        load_plugin(path)
    listings = {"methods": _methods, "suites": _suites, "tasks": _tasks, "models": _models}
    if what not in listings:
        raise unknown("listing", what, listings)
    table = listings[what]()
    table.columns[0].no_wrap = True  # names, to be typed as they stand
    screen().print(table)


def _methods() -> Table:
    table = Table("method", "settings (default)", "what it is")
    for name, kind in methods().items():
        defaults = ", ".join(f"{key}={field.default}" for key, field in kind.model_fields.items())
        table.add_row(name, defaults, (kind.__doc__ or "").strip().splitlines()[0])
    return table


def _suites() -> Table:
    table = Table("suite", "tasks", "models", "average")
    for name, suite in suites().items():
        models = ", ".join(Path(model).name for model in suite.models)
        table.add_row(name, ", ".join(task.name for task in suite.tasks), models, ", ".join(suite.average))
    return table


def _tasks() -> Table:
    table = Table("task", "kind", "suites", "classes", "metrics", "scored", "source", "licence")
    places: dict[int, tuple[Task, list[str]]] = {}
    for name, suite in suites().items():
        for task in suite.tasks:
            places.setdefault(id(task), (task, []))[1].append(name)
    for task, names in places.values():
        classes = str(len(task.classes)) if task.classes else ""
        metrics = ", ".join(task.metrics)
        table.add_row(
            task.name, task.kind, ", ".join(names), classes, metrics, task.scored, _source(task), task.licence
        )
    return table


def _source(task: Task) -> str:
    if task.source.generate is not None:
        return "generated"
    hub = "/".join(part for part in (task.source.hub, task.source.config) if part)
    return hub or f"local: {task.source.local[0]}"


def _models() -> Table:
    table = Table("suite or family", "model", "parameters", "path, or why it cannot be loaded")
    for name, suite in suites().items():
        for model in suite.models:
            if expand(model) is None:
                table.add_row(name, Path(model).name if Path(model).is_dir() else model, _size(model), model)
    for family, members in SCALES.items():
        for member in members:
            place = member.remark or "; ".join(filter(None, (member.reference, member.note)))
            table.add_row(family, f"{family}:{member.short}", _millions(member.parameters), place)
    return table


def _size(model: str) -> str:
    """Millions of parameters: of a folder from its weights' headers, of a hub id where a family lists it."""
    if Path(model).is_dir():
        return _millions(sum(map(math.prod, (weight_shapes(find_model(model)) or {}).values())))
    return _millions(listed_size(model))


def _millions(parameters: int | None) -> str:
    return f"{parameters / 1e6:,.1f} M" if parameters else ""
