"""Kinds of task: what is known of one before a row is read, and where they are found. Never imports torch.

All that a kind of task is stands in one class, in one file: ours in bench/kinds/, loaded when one is first asked for.
Its interface grows with the rooms that ask: `KindFacts` here, `KindData` (bench.data.kind) from rows to token ids, and
`TaskKind` (bench.score.kind), which is the whole, from scores to answers, losses and metrics. No other place compares a
kind's name. A plugin registers its own with `@task_kind`, as ours are.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import ClassVar, Literal, TypeVar

from bench.errors import unknown

BUILT_IN = "bench.kinds"


class KindFacts:
    """What a task, a head and an export know of a kind; one object serves all tasks of it."""

    name: ClassVar[str] = ""
    metric_names: ClassVar[tuple[str, ...]] = ()  # those of `TaskKind.metrics`, told apart from them to stay light
    lowest_score: ClassVar[float] = 0.0  # that one of its metrics can be
    needs_classes: ClassVar[bool] = False
    has_forms: ClassVar[bool] = True  # texts are laid out by the task's `plain` form, or by the kind itself
    cloze: ClassVar[Literal["words", "candidates"] | None] = None  # what is scored at `[MASK]`; None: no such form
    pairs_texts: ClassVar[bool] = False  # lays out two texts, whatever the form
    reads: ClassVar[str] = "{whole}"  # which states a linear head reads, `{whole}` or `{pooled}` being that of all text
    reads_tokens: ClassVar[bool] = False  # scores are of the text's own tokens, or of one thing for the whole text
    scores_rows: ClassVar[bool] = False  # an item has several rows and a score of each, or one row and one per position
    inputs: ClassVar[tuple[str, ...]] = ()  # of a row's fields those, besides the texts of forms, that are no answer
    wants: ClassVar[str] = ""  # the columns of a user's file that it is recognised by, in words
    positions_compete: ClassVar[bool] = False  # positions with one another in each column, or classes at each position

    def columns(self, num_classes: int) -> int:
        """Scores a linear head gives for each position it reads."""
        return num_classes


KindClass = TypeVar("KindClass", bound=type[KindFacts])
_KINDS: dict[str, KindFacts] = {}
_loaded: set[str] = set()


def task_kind(name: str) -> Callable[[KindClass], KindClass]:
    """Class decorator: make a kind of task known under `name`. ValueError when another class has the name."""

    def register(cls: KindClass) -> KindClass:
        _load()
        known = type(_KINDS[name]) if name in _KINDS else None
        if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"two kinds of task are called {name!r}: {known.__module__} and {cls.__module__}")
        cls.name = name
        _KINDS[name] = cls()
        return cls

    return register


def find_kind(name: str) -> KindFacts:
    """The kind of that name. UsageError when there is none."""
    if name not in _KINDS:
        _load()
    if name not in _KINDS:
        raise unknown("kind of task", name, _KINDS, "A new one is a file in bench/kinds/, or stands in a plugin.")
    return _KINDS[name]


def kinds() -> dict[str, KindFacts]:
    """Every known kind by name."""
    _load()
    return dict(sorted(_KINDS.items()))


def lowest_score(metric: str) -> float:
    """The lowest score of a metric of this name: 0, or that of the kinds whose metric it is."""
    return min((kind.lowest_score for kind in kinds().values() if metric in kind.metric_names), default=0.0)


def _load() -> None:
    if BUILT_IN not in _loaded:
        _loaded.add(BUILT_IN)
        folder = importlib.import_module(BUILT_IN)
        for module in pkgutil.iter_modules(folder.__path__, prefix=f"{BUILT_IN}."):
            importlib.import_module(module.name)
