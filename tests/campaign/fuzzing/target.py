"""What can be fuzzed: a target has a name, a strategy that makes cases, and a run that feeds one to the program.

A module in tests/campaign/targets/ with `TARGETS`, a tuple of them, is all it takes to add some.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis.strategies import SearchStrategy

Case = dict[str, Any]  # of texts, numbers, truths, None, bytes, and lists and dicts (by text) of these


class Broken(Exception):
    """What a run raises where the program gave an answer, and the answer is wrong."""


def nothing() -> None:
    """A target that needs no preparation."""


@dataclass(frozen=True)
class Target:
    """`run(case, folder)` writes what the case has into the fresh `folder`, which is also the working folder, and uses
    it as a user would. It runs in a process of its own, forked for this case: it may spoil what it likes.

    To return is a result, and a UsageError a refusal; `Broken` and every other exception (SystemExit too), more than
    20 s or more than 2 GB beyond what was there before are failures. `cases` is called once; `prepare` once in the
    parent, for what all cases need: imports, models, fixtures (put them into a module-level variable: children see it).
    `share` is the target's part of all cases, where an ordinary one has 1.
    """

    name: str
    cases: Callable[[], SearchStrategy[Case]]
    run: Callable[[Case, Path], None]
    prepare: Callable[[], None] = nothing
    share: float = 1


def targets() -> dict[str, Target]:
    """All targets by name."""
    from tests.campaign import targets as folder

    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."))
    found = [target for name in names for target in importlib.import_module(name).TARGETS]
    by_name = {target.name: target for target in found}
    assert len(by_name) == len(found), "two targets have one name"
    return by_name
