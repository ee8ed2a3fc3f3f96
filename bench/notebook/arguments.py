"""From what a call in Python gives to a request: besides names also suites, tasks, methods and data themselves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from bench.errors import UsageError
from bench.notebook.rows import kept
from bench.registry import bring, methods, suites
from bench.request import RunRequest
from bench.spelling import at_home, settings
from bench.task import Suite, Task
from bench.tuning import Method


def request_of(asked: Mapping[str, Any], config: str | Path | None = None) -> RunRequest:
    """The request of a call; suites and tasks that no module has are now known. UsageError for a wrong one."""
    given = {name: value for name, value in asked.items() if value is not None}
    _name_tasks(given)
    _name_methods(given)
    if "data" in given and not isinstance(given["data"], str | Path):
        given["data"] = kept(given["data"])
    return RunRequest.called(given, Path(at_home(config)) if config is not None else None)


def _name_tasks(given: dict[str, Any]) -> None:
    """Put names in the place of a suite and of tasks."""
    tasks = given.get("tasks")
    if isinstance(tasks, Task):
        tasks = [tasks]
    if isinstance(tasks, list | tuple) and any(isinstance(task, Task) for task in tasks):
        given["suite"], given["tasks"] = _suite_of(tasks, given.get("suite"))
    elif isinstance(given.get("suite"), Suite):
        given["suite"] = _known(given["suite"])


def _suite_of(tasks: Sequence[Any], suite: Any) -> tuple[str, list[str]]:
    """The name of a suite of these tasks, and their names in it: of a suite that is known, or a new one, called as the
    call says or as the task. UsageError where names are among them, or a suite has tasks of its own.
    """
    names = [task.name if isinstance(task, Task) else task for task in tasks]
    if not all(isinstance(task, Task) for task in tasks):
        raise UsageError(f"tasks={names!r} is not possible: give names of a suite's tasks, or tasks themselves")
    for known in suites().values() if suite is None else ():
        if all(any(task is each for each in known.tasks) for task in tasks):
            return known.name, names
    if isinstance(suite, Suite):
        raise UsageError(f"suite {suite.name!r} has its own tasks; name some of them, or leave it out")
    new = Suite(name=suite or (names[0] if len(names) == 1 else "own"), tasks=tuple(tasks), average=tuple(names))
    return _known(new), names


def _known(suite: Suite) -> str:
    """The name of a suite, which is known from now on."""
    if suites().get(suite.name) is not suite:
        bring(suite.model_copy(update={"tasks": tuple(map(_versioned, suite.tasks))}))
    return suite.name


def _versioned(task: Task) -> Task:
    """A task that says no version of itself has one of all that it says, so that one that was changed and run again is
    measured anew. Of its functions their own code counts, not what they call.
    """
    if "version" in task.model_fields_set or any(task is each for suite in suites().values() for each in suite.tasks):
        return task
    parts = [task.model_dump_json(), *(_code(what) for what in (task.rows, task.source.generate) if what is not None)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return task.model_copy(update={"version": int(digest[:12], 16)})


def _code(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return repr(_instructions(code)) if code is not None else f"{function.__module__}.{type(function).__qualname__}"


def _instructions(code: CodeType) -> tuple[Any, ...]:
    """What a function does, without where it stands."""
    constants = [_instructions(part) if isinstance(part, CodeType) else repr(part) for part in code.co_consts]
    return (code.co_code, code.co_names, code.co_varnames, constants)


def _name_methods(given: dict[str, Any]) -> None:
    """Put names in the place of methods, and into `set` what was set of them."""
    asked = given.get("methods")
    if isinstance(asked, Method) or (isinstance(asked, type) and issubclass(asked, Method)):
        asked = [asked]
    if not isinstance(asked, list | tuple) or all(isinstance(method, str) for method in asked):
        return
    names, tables = [], settings(given.get("set", {}))
    for method in asked:
        name = _method_name(method)
        if name in names:
            raise UsageError(
                f"methods has {name!r} twice; its settings are compared by sweep={{{name!r}: {{'SETTING': [A, B]}}}}"
            )
        names.append(name)
        if isinstance(method, Method) and isinstance(tables, dict):
            own = {field: method.model_dump(mode="json")[field] for field in sorted(method.model_fields_set)}
            twice = sorted(own.keys() & tables.get(name, {}).keys())
            if twice:
                raise UsageError(f"{name}.{twice[0]} is given by methods and by set; leave one of them out")
            tables[name] = {**tables.get(name, {}), **own}
    given["methods"], given["set"] = names, tables


def _method_name(method: Any) -> str:
    if isinstance(method, str):
        return method
    kind = method if isinstance(method, type) else type(method)
    if not issubclass(kind, Method):
        raise UsageError(f"methods has {method!r}; give names, or methods themselves like PTuningV2(length=40)")
    if methods().get(kind.name) is not kind:
        raise UsageError(f"{kind.__name__} is not known; put @bench.method('a_name') before its class")
    return kind.name
