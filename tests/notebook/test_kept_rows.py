"""Tables in memory become files that are named by what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bench.errors import UsageError
from bench.notebook.arguments import request_of
from bench.notebook.rows import kept, located

ROWS = [{"text": "one", "label": "a"}, {"text": "zwei, ü", "label": "b"}]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def data_set() -> Any:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])})
    return datasets.Dataset.from_list([{"text": "zwei, ü", "label": 1}, {"text": "one", "label": 0}], features)


@pytest.mark.parametrize(
    "data",
    [ROWS, pd.DataFrame(ROWS, index=[7, 3]), pd.DataFrame(ROWS).astype("category"), pa.Table.from_pylist(ROWS)],
    ids=["dicts", "frame", "categories", "arrow"],
)
def test_the_same_rows_are_the_same_file_whatever_holds_them(data: Any) -> None:
    assert read(kept(data)) == ROWS
    assert kept(data) == kept(ROWS)


def test_a_data_set_has_its_classes_by_name_and_its_rows_in_their_order() -> None:
    assert kept(data_set().select([1, 0])) == kept(ROWS)


def test_splits_lie_beside_one_another_by_name() -> None:
    train = kept({"train": ROWS, "test": pd.DataFrame(ROWS[:1])})
    assert train.name.endswith("-train.jsonl")
    assert read(train.with_name(train.name.replace("-train", "-test"))) == ROWS[:1]


def test_other_rows_are_another_file() -> None:
    assert kept(ROWS[:1]) != kept(ROWS)


def test_what_is_missing_is_null_and_numbers_are_plain() -> None:
    frame = pd.DataFrame({
        "n": [np.int64(1), None], "x": [0.5, np.nan], "words": [np.array(["a", "b"]), ["c"]], "day": [pd.NaT, None],
        "id": pd.array([1, None], dtype="Int64"),
    })  # fmt: skip
    assert read(kept(frame)) == [
        {"n": 1, "x": 0.5, "words": ["a", "b"], "day": None, "id": 1},
        {"n": None, "x": None, "words": ["c"], "day": None, "id": None},
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "data has no rows"),
        ({}, "data is an empty dict"),
        (pd.DataFrame(columns=["text"]), "data has no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns called 'a'"),
        (["a line"], "data is a list; it must be a path, a table"),
        (7, "data is a int; it must be a path, a table"),
        (pd.Series(["a"]), "data is a Series; it must be a path, a table"),
        (np.array(["a"]), "data is a ndarray; it must be a path, a table"),
    ],
)
def test_what_is_no_table_is_refused(data: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        kept(data)


def test_half_a_pair_of_surrogates_is_kept_as_a_file_can_hold_it() -> None:
    assert read(kept([{"text": "a\ud800b"}])) == [{"text": "a\ud800b"}]


@pytest.mark.parametrize(
    "data",
    [ROWS, iter(ROWS), pd.DataFrame(ROWS, index=[7, 3]), pa.Table.from_pylist(ROWS)],
    ids=["dicts", "one by one", "frame", "arrow"],
)
def test_rows_to_be_answered_are_numbered_and_plain(data: Any) -> None:
    found = list(located(data))
    assert [row.fields for row in found] == ROWS
    assert [row.place for row in found] == ["rows[0]", "rows[1]"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "data is a NoneType; it must be a path, a table"),
        ({"text": ["a", "b"]}, "data is a dict; it must be a path, a table"),
        (pd.Series(["a"]), "data is a Series"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns called 'a'"),
        ([*ROWS, "a line"], r"rows\[2\] is a str, where a dict of columns should be"),
        (iter([5]), r"rows\[0\] is a int, where a dict of columns should be"),
    ],
)
def test_what_is_no_row_is_refused(data: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(located(data))


def test_a_call_s_table_is_the_path_of_its_file() -> None:
    assert request_of({"data": ROWS}).data == kept(ROWS)
    assert request_of({"data": "somewhere"}).data == Path("somewhere")
