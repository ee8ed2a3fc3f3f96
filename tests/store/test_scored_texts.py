"""Scored texts are kept once for all cells that share them, whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench.data.display import example_table
from bench.errors import DiskError
from bench.kind import find_kind
from bench.store.examples import examples_key, write_examples
from bench.store.store import Store
from bench.task import Answer, Example, Task
from tests.store.test_store import make_cell

Bench = Callable[..., tuple[int, str, str]]


def task(kind: str, **fields: Any) -> Task:
    metrics = find_kind(kind).metric_names[:1]
    return Task.model_validate({"name": "t", "kind": kind, "source": {}, "metrics": metrics, **fields})


def row(made: Task, example: Example) -> dict[str, Any]:
    return {name: values[0] for name, values in example_table(made, [example]).items()}


def test_texts_come_in_the_order_of_the_form_and_are_cut() -> None:
    made = task("classification", plain="{premise}[SEP]{claim}", classes=("a", "b"))
    texts = {"noun": "only in the cloze", "claim": "x" * 2001, "premise": "y"}
    fields = row(made, Example(id="1", texts=texts, labels=(0,)))["fields"]
    assert fields == [("premise", "y"), ("claim", "x" * 1999 + "…"), ("noun", "only in the cloze")]


def test_a_context_is_kept_around_its_answer() -> None:
    context = "a" * 5000 + "ANSWER" + "b" * 5000
    example = Example(
        id="1", texts={"context": context, "question": "q"}, answers=(Answer(text="ANSWER", start=5000),), labels=(1,)
    )
    (question, (name, text)) = row(task("span"), example)["fields"]
    assert (question, name, len(text)) == (("question", "q"), "context", 2002)
    assert text[0] == text[-1] == "…"
    assert 900 < text.index("ANSWER") < 1100


def test_words_and_candidates_are_kept() -> None:
    assert row(task("tagging", classes=("O", "B-x")), Example(id="1", words=("a", "b"), labels=(0, 1)))["words"] == [
        "a",
        "b",
    ]
    choice = Example(id="1", texts={"p": "t"}, choices=({"choice": "yes"}, {"choice": "no"}), labels=(0,))
    assert row(task("choice", plain="{p} {choice}"), choice)["candidates"] == ["yes", "no"]


def test_cells_scored_on_other_rows_have_another_key() -> None:
    key = examples_key(make_cell())
    assert examples_key(make_cell(seed=3, method="finetune", model="large", precision="bf16", protocol="paper")) == key
    budget = make_cell().budget
    assert examples_key(make_cell(budget=budget.model_copy(update={"epochs": 3}))) == key
    others = [
        make_cell(task="cb"),
        make_cell(task_version=2),
        make_cell(data_fingerprint="e"),
        make_cell(budget=budget.model_copy(update={"scored_rows": 5})),
    ]
    assert len({key, *map(examples_key, others)}) == 5


def test_a_full_disk_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "results")

    def half(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskError, match="no space left"):
        store.write_examples("key", half)
    assert [path for path in store.path.rglob("*") if path.is_file()] == [store.path / "store.json"]
    store.write_examples("key", lambda path: path.write_bytes(b"whole") and None)
    store.write_examples("key", half)  # there already: not written again
    assert store.examples_file("key").read_bytes() == b"whole"


def test_metadata_says_what_the_examples_are(tmp_path: Path) -> None:
    made = task("span")
    table = example_table(made, [Example(id="1", texts={"context": "c", "question": "q"}, labels=(0,))])
    write_examples(tmp_path / "x.parquet", table, made.name, made.kind)
    read = pq.read_table(tmp_path / "x.parquet")
    assert read.schema.metadata == {b"task": b"t", b"kind": b"span"}
    assert read.to_pylist() == [
        {"id": "1", "fields": [("question", "q"), ("context", "c")], "words": [], "candidates": []}
    ]


def test_a_run_keeps_the_texts_of_each_task_once(bench: Bench) -> None:
    assert bench.run("--tasks", "rte,copa", "--seeds", "2")[0] == 0
    store = Store.open(Path("out"))
    for record in store.records():
        texts = pq.read_table(store.examples_file(examples_key(record.cell)))
        predicted = pq.read_table(store.cell_folder(record.id) / "predictions.parquet")
        assert texts["id"].to_pylist() == predicted["id"].to_pylist()
        assert all(fields for fields in texts["fields"].to_pylist())
    assert len(list(store.path.glob("examples/*.parquet"))) == 2
