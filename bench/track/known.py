"""Finds trackers: the harness's own, other packages' entry points, and files named on the command line."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from typing import TypeVar

from bench.errors import UsageError, unknown
from bench.installed import is_installed
from bench.track.tracker import Tracker

SERVICES, GROUP = "bench.track.services", "tuning_bench.trackers"
_TRACKERS: dict[str, type[Tracker]] = {}
_loaded: set[str] = set()
TrackerClass = TypeVar("TrackerClass", bound=type[Tracker])


def tracker(name: str) -> Callable[[TrackerClass], TrackerClass]:
    """Class decorator: make a Tracker known under `name`. ValueError when another class has the name."""

    def register(cls: TrackerClass) -> TrackerClass:
        known = _TRACKERS.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"two trackers are called {name!r}: of {known.__module__} and of {cls.__module__}")
        _TRACKERS[name] = cls
        return cls

    return register


def trackers() -> dict[str, type[Tracker]]:
    """Every known tracker by name."""
    if GROUP not in _loaded:
        _loaded.add(GROUP)
        folder = importlib.import_module(SERVICES)
        for module in pkgutil.iter_modules(folder.__path__, prefix=f"{SERVICES}."):
            importlib.import_module(module.name)
        for point in entry_points(group=GROUP):
            try:
                point.load()
            except Exception as error:  # another package's trouble must not stop runs that do not need it
                said = f"the tracker {point.name!r} ({point.value}) is left out: {type(error).__name__}: {error}"
                warnings.warn(said, stacklevel=2)
    return dict(sorted(_TRACKERS.items()))


def check_trackers(names: Iterable[str]) -> None:
    """UsageError for a tracker that nobody knows, or whose package is not installed."""
    for name in names:
        known = trackers()
        if name not in known:
            raise unknown("tracker", name, known)
        package = known[name].package
        if package and not is_installed(package):
            raise UsageError(f"--track {name}: {package} is not installed; pip install {package}")
