"""Rows become Examples, each kind in its way; what does not fit is an error with the row's place."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from bench.data.sources import Located, load, local_file
from bench.errors import UsageError
from bench.spec import Example, Split, Task


def examples(task: Task, split: Split, data: Path | None) -> list[Example]:
    """All examples of a split, in the source's order. Warns when the official split has another size."""
    read = _READERS[task.kind]
    found = [read(task, row, index) for index, row in enumerate(load(task, split, data))]
    if not found:
        place = local_file(task, split, data) if data and not task.source.generate else f"the {split} split"
        raise UsageError(f"task {task.name!r}: {place} has no rows")
    declared = task.sizes.get(split)
    if declared is not None and declared != len(found):
        warnings.warn(
            f"{task.name} {split}: {len(found)} rows, the official split has {declared}; "
            "scores are not comparable with published ones",
            stacklevel=2,
        )
    return found


def _classification(task: Task, row: Located, index: int) -> Example:
    texts = {name: _text(task, row, name) for name in task.texts}
    label = _class_index(task, row, _field(task, row, task.label))
    return Example(id=_row_id(row, index), texts=texts, labels=(label,))


def _tagging(task: Task, row: Located, index: int) -> Example:
    words = _field(task, row, task.texts[0])
    tags = _field(task, row, task.label)
    if not isinstance(words, list) or not isinstance(tags, list) or not words:
        raise UsageError(f"{row.place}: {task.texts[0]!r} and {task.label!r} must be non-empty lists")
    if len(words) != len(tags):
        raise UsageError(f"{row.place}: {len(words)} words but {len(tags)} tags")
    labels = tuple(_class_index(task, row, tag) for tag in tags)
    return Example(id=_row_id(row, index), words=tuple(map(str, words)), labels=labels)


_READERS = {"classification": _classification, "tagging": _tagging}


def _field(task: Task, row: Located, name: str) -> Any:
    if name not in row.fields:
        found = ", ".join(sorted(row.fields)) or "nothing"
        raise UsageError(f"{row.place}: field {name!r} is missing (task {task.name!r}); the row has {found}")
    return row.fields[name]


def _text(task: Task, row: Located, name: str) -> str:
    value = _field(task, row, name)
    if not isinstance(value, str):
        raise UsageError(f"{row.place}: field {name!r} must be text, found {type(value).__name__}")
    return value


def _class_index(task: Task, row: Located, value: object) -> int:
    """Classes compare without case: JSON's `true` and the hub's "True" are one label."""
    text = str(value)
    for index, name in enumerate(task.classes):
        if text == name or text.casefold() == name.casefold():
            return index
    raise UsageError(f"{row.place}: unknown label {text!r} for task {task.name!r}; known: {', '.join(task.classes)}")


def _row_id(row: Located, index: int) -> str:
    return str(row.fields.get("idx", index))
