"""What a shell completes a value to: names that are known, ids of cells. No torch here, and nothing is looked up twice.

A function gets what has been typed of a value and gives whole values; what does not begin so, typer leaves out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import typer

from bench.cell import AskedPrecision, Compile, Executor, Protocol
from bench.commands.folders import RESULTS
from bench.request import Format, RunRequest

MOST_TOLD = 40  # ids of cells that are shown with what they are
Completion = Callable[..., Iterable[Any]]


def _one_of(names: Callable[[Mapping[str, Any]], Iterable[str]]) -> Completion:
    """One name."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        return list(names(ctx.params))

    return complete


def _listed(names: Callable[[Mapping[str, Any]], Iterable[str]]) -> Completion:
    """Names with commas between them: the last is completed, and none comes twice."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        given = incomplete.split(",")[:-1]
        return [",".join([*given, name]) for name in names(ctx.params) if name not in given]

    return complete


def _methods(_: Mapping[str, Any]) -> Iterable[str]:
    from bench.registry import ALL, methods

    return [ALL, *methods()]


def _suites(_: Mapping[str, Any]) -> Iterable[str]:
    from bench.registry import suites

    return suites()


def _tasks(given: Mapping[str, Any]) -> Iterable[str]:
    """Those of the suite that has been typed, or of the one that is run without a word."""
    from bench.registry import suites

    suite = suites().get(given.get("suite") or RunRequest().suite)
    return [task.name for task in suite.tasks] if suite else []


def _models(_: Mapping[str, Any]) -> Iterator[str]:
    from bench.model.families.scales import SCALES
    from bench.plan.models import known_models

    yield from known_models()
    for family, members in SCALES.items():
        yield from (f"{family}:{member.short}" for member in members)


def _settings(given: Mapping[str, Any]) -> list[str]:
    """METHOD.SETTING= of the methods that have been typed, of all where there are none."""
    from bench.registry import methods

    known = methods()
    chosen = [name for name in str(given.get("methods") or "").split(",") if name in known] or list(known)
    return [f"{name}.{setting}=" for name in chosen for setting in known[name].model_fields]


def _swept(given: Mapping[str, Any]) -> list[str]:
    from bench.plan.budgets import SWEPT

    return [*_settings(given), *(f"budget.{name}=" for name in SWEPT)]


def _streams(_: Mapping[str, Any]) -> Iterable[str]:
    from bench.seeds import VARIED

    return VARIED


def _trackers(_: Mapping[str, Any]) -> Iterable[str]:
    from bench.track.known import trackers

    return trackers()


def _words(kind: Any) -> Callable[[Mapping[str, Any]], Iterable[str]]:
    return lambda _: get_args(kind)


def listings(incomplete: str) -> list[str]:
    """What `bench list` can list."""
    return ["methods", "suites", "tasks", "models", "trackers"]


def cells(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of the cells of a results folder, or of all under results/, with what they are where they are not many."""
    given = ctx.params.get("folder")
    folders = [Path(given)] if given else sorted(mark.parent for mark in RESULTS.glob("*/store.json"))
    found: dict[str, Path] = {}
    for folder in folders:
        with suppress(OSError):
            for name in sorted(os.listdir(folder / "cells")):
                if name.startswith(incomplete):
                    found.setdefault(name, folder)
    told = len(found) <= MOST_TOLD
    return [(name, _told(folder / "cells" / name) if told else "") for name, folder in found.items()]


def _told(cell: Path) -> str:
    """ "bert-tiny · rte · ptv2 · seed 0"; nothing where the record cannot be read."""
    try:
        record = json.loads((cell / "record.json").read_text(encoding="utf-8"))
        parts = [str(record["cell"][name]) for name in ("model", "task", "method")]
        return " · ".join([*parts, f"seed {record['cell']['seed']}"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def results_folders(incomplete: str) -> list[str]:
    """Results folders under results/; a shell completes other paths by itself."""
    return [str(mark.parent) for mark in sorted(RESULTS.glob("*/store.json"))]


COMPLETIONS: dict[str, Completion] = {
    "suite": _one_of(_suites),
    "tasks": _listed(_tasks),
    "methods": _listed(_methods),
    "models": _listed(_models),
    "set": _one_of(_settings),
    "sweep": _one_of(_swept),
    "vary": _listed(_streams),
    "protocol": _one_of(_words(Protocol)),
    "precision": _one_of(_words(AskedPrecision)),
    "compile": _one_of(_words(Compile)),
    "executor": _one_of(_words(Executor)),
    "devices": _one_of(lambda _: ("all", "cpu", "cuda")),
    "format": _listed(_words(Format)),
    "track": _listed(_trackers),
    "cell": cells,
    "folders": results_folders,
    "folder": results_folders,
}  # by the names of fields, which mean the same in every request
