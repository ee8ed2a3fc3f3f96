"""Rows of a task from where its source says: a local folder in its authors' layout, the hub, or a generator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.data.files import Located, read
from bench.errors import UsageError
from bench.spec import Split, Task


def load(task: Task, split: Split, data: Path | None) -> list[Located]:
    """All rows of a split. UsageError when the source is missing, unreadable, malformed or out of reach."""
    if task.source.generate is not None:
        rows = task.source.generate(split)
        return [Located(f"generated {task.name} {split}[{index}]", row) for index, row in enumerate(rows)]
    if data is not None:
        return [row for path in local_files(task, split, data) for row in read(path)]
    return _load_hub(task, split)


def fingerprint(task: Task, data: Path | None, splits: Sequence[Split]) -> str:
    """A hash of what the source holds in these splits: file contents, generated rows, or the hub's commit."""
    digest = hashlib.sha256()
    if task.source.generate is not None:
        for split in splits:
            digest.update(json.dumps(task.source.generate(split), sort_keys=True).encode())
    elif data is not None:
        for split in splits:
            for path in local_files(task, split, data):
                try:
                    digest.update(path.read_bytes())
                except OSError as error:
                    raise UsageError(f"cannot read {path}: {error}") from None
    else:
        digest.update(f"{task.source.hub}/{task.source.config}@{hub_revision(task)}".encode())
    return digest.hexdigest()[:16]


def local_files(task: Task, split: Split, data: Path) -> list[Path]:
    """Where a split lies under a local data folder: one file, or all that a pattern finds, in the order of names.

    UsageError when the folder or the split is not there.
    """
    places = task.source.local
    if not places:
        raise UsageError(f"task {task.name!r} has no local layout; leave out --data to load it from the hub")
    if not data.is_dir():
        found = "a file, not a folder" if data.exists() else "no such folder"
        raise UsageError(f"--data {data}: {found}; give the folder that holds {_example(task, split)}")
    for place in places:
        for name in task.source.local_splits[split]:
            paths = sorted(path for path in data.glob(place.format(split=name)) if path.is_file())
            if paths:
                return paths
    names = task.source.local_splits[split]
    tried = [place.replace("{split}", names[0] if len(names) == 1 else f"({'|'.join(names)})") for place in places]
    missing = " nor ".join(tried)
    raise UsageError(f"--data {data}: the {split} split of task {task.name!r} is missing: no {missing}. {task.obtain}")


def _example(task: Task, split: Split) -> str:
    return task.source.local[0].format(split=task.source.local_splits[split][0])


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
    classes = {name: _class_names(kind) for name, kind in table.features.items()}
    rows = []
    for index, row in enumerate(table):
        fields = {name: _named(classes[name], value) if classes[name] else value for name, value in row.items()}
        rows.append(Located(f"{source.hub}/{source.config} {split}[{index}]", fields))
    return rows


def _class_names(kind: Any) -> list[str]:
    """The names of a column's class numbers, alone or in a list; empty for other columns."""
    names = getattr(getattr(kind, "feature", kind), "names", None)
    return list(names) if isinstance(names, list | tuple) else []


def _named(names: list[str], value: Any) -> Any:
    """The name of a class number; -1, the hub's mark of a hidden label, stays for the reader to refuse."""
    if isinstance(value, list):
        return [_named(names, each) for each in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def _offline_hint(task: Task) -> str:
    folder = f" (a folder with {_example(task, 'train')})" if task.source.local else ""
    return f"To run offline: --data DIR{folder}, or the embedded suite: bench run --suite smoke"
