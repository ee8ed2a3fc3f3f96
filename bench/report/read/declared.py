"""The suites of results folders: as they are declared here, else as the folders keep them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bench.registry import suites
from bench.store.declarations import kept_suites
from bench.store.store import Store
from bench.task import Suite

Suites = Mapping[str, Suite]


def declared_suites(stores: Iterable[Store], problems: list[str]) -> Suites:
    """Every suite that is known here, and those of the folders that are not; what cannot be read goes to `problems`."""
    declared: dict[str, Suite] = {}
    for store in stores:
        kept, broken = kept_suites(store.path)
        problems += [f"left out: {error}" for error in broken]
        declared = kept | declared
    return declared | suites()
