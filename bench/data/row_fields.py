"""What the readers of all kinds have in common: fields of a row with their types checked, and the Example made."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from bench.data.located import Located
from bench.data.values import name_of
from bench.errors import UsageError
from bench.task import Example, Task

# Every field's default: model_construct() would deep-copy those that are not given, again and again.
_EMPTY: dict[str, Any] = {"texts": {}, "choices": (), "words": (), "marks": (), "answers": (), "value": None}


def example_of(row: Located, index: int, **fields: Any) -> Example:
    """An Example of values that have been checked; validating them again would take most of the time."""
    named: dict[str, Any] = {"id": name_of(row.fields.get("idx")) or str(index)}
    named |= {name: name_of(row.fields.get(name)) for name in ("group", "part", "query")}
    return Example.model_construct(**(_EMPTY | named | fields))


@cache
def fields_of(*forms: str | None) -> tuple[str, ...]:
    """The names of the fields in these forms, each once."""
    return tuple(dict.fromkeys(re.findall(r"\{(\w+)\}", "".join(form or "" for form in forms))))


def sentence(words: Sequence[str], rng: random.Random, most: int = 24) -> str:
    """A text of 3 to `most` words."""
    return " ".join(rng.choice(words) for _ in range(rng.randint(3, most)))


def field(task: Task, row: Located, name: str) -> Any:
    """The value of a field. UsageError when it is missing."""
    if name not in row.fields:
        present = ", ".join(sorted(map(str, row.fields))) or "nothing"
        raise UsageError(f"{row.place}: field {name!r} is missing (task {task.name!r}); the row has {present}")
    return row.fields[name]


def text(task: Task, row: Located, name: str) -> str:
    """The value of a field that must be text. UsageError when it is none, or missing."""
    value = field(task, row, name)
    if not isinstance(value, str):
        raise UsageError(f"{row.place}: field {name!r} must be text, found {type(value).__name__}")
    return value


def blank(texts: dict[str, str], needed: Sequence[str]) -> str:
    """Which of the texts is empty, as a reason to leave the row out; "" when none is. A cloze may have empty fields."""
    return next((f"an empty {name!r}" for name in needed if name in texts and not texts[name].strip()), "")


def unknown_value(task: Task, row: Located, noun: str, value: str, known: Sequence[str]) -> UsageError:
    """The error for a label or tag that the task does not have."""
    shown = ", ".join(known[:40]) + (", …" if len(known) > 40 else "")
    if task.is_data:  # whose classes are those of train
        told = f"{noun} {value!r} stands in no row of train, so that nothing can learn it; train has {shown}"
        return UsageError(f"{row.place}: {told}")
    return UsageError(f"{row.place}: unknown {noun} {value!r} for task {task.name!r}; known: {shown}")
