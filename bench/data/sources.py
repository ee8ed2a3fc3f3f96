"""Rows of a task from where its source says: a local folder in its authors' layout, the hub, or a generator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from glob import escape
from pathlib import Path, PurePosixPath
from typing import Any

from bench.data.arrow import SAVED, prepared_rows, table_rows
from bench.data.files import Located, read
from bench.errors import UsageError
from bench.task import Split, Task

TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")  # endings of files whose rows have named fields


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
        for split, paths in _files(task, splits, data).items():
            digest.update(f"{split} {len(paths)}".encode())
            for path in paths:
                for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                    try:  # a digest of each, so that the same bytes divided elsewhere are other data
                        digest.update(hashlib.sha256(file.read_bytes()).digest())
                    except OSError as error:
                        raise UsageError(f"cannot read {file}: {error}") from None
    else:
        digest.update(f"{task.source.hub}/{task.source.config}@{hub_revision(task)}".encode())
    return digest.hexdigest()[:16]


def local_files(task: Task, split: Split, data: Path) -> list[Path]:
    """Where a split lies under a local data folder: one file, or all that a pattern finds, in the order of names; a
    folder where `save_to_disk` wrote it.

    UsageError when the folder or the split is not there.
    """
    return _files(task, [split], data)[split]


def has_files(task: Task, split: Split, data: Path) -> bool:
    """Whether a split of the task lies under a local data folder."""
    try:
        return bool(local_files(task, split, data))
    except UsageError:
        return False


def _files(task: Task, splits: Sequence[Split], data: Path) -> dict[Split, list[Path]]:
    """The files of each split. UsageError names every split that the folder lacks, and what was looked for."""
    source = task.source
    if not source.local:
        raise UsageError(f"task {task.name!r} has no local layout; leave out --data to load it from the hub")
    for split in splits:
        if not source.local_splits.get(split):
            raise UsageError(f"task {task.name!r} has no local {split} split, only {', '.join(source.local_splits)}")
    if not data.is_dir():
        what = "a file, not a folder" if data.exists() else "no such folder"
        raise UsageError(f"--data {data}: {what}; give the folder that holds {_example(task, splits[0])}")
    found = {split: _found(task, split, data) for split in splits}
    missing = [
        f"the {split} split of task {task.name!r} is missing: no {' nor '.join(_tried(task, split))}"
        for split, paths in found.items()
        if not paths
    ]
    if missing:
        raise UsageError(f"--data {data}: {'; '.join(missing)}. {task.obtain}".strip())
    return found


def _found(task: Task, split: Split, data: Path) -> list[Path]:
    """What lies where the first pattern says, with the first of the split's names that is there; else the next.

    Where no pattern finds anything, the same places are looked at for the other forms that rows may have.
    """
    names = task.source.local_splits[split]
    for place in task.source.local:
        for name in names:
            paths = sorted(path for path in data.glob(place.format(split=name)) if path.is_file())
            if paths:
                return paths
    for each in map(PurePosixPath, task.source.local):
        stem = each.with_suffix("") if each.suffix == ".gz" else each
        if stem.suffix in (*TABLES, ".txt") and "*" not in str(each):
            for name in dict.fromkeys((*names, task.source.hub_splits.get(split, split))):
                paths = _in_another_form(data / str(stem.with_suffix("")).format(split=name))
                if paths:
                    return paths
    return []


def _in_another_form(stem: Path) -> list[Path]:
    """A file of that name with another ending, a folder that was saved, or the parts of a table as the hub has them."""
    forms = [stem.with_name(stem.name + ending + packed) for packed in ("", ".gz") for ending in TABLES]
    for path in forms:
        if path.is_file():
            return [path]
    if (stem / SAVED).is_file():
        return [stem]
    return sorted(stem.parent.glob(f"{escape(stem.name)}-[0-9]*-of-[0-9]*.parquet"))


def _tried(task: Task, split: Split) -> list[str]:
    """The patterns of a split, its names in one place: `RTE/(val|dev).jsonl`."""
    names = task.source.local_splits[split]
    shown = names[0] if len(names) == 1 else f"({'|'.join(names)})"
    return [place.replace("{split}", shown) for place in task.source.local]


def _example(task: Task, split: Split) -> str:
    return task.source.local[0].format(split=task.source.local_splits.get(split, (split,))[0])


def hub_revision(task: Task) -> str:
    """The commit the hub (or, when it cannot be reached, the local cache) has for a task's data set."""
    from bench.data.hub import resolve

    source = task.source
    if source.hub is None:
        raise UsageError(f"task {task.name!r} is not on the hub: give --data DIR. {task.obtain}".strip())
    hint = _offline_hint(task)
    return resolve(source.hub, source.revision, kind="dataset", offline_hint=hint, config=source.config)


def _load_hub(task: Task, split: Split) -> list[Located]:
    """The rows of a split of the hub's data set: of the commit that is meant, never of another in the cache."""
    source, revision = task.source, hub_revision(task)
    if split not in source.hub_splits:
        raise UsageError(f"task {task.name!r} has no {split} split on the hub, only {', '.join(source.hub_splits)}")
    place = f"{source.hub}/{source.config} {split}"
    return [
        Located(f"{place}[{at}]", row) for at, row in enumerate(_hub_rows(task, source.hub_splits[split], revision))
    ]


def _hub_rows(task: Task, split: str, revision: str) -> Iterable[dict[str, Any]]:
    """Rows as the cache has them of this commit, else fetched."""
    import datasets

    from bench.data.hub import prepared

    source = task.source
    assert source.hub is not None
    folder = prepared(source.hub, revision, source.config)
    kept = prepared_rows(folder, split) if folder else None
    if kept is not None:
        return kept
    datasets.disable_progress_bars()
    try:
        table = datasets.load_dataset(source.hub, source.config, split=split, revision=revision)
    except Exception as error:  # the library raises a dozen kinds, of several packages, for one cause: out of reach
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"cannot load {source.hub} ({source.config}): {reason}. {_offline_hint(task)}") from error
    made_of = {Path(each["filename"]).parent.name for each in table.cache_files}
    if made_of - {revision}:  # when the hub breaks off, the library takes the newest it has
        found = ", ".join(sorted(made_of))
        raise UsageError(f"{source.hub} ({source.config}) came as {found}, not as {revision}. {_offline_hint(task)}")
    return table_rows(table)


def _offline_hint(task: Task) -> str:
    folder = f" (a folder with {_example(task, 'train')})" if task.source.local else ""
    return f"To run offline: --data DIR{folder}, or the embedded suite: bench run --suite smoke"
