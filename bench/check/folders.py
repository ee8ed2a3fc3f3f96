"""Data folders: what a run would read of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.check.finding import Finding
from bench.data.examples import read_examples
from bench.data.places import has_files
from bench.errors import UsageError
from bench.task import Task


def data_folder(folder: Path | None, tasks: Iterable[Task]) -> Iterator[Finding]:
    """Of each task whose files are there, every split that a run may read: how many examples, what was mended."""
    for task in tasks:
        if not (task.source.local or task.is_data):
            continue
        if folder and not task.is_data and not has_files(task, "train", folder):
            yield Finding(f"data of {task.name}", str(folder), "skipped", "no file of its layout is there")
            continue
        for split in task.splits("holdout" if task.is_data else "paper"):
            try:
                with warnings.catch_warnings(record=True) as told:
                    warnings.simplefilter("always")
                    count = len(read_examples(task, split, folder).examples)
            except UsageError as error:
                yield Finding(f"data of {task.name}", split, "failed", str(error))
                continue
            notes = [str(warning.message).removeprefix(f"{task.name} {split}: ") for warning in told]
            note = "; ".join([f"{count} examples", *notes])
            yield Finding(f"data of {task.name}", split, "passed", note)
