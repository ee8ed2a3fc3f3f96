"""Tasks of each kind with two or three classes, and examples in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.kind import find_kind
from bench.task import Answer, Example, Source, Task


@pytest.fixture(scope="session")
def task() -> Callable[..., Task]:
    """task(kind, classes, *metrics)"""

    def make(kind: str, classes: tuple[str, ...] = (), *metrics: str) -> Task:
        facts = find_kind(kind)
        plain = "{x}" if facts.has_forms else ""
        return Task(
            name="t", kind=kind, source=Source(), plain=plain, classes=classes,
            metrics=metrics or (facts.metric_names[0],),
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def example() -> Callable[..., Example]:
    """example(*labels, choices=[texts], answers=[texts], query=..., group=...)"""

    def make(*labels: int, choices: tuple[str, ...] = (), answers: tuple[str, ...] = (), **fields: Any) -> Example:
        return Example(
            id="i", labels=labels, choices=tuple({"choice": text} for text in choices),
            answers=tuple(Answer(text=text, start=0) for text in answers), **fields,
        )  # fmt: skip

    return make
