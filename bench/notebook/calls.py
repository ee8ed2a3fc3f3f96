"""`bench.run` and `bench.preview`: the commands `bench run` and `bench run --plan`, called in Python."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from bench.commands.predict import answered
from bench.commands.preview import print_plan
from bench.commands.run import planned, run_grid
from bench.commands.screen import plain_screen, say_on
from bench.errors import UsageError
from bench.notebook.arguments import request_of
from bench.notebook.preview import Preview, captured
from bench.notebook.results import Results
from bench.notebook.rows import located
from bench.notebook.words import command_of, in_python
from bench.report.read.folders import read_folders
from bench.request import PredictRequest, RunRequest
from bench.store.provenance import asked_by

Call = TypeVar("Call", bound=Callable[..., Any])
ELSEWHERE = {  # what the command has beside the fields of a request
    "plan": "bench.preview(...) shows what would run",
    "dry_run": "it is for the command line: bench run --executor slurm --dry-run",
}


def with_arguments(call: Call) -> Call:
    """Give a call the arguments of a request for its signature and its help, in the place of `**asked`."""
    fields = RunRequest.model_fields
    own = [
        parameter
        for parameter in inspect.signature(call).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    keyword = inspect.Parameter.KEYWORD_ONLY
    asked = [
        inspect.Parameter(name, keyword, default=field.default, annotation=field.annotation)
        for name, field in fields.items()
    ]
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*own[:1], *asked, *own[1:]], return_annotation=inspect.signature(call).return_annotation
    )
    listed = "\n".join(f"    {name}: {field.description}" for name, field in fields.items())
    call.__doc__ = f"{inspect.cleandoc(call.__doc__ or '')}\n\nArguments, each the flag of its name:\n{listed}\n"
    return call


@with_arguments
def run(config: str | Path | None = None, **asked: Any) -> Results:
    """Measure a grid of methods x tasks x models x seeds, and give what its results folder then holds.

    What is finished is not run again: an interrupted call goes on where it was. Beside names, `suite` may be a Suite,
    `tasks` Tasks, `methods` methods with settings, and `data` a table in memory. `config` is a grid file. Cells that
    fail have a row with the reason. UsageError names a wrong argument.
    """
    with in_python():
        request = _request(asked, config)
        try:
            with asked_by(command_of(request, "run")):
                ended = run_grid(request)
        except KeyboardInterrupt:
            say_on(plain_screen(), "stopped; finished cells are kept, the same call goes on from there")
            raise
        reading = read_folders([ended.folder])
    for problem in reading.problems:
        warnings.warn(problem, stacklevel=2)
    return Results(reading)


def predict(cell: str, data: Any, **options: Any) -> pd.DataFrame:
    """The answers of a finished cell to new rows of its task, a row each: the row's own columns, then `prediction` and
    what its kind of task tells beside it (results/README.md lists the columns).

    `cell` is an id, or how one begins; `data` a file, a table, or dicts, whose answers, if any, are not looked at.
    `options` are those of `bench predict`: `folder` (the results folder; default: all under results/), `model`,
    `device`, `precision`, `token_budget`, `plugin`. With `score=True` the rows' own answers are scored by the task's
    metrics, in `.attrs["scores"]`. UsageError for what the command refuses.
    """
    with in_python():
        place = {"data": data} if isinstance(data, str | Path) else {}
        request = PredictRequest.called({"cell": cell, **place, **options})
        return answered(request, None if place else located(data))


@with_arguments
def preview(config: str | Path | None = None, *, probe: bool = True, **asked: Any) -> Preview:
    """Give what `bench.run` would measure with the same arguments, what it cannot and why, and how long it takes.

    With `probe` a few steps are run where no earlier run tells. UsageError names a wrong argument.
    """
    with in_python(), planned(_request(asked, config), only_plan=True) as grid:
        from bench.commands.grid import foretell

        text: list[str] = []
        with captured(text) as console:
            print_plan(console, grid.plan, grid.left, grid.folder)
            foretell(console, grid, probe)
        return Preview(grid.plan, grid.left, text[0])


def _request(asked: dict[str, Any], config: str | Path | None) -> RunRequest:
    for name, instead in ELSEWHERE.items():
        if name in asked:
            raise UsageError(f"{name} is no argument: {instead}")
    return request_of(asked, config)
