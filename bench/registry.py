"""Finds methods and suites: the built-in folders, other packages' entry points, and files named on the command line.

A method registers itself by its decorator; a suite is any module-level Suite in a module of suites/.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from bench.errors import UsageError, unknown
from bench.task import Suite
from bench.tuning import Method

_METHODS: dict[str, type[Method]] = {}
_SUITES: dict[str, Suite] = {}
Kind = TypeVar("Kind", bound=type[Method])
_loaded: set[str] = set()


def method(name: str) -> Callable[[Kind], Kind]:
    """Class decorator: make a Method known under `name`. ValueError when another class has the name."""

    def register(kind: Kind) -> Kind:
        other = _METHODS.get(name)
        if other is not None and (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
            raise ValueError(f"two methods are called {name!r}: {other.__module__} and {kind.__module__}")
        kind.name = name
        _METHODS[name] = kind
        return kind

    return register


def methods() -> dict[str, type[Method]]:
    """Every known method by name."""
    _load("bench.methods", "tuning_bench.methods")
    return dict(sorted(_METHODS.items()))


def suites() -> dict[str, Suite]:
    """Every known suite by name."""
    _load("bench.suites", "tuning_bench.suites")
    return dict(sorted(_SUITES.items()))


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


def build(kind: type[Method], settings: dict[str, Any]) -> Method:
    """A method with checked settings; UsageError names the setting, the value and what is allowed."""
    for name in settings:
        if name not in kind.model_fields:
            raise unknown(f"setting of {kind.name}", name, kind.model_fields)
        if isinstance(settings[name], bool) and not _takes_bool(kind.model_fields[name].annotation):
            raise UsageError(f"{kind.name}.{name}={settings[name]!r} is not possible: it is no switch")
    try:
        return kind(**settings)
    except ValidationError as error:
        problem = error.errors()[0]
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:  # a rule between several settings
            raise UsageError(f"these settings of {kind.name} are not possible: {message}") from None
        name = ".".join([kind.name, *map(str, problem["loc"])])
        raise UsageError(f"{name}={problem['input']!r} is not possible: {message}") from None


def _takes_bool(annotation: Any) -> bool:
    """Pydantic would take `true` for the number 1."""
    return bool in (annotation, *get_args(annotation))


def load_plugin(path: Path) -> None:
    """Import a file that registers methods or suites. UsageError when it is not there or fails to import."""
    if not path.is_file():
        raise UsageError(f"--plugin {path}: no such file")
    name = f"tuning_bench_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--plugin {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"--plugin {path} could not be imported: {type(error).__name__}: {error}") from error
    _collect(module)


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
            found = point.load()
            _collect(found if isinstance(found, ModuleType) else importlib.import_module(point.module))
        except Exception as error:  # another package's trouble must not stop runs that do not need it
            problem = f"{type(error).__name__}: {error}"
            warnings.warn(f"the plugin {point.name!r} ({point.value}) is left out: {problem}", stacklevel=2)


def _collect(module: ModuleType) -> None:
    for value in vars(module).values():
        if isinstance(value, Suite):
            _SUITES[value.name] = value
