"""Parquet files and saved data sets in the place of the layout's own files give the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from bench.data.arrow import parquet_rows, table_rows
from bench.data.examples import read_examples
from bench.data.places import fingerprint, local_files
from bench.data.sources import load
from bench.errors import UsageError
from bench.task import Example, Source, Task

datasets.disable_progress_bars()
TASK = Task(
    name="pairs", kind="classification", plain="{premise}[SEP]{hypothesis}", classes=("yes", "no"),
    source=Source(local=("P/{split}.jsonl", "Q/pairs-{split}.json.gz"), hub_splits={"dev": "validation"}),
    metrics=("accuracy",),
)  # fmt: skip
ROWS = [{"premise": f"p{at}", "hypothesis": "h", "label": ("yes", "no")[at % 2], "idx": at} for at in range(5)]
NUMBERED = datasets.Features(
    {name: datasets.Value("string") for name in ("premise", "hypothesis")}
    | {"label": datasets.ClassLabel(names=["no", "yes"]), "idx": datasets.Value("int32")}
)
WANTED = [
    Example(id=str(at), texts={"premise": f"p{at}", "hypothesis": "h"}, labels=(at % 2,)) for at in range(len(ROWS))
]


def numbered() -> datasets.Dataset:
    """The rows as the hub has them, with numbers for classes."""
    return datasets.Dataset.from_list(ROWS, features=NUMBERED)


def in_parts(path: Path) -> None:
    for at, part in enumerate((ROWS[:2], ROWS[2:])):
        datasets.Dataset.from_list(part).to_parquet(path.with_name(f"{path.name}-0000{at}-of-00002.parquet"))


# how the rows are written, and where: {} is the split's name in the layout
WRITTEN: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "parquet": ("P/{}.parquet", lambda path: parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)),
    "parquet with class numbers": ("P/{}.parquet", lambda path: numbered().to_parquet(path)),
    "parquet from pandas": ("P/{}.parquet", lambda path: pandas.DataFrame(ROWS).to_parquet(path)),
    "parquet of categories": (
        "P/{}.parquet", lambda path: pandas.DataFrame(ROWS).astype({"label": "category"}).to_parquet(path),
    ),
    "parquet called .jsonl": ("P/{}.jsonl", lambda path: numbered().to_parquet(path)),
    "parquet in parts": ("P/{}", in_parts),
    "CSV from pandas": ("P/{}.csv", lambda path: pandas.DataFrame(ROWS).to_csv(path)),
    "JSON from pandas": ("P/{}.json", lambda path: pandas.DataFrame(ROWS).to_json(path)),
    "JSON lines from pandas": (
        "P/{}.json", lambda path: pandas.DataFrame(ROWS).to_json(path, orient="records", lines=True),
    ),
    "packed JSON lines": (
        "P/{}.jsonl.gz", lambda path: pandas.DataFrame(ROWS).to_json(path, orient="records", lines=True),
    ),
    "in the second place": ("Q/pairs-{}.csv", lambda path: pandas.DataFrame(ROWS).to_csv(path, index=False)),
    "saved": ("P/{}", lambda path: numbered().save_to_disk(str(path))),
}  # fmt: skip


@pytest.mark.parametrize(("place", "write"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize(("split", "name"), [("train", "train"), ("dev", "val"), ("dev", "validation")])
def test_the_same_rows_come_out_whatever_form_they_have(
    tmp_path: Path, place: str, write: Callable[[Path], Any], split: Any, name: str
) -> None:
    if name == "validation" and place.endswith(".jsonl"):
        return  # the hub's name of a split is looked for in other forms than the layout's own
    path = tmp_path / place.format(name)
    path.parent.mkdir()
    write(path)
    assert read_examples(TASK, split, tmp_path).examples == WANTED


def test_a_dictionary_of_splits_is_read_split_by_split(tmp_path: Path) -> None:
    both = datasets.DatasetDict({"train": numbered(), "validation": numbered().select([0])})
    both.save_to_disk(str(tmp_path / "P"))
    assert local_files(TASK, "dev", tmp_path) == [tmp_path / "P/validation"]
    assert [len(read_examples(TASK, split, tmp_path).examples) for split in ("train", "dev")] == [5, 1]
    assert load(TASK, "train", tmp_path)[3].place == f"{tmp_path / 'P/train'}[3]"


def test_the_layout_s_own_file_goes_before_another_form(tmp_path: Path) -> None:
    (tmp_path / "P").mkdir()
    pandas.DataFrame(ROWS).to_csv(tmp_path / "P/train.csv")
    (tmp_path / "P/train.jsonl").write_text(json.dumps(ROWS[0]))
    assert read_examples(TASK, "train", tmp_path).examples == WANTED[:1]


def test_the_fingerprint_of_a_saved_data_set_follows_its_content(tmp_path: Path) -> None:
    numbered().save_to_disk(str(tmp_path / "a/P/train"))
    before = fingerprint(TASK, tmp_path / "a", ("train",))
    (tmp_path / "a").rename(tmp_path / "b")
    assert fingerprint(TASK, tmp_path / "b", ("train",)) == before
    numbered().select(range(4)).save_to_disk(str(tmp_path / "c/P/train"))
    assert fingerprint(TASK, tmp_path / "c", ("train",)) != before


def test_null_cells_are_named_and_nested_ones_read(tmp_path: Path) -> None:
    (tmp_path / "P").mkdir()
    parquet.write_table(pyarrow.Table.from_pylist([*ROWS, {**ROWS[0], "premise": None}]), tmp_path / "P/train.parquet")
    with pytest.raises(UsageError) as error:
        read_examples(TASK, "train", tmp_path)
    assert str(error.value) == f"{tmp_path / 'P/train.parquet'}[5]: field 'premise' must be text, found NoneType"


def test_numbers_that_became_floats_are_whole_numbers_again(tmp_path: Path) -> None:
    """A column of whole numbers with a gap is one of floats in pandas."""
    (tmp_path / "P").mkdir()
    task = TASK.model_copy(update={"classes": ("1", "0")})
    rows = [{**row, "label": at % 2, "idx": None if at == 1 else at} for at, row in enumerate(ROWS)]
    pandas.DataFrame(rows).astype({"label": float}).to_parquet(tmp_path / "P/train.parquet")
    found = read_examples(task, "train", tmp_path).examples
    assert [(example.id, example.labels) for example in found] == [(str(at), (1 - at % 2,)) for at in range(5)]


SPOILED: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "a cut parquet file": (
        "P/train.parquet", lambda path: path.write_bytes(b"PAR1 and no more"), "cannot read {}: as parquet: ",
    ),
    "no parquet file": (
        "P/train.parquet", lambda path: path.write_text("a,b\n1,2"), "cannot read {}: it is no parquet file, nor JSON",
    ),
    "a saved data set without its table": (
        "P/train",
        lambda path: (numbered().save_to_disk(str(path)), next(path.glob("*.arrow")).unlink()),
        "cannot read {} as a saved data set: ",
    ),
    "a saved data set without its description": (
        "P/train",
        lambda path: (numbered().save_to_disk(str(path)), (path / "state.json").write_text("{")),
        "cannot read {} as a saved data set: ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("place", "write", "message"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_table_is_named(tmp_path: Path, place: str, write: Callable[[Path], Any], message: str) -> None:
    path = tmp_path / place
    path.parent.mkdir()
    write(path)
    with pytest.raises(UsageError) as error:
        read_examples(TASK, "train", tmp_path)
    assert str(error.value).startswith(message.replace(": as", " as").format(path))


def test_class_numbers_have_their_names_at_any_depth(tmp_path: Path) -> None:
    """As in the hub's documents of sentences of tags; a hidden label stays what it is."""
    tags = datasets.List(datasets.ClassLabel(names=["O", "B-PER"]))
    text = datasets.Value("string")
    sentences = datasets.List({"words": datasets.List(text), "tags": tags})
    features = datasets.Features({"name": text, "sentences": sentences})
    rows = [{"name": "a", "sentences": [{"words": ["x", "y"], "tags": [1, 0]}, {"words": ["z"], "tags": [-1]}]}]
    table = datasets.Dataset.from_list(rows, features=features)
    table.to_parquet(tmp_path / "t.parquet")
    named = [{"words": ["x", "y"], "tags": ["B-PER", "O"]}, {"words": ["z"], "tags": [-1]}]
    for read in (parquet_rows(tmp_path / "t.parquet"), table_rows(table)):
        assert list(read) == [{"name": "a", "sentences": named}]
