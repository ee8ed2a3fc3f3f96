"""`bench list`: what can be named on the command line."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.commands.lines import print_line, print_listing
from bench.commands.screen import screen
from bench.errors import unknown
from bench.installed import is_installed
from bench.model.families.scales import SCALES, expand, listed_size
from bench.model.source import find_model, weight_shapes
from bench.registry import load_plugin, methods, suites
from bench.report.tables.fit import Column
from bench.task import Task
from bench.track.known import trackers
from bench.tuning import Method

Listing = tuple[list[Column], list[list[str]], list[str]]  # columns, rows, and lines below


def list_names(what: str, plugins: Iterable[Path]) -> None:
    """Print the known methods, suites, tasks, models or trackers."""
    for path in plugins:
        load_plugin(path)
    listings = {"methods": _methods, "suites": _suites, "tasks": _tasks, "models": _models, "trackers": _trackers}
    if what not in listings:
        raise unknown("listing", what, listings)
    console = screen()
    columns, rows, notes = listings[what]()
    print_listing(console, columns, rows)
    for note in notes:
        print_line(console, note)


def _methods() -> Listing:
    shared = {name: field.default for name, field in Method.model_fields.items()}
    rows = []
    for name, kind in methods().items():
        settings = {key: field.default for key, field in kind.model_fields.items()}
        own = {key: value for key, value in settings.items() if key not in shared or value != shared[key]}
        rows.append([name, (kind.__doc__ or "").strip().splitlines()[0], _settings(own)])
    columns = [Column("method"), Column("what it is"), Column("settings (default)")]
    return columns, rows, [f"every method, where its row has no other value: {_settings(shared)}"]


def _trackers() -> Listing:
    rows = []
    for name, kind in trackers().items():
        ready = "" if not kind.package or is_installed(kind.package) else f"pip install 'tuning-bench[{name}]'"
        rows.append([name, (kind.__doc__ or "").strip().splitlines()[0], ready])
    return [Column("tracker"), Column("what it gets"), Column("not installed")], rows, []


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _suites() -> Listing:
    rows = []
    for name, suite in suites().items():
        models = ", ".join(Path(model).name for model in suite.models)
        tasks = [task.name for task in suite.tasks]
        average = "all" if set(suite.average) == set(tasks) else ", ".join(suite.average)
        rows.append([name, ", ".join(tasks), average, models])
    return [Column("suite"), Column("tasks"), Column("in the average"), Column("models", goes=1)], rows, []


def _tasks() -> Listing:
    names = ("task", "kind", "suites", "classes", "metrics", "scored", "source", "licence")
    rank = {"licence": 4, "scored": 3, "source": 2, "classes": 1}
    columns = [Column(name, name == "classes", rank.get(name, 0)) for name in names]
    places: dict[int, tuple[Task, list[str]]] = {}
    for name, suite in suites().items():
        for task in suite.tasks:
            places.setdefault(id(task), (task, []))[1].append(name)
    rows = []
    for task, found in places.values():
        classes = str(len(task.classes)) if task.classes else ""
        texts = (", ".join(found), classes, ", ".join(task.metrics), task.scored, _source(task), task.licence)
        rows.append([task.name, task.kind, *texts])
    return columns, rows, []


def _source(task: Task) -> str:
    if task.source.generate is not None:
        return "generated"
    hub = "/".join(part for part in (task.source.hub, task.source.config) if part)
    files = (place for places in task.source.files.values() for place in places)  # of a user's own data
    return hub or f"local: {next(iter([*files, *task.source.local]))}"


def _models() -> Listing:
    users: dict[str, list[str]] = {}
    for name, suite in suites().items():
        for model in suite.models:
            if expand(model) is None:
                users.setdefault(model, []).append(name)
    rows = [
        [Path(model).name if Path(model).is_dir() else model, _size(model), ", ".join(names), model]
        for model, names in users.items()
    ]
    refused: dict[str, list[str]] = {}
    for family, members in SCALES.items():
        for member in members:
            name = f"{family}:{member.short}"
            place = "; ".join(filter(None, (member.reference, member.note)))
            rows.append([name, _millions(member.parameters), "", place])
            if member.remark:
                refused.setdefault(member.remark, []).append(name)
    notes = [f"{', '.join(names)} cannot be loaded: {reason}" for reason, names in refused.items()]
    columns = [
        Column("model"),
        Column("parameters", is_number=True),
        Column("suites"),
        Column("hub id or folder", goes=1),
    ]
    return columns, rows, notes


def _size(model: str) -> str:
    """Millions of parameters: of a folder from its weights' headers, of a hub id where a family lists it."""
    if Path(model).is_dir():
        return _millions(sum(map(math.prod, (weight_shapes(find_model(model)) or {}).values())))
    return _millions(listed_size(model))


def _millions(parameters: int | None) -> str:
    return f"{parameters / 1e6:,.1f} M" if parameters else ""
