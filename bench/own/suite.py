"""A user's own data as a suite: what `--data FILE`, a task file and `bench.run(data=…)` become before a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bench.data.found import Asked
from bench.errors import UsageError
from bench.own.inference import OwnTask, Wanted, understood
from bench.own.places import HUB, Lying, holds_suites, lying
from bench.own.shown import cautions, lines
from bench.own.task_file import TASK_FILE, read_task_file
from bench.registry import declare, is_declared, suites, usual_methods
from bench.request import CheckRequest, RunRequest
from bench.spelling import at_home
from bench.task import Suite, Task

Asking = TypeVar("Asking", RunRequest, CheckRequest)
COLUMNS = ("text", "label", "group", "id", "split_by", "kind")  # flags that are of a user's own data alone


@dataclass(frozen=True)
class OwnData:
    """A suite of a user's own data, declared, and where it lies. `lines` and `cautions` are told before a plan."""

    suite: Suite
    folder: Path | None
    lines: tuple[str, ...]
    cautions: tuple[str, ...]


def with_own_data(request: Asking) -> tuple[Asking, OwnData | None]:
    """The request with the suite that its own data make, and their folder as `data`; as it is where it has none.

    UsageError where it is not clear what is meant, and for data that make no task.
    """
    files = [name for name in request.tasks if name.endswith(TASK_FILE)]
    given = [name for name in COLUMNS if getattr(request, name)]
    if files:
        own = _of_task_files(request, files, given)
    elif _is_own(request, given):
        assert request.data is not None
        place = lying(request.data)
        others = [name for name in request.tasks if name != place.name]
        if others:
            raise UsageError(f"--tasks {others[0]}: --data {request.data} is a task itself; leave one of them out")
        own = _declared([understood(place, _wanted(request, place.name))])
    else:
        return request, None
    changes = {"suite": own.suite.name, "tasks": (), "data": own.folder, **dict.fromkeys(COLUMNS, None), "text": ()}
    return request.model_copy(update=changes), own


def _is_own(request: RunRequest | CheckRequest, given: Sequence[str]) -> bool:
    """Whether `--data` is a user's own. UsageError where it could be a suite's too, and for flags without it."""
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in given[:2])
    names_suite = "suite" in request.model_fields_set and request.suite is not None
    if request.data is None:
        if given:
            raise UsageError(f"{flags}: of which data? Give --data FILE too")
        return False
    if names_suite and not is_declared(str(request.suite)):
        if given or str(request.data).startswith(HUB):
            raise UsageError(
                f"--suite {request.suite} has tasks of its own; for {flags or f'--data {request.data}'} leave it out"
            )
        return False
    if names_suite and not given and request.data.is_dir():  # a suite that was declared in Python, and its folder
        return False
    if given or str(request.data).startswith(HUB) or not request.data.is_dir():
        return True
    if request.plugin or isinstance(request, CheckRequest):  # a folder with data sets of what a plugin brings
        return _holds_own(request.data) and not holds_suites(request.data)
    known = holds_suites(request.data)
    if not known:
        return True
    listed = ", ".join(f"--suite {name} ({', '.join(tasks[:4])})" for name, tasks in known.items())
    if _holds_own(request.data):
        raise UsageError(
            f"--data {request.data}: its files fit {listed}; give that, or --data FILE for a task of your own"
        )
    raise UsageError(f"--data {request.data} has the data of {listed}; give --suite")


def _holds_own(folder: Path) -> bool:
    try:
        lying(folder)
    except UsageError:
        return False
    return True


def _wanted(request: RunRequest | CheckRequest, name: str) -> Wanted:
    asked = Asked(request.text, request.label or "", request.group or "", request.id or "", request.split_by or "")
    return Wanted(asked, request.kind or "", name)


def _of_task_files(request: RunRequest | CheckRequest, files: Sequence[str], given: Sequence[str]) -> OwnData:
    """UsageError for task files beside what they say themselves, or beside tasks of a suite."""
    if len(files) < len(request.tasks):
        others = ", ".join(name for name in request.tasks if name not in files)
        raise UsageError(
            f"--tasks {others}: tasks of a suite and task files run apart; bench report A B shows them together"
        )
    if "suite" in request.model_fields_set and request.suite is not None:
        raise UsageError(f"--suite {request.suite}: a task file is none of its tasks; leave it out")
    if given or request.data is not None:
        flag = f"--{given[0].replace('_', '-')}" if given else f"--data {request.data}"
        raise UsageError(f"{flag}: the task file {files[0]} says it; leave it out")
    return _declared([understood(*read_task_file(Path(at_home(name)))) for name in files])


def _declared(own: Sequence[OwnTask]) -> OwnData:
    names = [each.task.name for each in own]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"two task files are of a task called {twice!r}; give one of them another name")
    folder = _folder([each.lying for each in own])
    suite = Suite(
        name=_free_name("+".join(names)),
        tasks=tuple(_from(folder, each) for each in own),
        average=tuple(names),
        methods=usual_methods(),
    )
    declare(suite)
    told = (line for each in own for line in lines(each))
    cautioned = (line for each in own for line in cautions(each))
    return OwnData(suite, folder, tuple(told), tuple(cautioned))


def _free_name(name: str) -> str:
    """A name that no module's suite has."""
    known = suites()
    return f"{name}-data" if name in known and not is_declared(name) else name


def _folder(places: Sequence[Lying]) -> Path | None:
    """The folder that all files are under."""
    folders = [place.folder for place in places if place.folder is not None]
    if not folders:
        return None
    above = (folders[0], *folders[0].parents)
    return next(parent for parent in above if all(each.is_relative_to(parent) for each in folders))


def _from(folder: Path | None, own: OwnTask) -> Task:
    """The task with its files named from a folder above its own."""
    if folder is None or own.lying.folder in (None, folder):
        return own.task
    below = own.lying.folder.relative_to(folder)
    files = {split: tuple(str(below / name) for name in names) for split, names in own.task.source.files.items()}
    return own.task.model_copy(update={"source": own.task.source.model_copy(update={"files": files})})
