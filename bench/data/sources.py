"""Rows of a task from where its source says: a local folder in its authors' layout, the hub, or a generator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.data.arrow import prepared_rows, table_rows
from bench.data.files import read
from bench.data.located import Located
from bench.data.places import folder_of, hub_revision, local_files, offline_hint
from bench.data.sampling import drawn
from bench.data.values import label_text
from bench.errors import UsageError
from bench.task import Split, Task


def load(task: Task, split: Split, data: Path | None) -> list[Located]:
    """All rows of a split. UsageError when the source is missing, unreadable, malformed or out of reach.

    Of a user's own files those alone that their column of splits gives to it; where a `division` does that, all rows.
    """
    if task.source.generate is not None:
        rows = task.source.generate(split)
        return [Located(f"generated {task.name} {split}[{index}]", row) for index, row in enumerate(rows)]
    if task.is_data:
        own, _ = own_rows(task, split, data)
        return [row for row in own if split_of(task, row.fields) == split] if task.source.split_column else own
    if data is not None:
        return [row for path in local_files(task, split, data) for row in read(path)]
    return list(_hub_located(task, split))


def own_rows(task: Task, split: Split, data: Path | None) -> tuple[list[Located], int]:
    """The rows of the files (or of the hub's split) that a split of a user's own data is in, at most `most_rows` of
    them, and how many there are.
    """
    folder, most = folder_of(task, data), task.source.most_rows
    if folder is None:
        return drawn(_hub_located(task, split), most)
    return _read_once(tuple(local_files(task, split, folder)), file_stamps(task, data, split), most)


def file_stamps(task: Task, data: Path | None, split: Split = "train") -> tuple[object, ...]:
    """What changes when a file of a split does; nothing for the hub, whose commit is in the task."""
    folder = folder_of(task, data)
    paths = local_files(task, split, folder) if folder is not None else []
    stamps = ((path, path.stat()) for path in paths)
    return tuple((str(path), status.st_size, status.st_mtime_ns) for path, status in stamps)


@lru_cache(maxsize=2)
def _read_once(paths: tuple[Path, ...], stamps: tuple[object, ...], most: int | None) -> tuple[list[Located], int]:
    """Two splits are often of one file, which is looked at before it is read."""
    return drawn((row for path in paths for row in read(path)), most)


def split_of(task: Task, fields: Mapping[str, Any]) -> Split | None:
    """The split that a row's column says it is of; None for a value that means none."""
    value = label_text(fields.get(task.source.split_column)).casefold()
    splits: tuple[Split, ...] = ("train", "dev", "test")
    return next((split for split in splits if value in task.source.local_splits.get(split, ())), None)


def _hub_located(task: Task, split: Split) -> Iterator[Located]:
    """The rows of a split of the hub's data set: of the commit that is meant, never of another in the cache."""
    source, revision = task.source, hub_revision(task)
    if split not in source.hub_splits:
        raise UsageError(f"task {task.name!r} has no {split} split on the hub, only {', '.join(source.hub_splits)}")
    place = f"{source.hub}/{source.config} {split}"
    for at, row in enumerate(_hub_rows(task, source.hub_splits[split], revision)):
        yield Located(f"{place}[{at}]", row)


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
        raise UsageError(f"cannot load {source.hub} ({source.config}): {reason}. {offline_hint(task)}") from error
    commits = {Path(file["filename"]).parent.name for file in table.cache_files}
    if commits - {revision}:  # when the hub breaks off, the library takes the newest it has
        names = ", ".join(sorted(commits))
        raise UsageError(f"{source.hub} ({source.config}) came as {names}, not as {revision}. {offline_hint(task)}")
    return table_rows(table)
