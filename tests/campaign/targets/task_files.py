"""Task files, and folders that `save_to_disk` wrote: what says which files are read, and how."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bench.own.task_file import TaskFile
from tests.campaign.fuzzing import made, reading, samples, tomls
from tests.campaign.fuzzing.target import Case, Target

TASK = b"""name = "mails"
data = "data.csv"
text = "text"
label = "label"
classes = ["sales", "support", "legal"]
pattern = "{text} [P] it is [MASK] ."
words = {sales = "buy", support = "help", legal = "law"}
metrics = ["accuracy"]
share = 0.25
split_seed = 3
"""
SPLITS = b"""files = {train = "data.csv", dev = "more.csv"}
text = ["text"]
label = "label"
max_length = 32
"""
VALUES = (
    "data.csv", "data.conll", "articles.json", "more.csv", "text", "label", ["text"], "id", 0.2, 1, 12, 1e39, "dev",
    "test",
    "classification", "span", "tagging", "{text} [MASK]", "{text}", "{text} [P] [MASK] [P]", {"sales": "buy"}, True,
    {"train": "data.csv", "dev": "more.csv"}, {"train": "data.csv", "test": "none.csv"}, ["accuracy", "f1"], "mails",
)  # fmt: skip
STATES = ("dataset_dict.json", "train/state.json", "train/dataset_info.json", "train/data-00000-of-00001.arrow")
_SAVED: dict[str, Any] = {}


def _cases() -> SearchStrategy[Case]:
    return st.fixed_dictionaries({"text": tomls.of(TaskFile, VALUES, TASK, SPLITS)})


def _read(case: Case, folder: Path) -> None:
    more = samples.TABLE.replace(b"parcel", b"letter")
    files = {
        "data.csv": samples.TABLE,
        "more.csv": more,
        "data.conll": samples.ENTITIES,
        "articles.json": samples.ARTICLES,
    }
    reading.write({**files, "task.toml": case["text"]}, folder)
    reading.read_own(None, {}, tasks=("task.toml",))


def _saved() -> Path:
    if "folder" not in _SAVED:
        import datasets

        datasets.disable_progress_bars()
        folder = Path(tempfile.mkdtemp()) / "saved"
        rows = datasets.Dataset.from_list([{"text": row["text"], "label": row["team"]} for row in samples.ROWS])
        datasets.DatasetDict({"train": rows, "validation": rows.select(range(6))}).save_to_disk(str(folder))
        _SAVED["folder"] = folder
    return _SAVED["folder"]


def _folders() -> SearchStrategy[Case]:
    def changed(name: str) -> SearchStrategy[Case]:
        content = (_saved() / name).read_bytes()
        values = made.json_values().map(made.json_text)
        deep = st.sampled_from((1_100, 50_000)).map(lambda depth: made.nested(depth).encode())
        splits = made.json_values().map(lambda value: made.json_text({"splits": value}))
        contents = st.one_of(made.mutated(content), made.mutated(content), values, deep, splits)
        return st.fixed_dictionaries({"file": st.just(name), "content": contents})

    return st.one_of([changed(name) for name in STATES])


def _read_saved(case: Case, folder: Path) -> None:
    shutil.copytree(_saved(), folder / "saved")
    (folder / "saved" / case["file"]).write_bytes(case["content"])
    reading.read_own(folder / "saved", {})


def _prepare() -> None:
    reading.prepare()
    _saved()


TARGETS = (
    Target("task_files", _cases, _read, reading.prepare, share=1.5),
    Target("saved_folders", _folders, _read_saved, _prepare, share=0.5),
)
