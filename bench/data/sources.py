"""Rows of a task from where its source says: a local folder in its authors' layout, the hub, or a generator.

A row is a dict of fields; beside it goes the place it came from, so that an error can name file and line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.spec import Split, Task


@dataclass(frozen=True, slots=True)
class Located:
    """A raw row and where it stands: `file:line`, `repo/config split[row]` or `generated split[row]`."""

    place: str
    fields: dict[str, Any]


def load(task: Task, split: Split, data: Path | None) -> list[Located]:
    """All rows of a split. UsageError when the source is missing, unreadable, malformed or out of reach."""
    if task.source.generate is not None:
        rows = task.source.generate(split)
        return [Located(f"generated {task.name} {split}[{index}]", row) for index, row in enumerate(rows)]
    if data is not None:
        return list(_read_json_lines(local_file(task, split, data)))
    return _load_hub(task, split)


def fingerprint(task: Task, data: Path | None) -> str:
    """A hash of what the source holds: file contents, generated rows, or the hub's commit."""
    digest = hashlib.sha256()
    splits: tuple[Split, ...] = ("train", "dev")
    if task.source.generate is not None:
        for split in splits:
            digest.update(json.dumps(task.source.generate(split), sort_keys=True).encode())
    elif data is not None:
        for split in splits:
            with _opened(local_file(task, split, data)) as path:
                digest.update(path.read_bytes())
    else:
        digest.update(f"{task.source.hub}/{task.source.config}@{hub_revision(task)}".encode())
    return digest.hexdigest()[:16]


def local_file(task: Task, split: Split, data: Path) -> Path:
    """Where a split lies under a local data folder; UsageError when the folder or file is not there."""
    source = task.source
    if source.local is None:
        raise UsageError(f"task {task.name!r} has no local layout; leave out --data to load it from the hub")
    if not data.is_dir():
        found = "a file, not a folder" if data.exists() else "no such folder"
        raise UsageError(f"--data {data}: {found}; give the folder that holds {source.local.split('/')[0]}/")
    path = data / source.local.format(split=source.local_splits[split])
    if not path.is_file():
        missing = path.relative_to(data)
        raise UsageError(f"--data {data}: {missing} is missing (task {task.name!r}). {task.obtain}".strip())
    return path


def _read_json_lines(path: Path) -> Iterator[Located]:
    with _opened(path), path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            place = f"{path}:{number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{place}: not valid JSON ({error})") from None
            if not isinstance(row, dict):
                raise UsageError(f"{place}: expected a JSON object, found {type(row).__name__}")
            yield Located(place, row)


class _opened:
    """Turn trouble while reading a file into a UsageError that names it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, UnicodeDecodeError)):
            raise UsageError(f"cannot read {self.path}: {error}") from error


def hub_revision(task: Task) -> str:
    """The commit the hub (or, when it cannot be reached, the local cache) has for a task's data set."""
    from bench.data.hub import resolve

    source = task.source
    if source.hub is None:
        raise UsageError(f"task {task.name!r} is not on the hub: give --data DIR. {task.obtain}".strip())
    return resolve(source.hub, source.revision, kind="dataset", offline_hint=_offline_hint(task))


def _load_hub(task: Task, split: Split) -> list[Located]:
    import datasets

    source = task.source
    revision = hub_revision(task)
    datasets.disable_progress_bars()
    try:
        table = datasets.load_dataset(source.hub, source.config, split=source.hub_splits[split], revision=revision)
    except Exception as error:  # the library raises a dozen kinds, of several packages, for one cause: out of reach
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"cannot load {source.hub} ({source.config}): {reason}. {_offline_hint(task)}") from error
    classes = {name: kind.names for name, kind in table.features.items() if isinstance(kind, datasets.ClassLabel)}
    rows = []
    for index, row in enumerate(table):
        fields = {name: _class_name(classes[name], value) if name in classes else value for name, value in row.items()}
        rows.append(Located(f"{source.hub}/{source.config} {split}[{index}]", fields))
    return rows


def _class_name(names: list[str], value: Any) -> Any:
    """The name of a class number; -1, the hub's mark of a hidden label, stays for the reader to refuse."""
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def _offline_hint(task: Task) -> str:
    folder = f" (a folder with {task.source.local.format(split='train')})" if task.source.local else ""
    return f"To run offline: --data DIR{folder}, or the embedded suite: bench run --suite smoke"
