"""Data folders of the suites' own tasks, in their official layout with a file that is not what it was: read as a run
reads it, and as `bench predict` reads rows that nobody has answered.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.task import Task
from tests.campaign.fuzzing import made, reading
from tests.campaign.fuzzing.target import Broken, Case, Target

ROW_EACH = ("boolq", "cb", "rte", "copa", "wic", "wsc")  # of whose files each line is an example


@dataclass(frozen=True)
class _File:
    task: str
    name: str  # below the data folder
    content: bytes


_FOLDERS: dict[str, Path] = {}  # by task its data, whole
_FILES: list[_File] = []


def _prepare() -> None:
    from bench.registry import suites
    from tests.suites.layouts import LAYOUTS

    reading.prepare()
    if _FOLDERS:
        return
    here = Path(tempfile.mkdtemp(prefix="tuning-bench-fuzz-"))
    known = {task.name for suite in suites().values() for task in suite.tasks}
    for name in sorted(known & LAYOUTS.keys()):
        _FOLDERS[name] = here / name
        LAYOUTS[name](here / name)
        files = sorted(path for path in (here / name).rglob("*") if path.is_file())
        _FILES.extend(_File(name, str(path.relative_to(here / name)), path.read_bytes()) for path in files)


def _cases() -> SearchStrategy[Case]:
    def damaged(number: int) -> SearchStrategy[Case]:
        content = made.mutated(_FILES[number].content)
        return st.fixed_dictionaries({"file": st.just(number), "content": content, "answered": st.booleans()})

    return st.integers(0, len(_FILES) - 1).flatmap(damaged)


def _read(case: Case, folder: Path) -> None:
    from bench.data.examples import read_examples
    from bench.registry import suites

    file = _FILES[case["file"]]
    task = next(task for suite in suites().values() for task in suite.tasks if task.name == file.task)
    data = folder / "data"
    shutil.copytree(_FOLDERS[file.task], data)
    (data / file.name).write_bytes(case["content"])
    if not case["answered"]:
        _ask(task, data / file.name)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splits = {split: read_examples(task, split, data) for split in ("train", task.scored)}
    rows = reading.rows_of_json(case["content"]) if file.name.endswith(".jsonl") else None
    split = "train" if "train" in file.name else task.scored
    if file.task in ROW_EACH and rows is not None:
        read = splits[split]
        found = len(read.examples) + sum(read.left_out.values()) + sum(read.no_example.values())
        if found != rows:
            raise Broken(f"rows are lost in reading: {rows} rows in the file, {found} read")


def _ask(task: Task, path: Path) -> None:
    from bench.data.files import read
    from bench.data.unanswered import Questions

    rows = [*read(path, task.source.columns, task.source.broken_lines)]
    asked = [*Questions(task, answered=False).read(rows)]
    whole = reading.rows_of_json(path.read_bytes()) if task.name in ROW_EACH else None
    if whole is not None and len(asked) != whole:
        raise Broken(f"rows are lost in asking: {whole} rows in the file, {len(asked)} asked")


TARGETS = (Target("suite_data", _cases, _read, _prepare, share=1.5),)
