"""Where a task's data lies, and what it is: files of a local folder in its authors' layout, or a commit of the hub.

What a plan asks of data; reading its rows is for bench.data.sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from glob import escape
from pathlib import Path, PurePosixPath

from bench.data.arrow import SAVED
from bench.errors import UsageError
from bench.task import Split, Task

TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")  # endings of files whose rows have named fields


def fingerprint(task: Task, data: Path | None, splits: Sequence[Split]) -> str:
    """A hash of what the source holds in these splits: file contents, generated rows, or the hub's commit.

    Of a user's own data also of what the declaration says that can change a number: it has no version to raise.
    """
    digest, data = hashlib.sha256(), folder_of(task, data)
    if task.is_data:
        digest.update(_declaration(task).encode())
    if task.source.generate is not None:
        for split in splits:
            digest.update(json.dumps(task.source.generate(split), sort_keys=True).encode())
    elif data is not None:
        for split, paths in _files(task, splits, data).items():
            digest.update(f"{split} {len(paths)}".encode())
            for path in paths:
                for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                    digest.update(_digest_of(file))  # of each, so that the same bytes divided elsewhere are other data
    else:
        digest.update(f"{task.source.hub}/{task.source.config}@{hub_revision(task)}".encode())
    return digest.hexdigest()[:16]


OF_NO_EFFECT = {"name", "source", "sizes", "licence", "citation", "obtain"}  # on a number
PLACES = {"files", "local", "hub", "config", "revision"}  # names alone; content, or the hub's commit, is hashed itself


def _declaration(task: Task) -> str:
    declared = task.model_dump(mode="json", exclude=OF_NO_EFFECT, exclude_defaults=True)
    declared["fields"] = {name: column for name, column in task.fields.items() if name != "idx"}
    source = task.source.model_dump(mode="json", exclude=PLACES, exclude_defaults=True)
    return json.dumps([declared, source], sort_keys=True)


def folder_of(task: Task, data: Path | None) -> Path | None:
    """The folder that a task's files lie in: none where the source is the hub alone, beside others that have files."""
    return None if task.is_data and not task.source.files else data


def _digest_of(file: Path) -> bytes:
    try:
        status = file.stat()
        return _digest(file, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error}") from None


@cache
def _digest(file: Path, size: int, written_ns: int) -> bytes:
    """Of a file's bytes; a plan that is made again does not read them again."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def check_source(task: Task, data: Path | None, splits: Sequence[Split]) -> None:
    """UsageError where data is not in the folder it should be in, or is on no hub; asks no hub."""
    if task.source.generate is not None:
        return
    data = folder_of(task, data)
    if data is not None:
        _files(task, splits, data)
    elif task.source.hub is None:
        raise UsageError(f"task {task.name!r} is not on the hub: give --data DIR. {task.obtain}".strip())


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
    if source.files:
        return {split: _exact(task, split, data) for split in splits}
    if not source.local:
        raise UsageError(f"task {task.name!r} has no local layout; leave out --data to load it from the hub")
    for split in splits:
        if not source.local_splits.get(split):
            raise UsageError(f"task {task.name!r} has no local {split} split, only {', '.join(source.local_splits)}")
    if not data.is_dir():
        problem = "a file, not a folder" if data.exists() else "no such folder"
        raise UsageError(f"--data {data}: {problem}; give the folder that holds {_example(task, splits[0])}")
    files = {split: _of_split(task, split, data) for split in splits}
    missing = [
        f"the {split} split of task {task.name!r} is missing: no {' nor '.join(_tried(task, split))}"
        for split, paths in files.items()
        if not paths
    ]
    if missing:
        raise UsageError(f"--data {data}: {'; '.join(missing)}. {task.obtain}".strip())
    return files


def _exact(task: Task, split: Split, data: Path) -> list[Path]:
    """A split's own files. UsageError where one is gone."""
    paths = [data / name for name in task.source.files.get(split, ())]
    gone = [path for path in paths if not path.exists()]
    if gone or not paths:
        raise UsageError(f"task {task.name!r}: {f'{gone[0]} is gone' if gone else f'it has no {split} split'}")
    return paths


def _of_split(task: Task, split: Split, data: Path) -> list[Path]:
    """What lies where the first pattern says, with the first of the split's names that is there; else the next.

    Where no pattern finds anything, the same places are looked at for the other forms that rows may have.
    """
    names = task.source.local_splits[split]
    for place in task.source.local:
        for name in names:
            paths = sorted(path for path in data.glob(place.format(split=name)) if path.is_file())
            if paths:
                return paths
    for pattern in map(PurePosixPath, task.source.local):
        stem = pattern.with_suffix("") if pattern.suffix == ".gz" else pattern
        if stem.suffix in (*TABLES, ".txt") and "*" not in str(pattern):
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
    check_source(task, None, ())
    assert source.hub is not None
    hint = offline_hint(task)
    return resolve(source.hub, source.revision, kind="dataset", offline_hint=hint, config=source.config)


def offline_hint(task: Task) -> str:
    """What to do where the hub cannot be reached."""
    folder = f" (a folder with {_example(task, 'train')})" if task.source.local else ""
    return f"To run offline: --data DIR{folder}, or the embedded suite: bench run --suite smoke"
