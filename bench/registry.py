"""Finds methods and suites: the built-in folders, other packages' entry points, and files named on the command line.

A method registers itself by its decorator; a suite is any module-level Suite in a module of suites/.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from bench.errors import UsageError, shown, unknown
from bench.task import Suite, Task
from bench.tuning import Method

PLUGIN = "tuning_bench_plugin_"  # what the names of modules begin with that came from a file
ALL = "all"  # what stands for every method; none may be called so
PROGRAM = "__main__"  # the module of a script or a notebook
_METHODS: dict[str, type[Method]] = {}
_SUITES: dict[str, Suite] = {}
_HOMES: dict[str, str] = {}  # suite -> the module it came from
MethodClass = TypeVar("MethodClass", bound=type[Method])
_loaded: set[str] = set()


def method(name: str) -> Callable[[MethodClass], MethodClass]:
    """Class decorator: make a Method known under `name`. ValueError when another class has the name."""

    def register(cls: MethodClass) -> MethodClass:
        if name == ALL:
            raise ValueError(f"no method can be called {name!r}: it stands for all of them")
        known = _METHODS.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(
                f"two methods are called {name!r}: {_place(known.__module__)} and {_place(cls.__module__)}"
            )
        cls.name = name
        _METHODS[name] = cls
        return cls

    return register


def methods() -> dict[str, type[Method]]:
    """Every known method by name."""
    _load("bench.methods", "tuning_bench.methods")
    return dict(sorted(_METHODS.items()))


def suites() -> dict[str, Suite]:
    """Every known suite by name."""
    _load("bench.suites", "tuning_bench.suites")
    return dict(sorted(_SUITES.items()))


def named_methods(names: Iterable[str]) -> tuple[str, ...]:
    """The methods that names stand for, each once: `all` for every known one. UsageError for a name nobody knows."""
    asked = tuple(dict.fromkeys(names))
    return tuple(methods()) if ALL in asked else tuple(find_method(name).name for name in asked)


def find_method(name: str) -> type[Method]:
    known = methods()
    if name not in known:
        raise unknown("method", name, known, "A new one is a file in methods/.")
    return known[name]


def find_suite(name: str) -> Suite:
    known = suites()
    if name not in known:
        raise unknown("suite", name, known, "A new one is a file in suites/.")
    return known[name]


def find_tasks(suite: Suite, names: Iterable[str]) -> list[Task]:
    """Tasks of a suite by their names, all for no name. UsageError for one that it has not, with the suites that do."""
    known = {task.name: task for task in suite.tasks}
    for name in names:
        if name not in known:
            homes = [other for other, its in suites().items() if any(task.name == name for task in its.tasks)]
            hint = f"It is a task of {', '.join(homes)}: --suite {homes[0]}." if homes else ""
            raise unknown(f"task of suite {suite.name!r}", name, known, hint)
    return [known[name] for name in names] or list(suite.tasks)


def build(kind: type[Method], settings: dict[str, Any]) -> Method:
    """A method with checked settings; UsageError names the setting, the value and what is allowed."""
    for name in settings:
        if name not in kind.model_fields:
            raise unknown(f"setting of {kind.name}", name, kind.model_fields)
        if isinstance(settings[name], bool) and not _takes_bool(kind.model_fields[name].annotation):
            raise UsageError(f"{kind.name}.{name}={shown(settings[name])} is not possible: it is no switch")
    try:
        return kind(**settings)
    except ValidationError as error:
        problem = error.errors()[0]
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # a rule between several settings
            raise UsageError(f"these settings of {kind.name} are not possible: {message}") from None
        name = ".".join([kind.name, *map(str, problem["loc"])])
        raise UsageError(f"{name}={shown(problem['input'])} is not possible: {message}") from None


def _takes_bool(annotation: Any) -> bool:
    """Pydantic would take `true` for the number 1."""
    return bool in (annotation, *get_args(annotation))


@dataclass(frozen=True)
class Plugin:
    """What a file has brought: names of methods and of suites."""

    methods: tuple[str, ...]
    suites: tuple[str, ...]


def load_plugin(path: Path) -> Plugin:
    """Import a file that registers methods or suites.

    UsageError when it is not there, when it fails to import, with its own line, or when it takes a known name.
    """
    if not path.is_file():
        raise UsageError(f"--plugin {path}: no such file")
    methods(), suites()  # whoever takes a name of theirs is then the second to have it
    tag = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]  # two files of one name are two modules
    name = f"{PLUGIN}{path.stem}_{tag}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--plugin {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        _collect(module)
    except Exception as error:
        line = own_line(error, path)
        where = f"{path}, line {line}" if line else path
        raise UsageError(f"--plugin {where}: {_said(error)}") from error
    brought = tuple(known for known, cls in methods().items() if cls.__module__ == name)
    return Plugin(brought, tuple(known for known in suites() if _HOMES.get(known) == name))


def plugin_files(method: Method, suite: Suite) -> list[str]:
    """The files that a method, a suite and its kinds of tasks came from, as far as `load_plugin` has imported them."""
    kinds = {type(task.facts).__module__ for task in suite.tasks}
    homes = dict.fromkeys([type(method).__module__, _HOMES.get(suite.name, ""), *sorted(kinds)])
    return [str(sys.modules[home].__file__) for home in homes if home.startswith(PLUGIN)]


def own_line(error: BaseException, path: Path) -> int | None:
    """The line of this file at which an error arose in it, or in what it called; None when it had no part in it."""
    if isinstance(error, SyntaxError) and Path(error.filename or "").resolve() == path.resolve():
        return error.lineno
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()), None)


def _said(error: Exception) -> str:
    """What went wrong: of a declaration that is refused the words of the rule that it breaks."""
    if isinstance(error, ValidationError):
        problem = error.errors()[0]
        rule = problem["msg"].removeprefix("Value error, ")
        return ".".join(map(str, (error.title, *problem["loc"]))) + f": {rule}"
    return str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"


def _load(package: str, group: str) -> None:
    if package in _loaded:
        return
    _loaded.add(package)
    folder = importlib.import_module(package)
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__, prefix=f"{package}."))
    modules: Iterable[ModuleType] = [importlib.import_module(name) for name in names]
    for module in modules:
        _collect(module)
    for point in entry_points(group=group):
        try:
            loaded = point.load()
            _collect(loaded if isinstance(loaded, ModuleType) else importlib.import_module(point.module))
        except Exception as error:  # another package's trouble must not stop runs that do not need it
            warnings.warn(f"the plugin {point.name!r} ({point.value}) is left out: {_said(error)}", stacklevel=2)


@contextmanager
def temporary(suite: Suite) -> Iterator[None]:
    """Within the block the suite is known under its name, which must be nobody else's."""
    assert suite.name not in suites(), suite.name
    _SUITES[suite.name] = suite
    try:
        yield
    finally:
        del _SUITES[suite.name]


def usual_methods() -> tuple[str, ...]:
    """The methods that run where neither a request nor a suite names any, the reference first."""
    usual = {
        name: cls for name, cls in methods().items() if vars(cls).get("usual")
    }  # what a subclass inherits is not said
    return tuple(sorted(usual, key=lambda name: (not usual[name].reference, name)))


def is_built_in(name: str) -> bool:
    """Whether a suite comes with the harness."""
    return name in suites() and _HOMES.get(name, "").startswith("bench.suites")


def is_declared(name: str) -> bool:
    """Whether a suite is data alone (`declare`): no module that another process could load has it."""
    return name in _SUITES and name not in _HOMES


def declare(suite: Suite) -> None:
    """Make known a suite that is data alone: of a user's own file, or kept in a results folder.

    It takes the place of one that was declared before. UsageError when a module has one of its name.
    """
    if suite.name in suites() and suite.name in _HOMES:
        raise UsageError(f"two suites are called {suite.name!r}: {_place(_HOMES[suite.name])} has one of that name")
    _SUITES[suite.name] = suite


def bring(suite: Suite) -> None:
    """Make known a suite of the running program itself, a script or a notebook; without code it is data alone.

    It takes the place of one of its name that the program brought before. UsageError when a module has one.
    """
    if suites() and _HOMES.get(suite.name) == PROGRAM:
        del _HOMES[suite.name]
    declare(suite)
    if any(task.rows is not None or task.source.generate is not None for task in suite.tasks):
        _HOMES[suite.name] = PROGRAM


def stays_here(method: Method, suite: Suite) -> str | None:
    """What of a cell no other process has, since the running program itself brought it: "method 'mine'"."""
    if type(method).__module__ == PROGRAM:
        return f"method {method.name!r}"
    if _HOMES.get(suite.name) == PROGRAM:
        return f"suite {suite.name!r}"
    kinds = [task.kind for task in suite.tasks if type(task.facts).__module__ == PROGRAM]
    return f"the kind of task {kinds[0]!r}" if kinds else None


def _collect(module: ModuleType) -> None:
    """Make the module's suites known. UsageError when another module has one of the same name."""
    for suite in vars(module).values():
        if not isinstance(suite, Suite) or _SUITES.get(suite.name) is suite:
            continue
        home = _HOMES.get(suite.name, module.__name__)
        if home != module.__name__:
            raise UsageError(f"two suites are called {suite.name!r}: {_place(home)} and {_place(module.__name__)}")
        _SUITES[suite.name], _HOMES[suite.name] = suite, module.__name__


def _place(module: str) -> str:
    """Where a module's code is: a plugin's file, or the name it is imported by."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return str(file) if module.startswith(PLUGIN) and file else module
