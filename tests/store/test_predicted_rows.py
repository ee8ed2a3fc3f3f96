"""Predictions and scored texts of anybody's are read where they are what is written, and up to a bound."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UsageError
from bench.share.textless import without_texts
from bench.store import tables
from bench.store.examples import read_examples, write_examples
from bench.store.predictions import PredictionReader, column_types, read_columns, read_predictions, write_predictions
from bench.task import Task
from tests.report.conftest import table

LONG = "x" * 50_000
SETS = Task.model_validate({
    "name": "t", "kind": "classification", "source": {}, "classes": ("yes", "no"), "plain": "{text}",
    "metrics": ("accuracy", "accuracy@seen"),
})  # fmt: skip


def predictions(path: Path, **columns: list[Any]) -> bytes:
    write_predictions(path, table(["yes", "no"] * 2, ["yes"] * 4) | columns)
    return path.read_bytes()


def texts(path: Path, count: int, text: str) -> None:
    rows = {"id": list(map(str, range(count))), "fields": [[("text", text)]] * count}
    write_examples(path, rows | {"words": [[]] * count, "candidates": [[]] * count}, "t", "classification")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sets: list[Any] = ["seen", "seen", "new", None]
    read = read_predictions(predictions(tmp_path / "p", subset=sets, group=["a", "a", "b", "b"]))
    assert read == {
        "labels": [["yes"], ["no"]] * 2, "predicted": [["yes"]] * 4, "groups": ["a", "a", "b", "b"],
        "queries": [None] * 4, "subsets": sets,
    }  # fmt: skip
    assert "subsets" not in read_predictions(predictions(tmp_path / "q"))
    texts(tmp_path / "texts", 3, "here")
    assert read_examples(tmp_path / "texts", ["2", "7"]) == (
        {"2": {"id": "2", "fields": [("text", "here")], "words": [], "candidates": []}}, "classification",
    )  # fmt: skip


def test_what_cells_of_a_task_have_in_common_is_one_list(tmp_path: Path) -> None:
    reader = PredictionReader()
    first = reader.read(predictions(tmp_path / "p"))
    first["worked_out"]["what"] = 1
    other = reader.read(predictions(tmp_path / "q", predicted=[["no"]] * 4))
    assert other["predicted"] == [["no"]] * 4
    assert all(other[name] is first[name] for name in ("labels", "groups", "queries", "worked_out"))
    for changed in ({"label": [["no"]] * 4}, {"group": ["a"] * 4}, {"query": ["1"] * 4}, {"subset": ["seen"] * 4}):
        content = predictions(tmp_path / "r", **changed)
        read = reader.read(content)
        assert read.pop("worked_out") == {}
        assert read == read_predictions(content)
        reader.read(predictions(tmp_path / "p"))["worked_out"]["what"] = 1


def test_a_file_that_cannot_be_read_spoils_nothing_for_the_next(tmp_path: Path) -> None:
    reader, content = PredictionReader(), predictions(tmp_path / "p")
    known = reader.read(content)
    with pytest.raises(UsageError):
        reader.read(content[:-9])
    assert reader.read(content) == known


def nothing(_: pa.Table) -> pa.Table:
    return pa.table({})


ODD: dict[str, Callable[[pa.Table], pa.Table]] = {
    "no columns": nothing,
    "no rows": lambda rows: rows.slice(0, 0),
    "another type": lambda rows: rows.set_column(4, "predicted", pa.array(["yes"] * 4)),
    "a set that is a number": lambda rows: rows.append_column("subset", pa.array([1.5] * 4)),
    "nothing in a row": lambda rows: rows.set_column(4, "predicted", pa.array([None] * 4, column_types()["label"])),
    "nothing in a list": lambda rows: rows.set_column(4, "predicted", pa.array([[None]] * 4, column_types()["label"])),
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD)
def test_a_table_of_another_kind_is_refused(change: Callable[[pa.Table], pa.Table], tmp_path: Path) -> None:
    predictions(tmp_path / "p")
    pq.write_table(change(pq.read_table(tmp_path / "p")), tmp_path / "p")
    with pytest.raises(UsageError, match=r"^predictions\.parquet cannot be read$"):
        read_predictions((tmp_path / "p").read_bytes())


def test_one_value_for_thousands_of_rows_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 4 * tables.ROWS
    columns = {name: values * (count // 4) for name, values in table(["yes"] * 4, ["yes"] * 4).items()}
    content = predictions(tmp_path / "p", **(columns | {"id": [LONG] * count}))
    texts(tmp_path / "texts", count, LONG)
    assert max(len(content), (tmp_path / "texts").stat().st_size) < 150_000
    assert len(read_columns(content, ["id"])["id"]) == count  # 200 MiB: less than the least that is refused
    monkeypatch.setattr(tables, "LEAST_REFUSED", 100 << 20)
    with pytest.raises(UsageError):
        read_columns(content, ["id"])
    assert read_examples(tmp_path / "texts", ["0"]) == ({}, "")
    assert len(read_columns(content, ["label"])["label"]) == count


def test_what_goes_without_texts_keeps_the_sets_that_metrics_are_over(tmp_path: Path) -> None:
    predictions(tmp_path / "p", subset=["seen", "of Ann's", "of Ben's", None], group=["Ann", "Ann", "Ben", None])
    write = without_texts(tmp_path / "p", SETS)
    assert write is not None
    write(tmp_path / "q")
    read = read_columns((tmp_path / "q").read_bytes(), ["id", "group"], ["subset"])
    assert read == {
        "id": ["0", "1", "2", "3"], "group": ["0", "0", "1", None], "subset": ["seen", "1", "2", None],
    }  # fmt: skip
