"""`bench predict`: what is read, where answers go, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import predict
from bench.cell import Cell
from bench.store.checksums import digest
from bench.store.store import Store
from tests.store.edited import edit

PAIR = {"premise": "word1 word2.", "hypothesis": "word3 word4."}


@pytest.fixture
def rows(tmp_path):
    """A CSV file of so many pairs without labels."""

    def write(count: int, name: str = "new.csv", **more: str) -> Path:
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*PAIR, *more])
            writer.writeheader()
            writer.writerows(PAIR | more | {"premise": f"word{at % 60} word2."} for at in range(count))
        return path

    return write


def test_few_rows_are_shown_and_many_go_to_a_file_beside(bench, cell, rows, tmp_path):
    code, out, err = bench("predict", cell[:6], "--data", rows(3), "--in", "out")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split() == ["id", *PAIR, "prediction", "probability"]
    assert len(out.splitlines()) == 4
    code, out, err = bench("predict", cell[:6], "--data", rows(30), "--in", "out")
    assert (code, err, out) == (0, "", "wrote new.predictions.csv: 30 rows\n")
    table = pd.read_csv("new.predictions.csv")
    assert table.columns.tolist() == ["id", *PAIR, "prediction", "probability", "p(entailment)", "p(not_entailment)"]
    assert (table["p(entailment)"] + table["p(not_entailment)"]).to_numpy() == pytest.approx(1)


def test_each_ending_holds_the_same_answers_and_a_pipe_too(bench, cell, rows, tmp_path):
    data = rows(25, team="red")
    expected = predict(cell, data, folder=tmp_path / "out").to_dict("records")
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        assert bench("predict", cell, "--data", data, "--in", "out", "--to", f"to.{ending}")[0] == 0
    pipe = bench("predict", cell, "--data", data, "--in", "out", "--to", "-")[1]
    assert [json.loads(line) for line in pipe.splitlines()] == expected
    assert [json.loads(line) for line in Path("to.jsonl").read_text().splitlines()] == expected
    assert pq.read_table("to.parquet").to_pylist() == expected
    for ending, divider in (("csv", ","), ("tsv", "\t")):
        assert pd.read_csv(f"to.{ending}", sep=divider, dtype={"id": str}).to_dict("records") == expected


def test_the_same_rows_in_other_formats_have_the_same_answers(cell, rows, tmp_path):
    import datasets

    table = pd.read_csv(rows(6))
    table.to_json("new.json", orient="records")
    table.to_json("new.jsonl", orient="records", lines=True)
    table.to_csv("new.tsv", sep="\t", index=False)
    pq.write_table(pa.Table.from_pandas(table), "new.parquet")
    datasets.Dataset.from_pandas(table).save_to_disk("new")
    expected = predict(cell, rows(6), folder=tmp_path / "out")
    for name in ("new.json", "new.jsonl", "new.tsv", "new.parquet", "new"):
        assert predict(cell, name, folder=tmp_path / "out").equals(expected), name
    assert predict(cell, table, folder=tmp_path / "out").equals(expected)
    assert predict(cell, table.to_dict("records"), folder=tmp_path / "out").equals(expected)


def test_labels_that_rows_have_are_scored_when_asked(bench, cell, superglue, tmp_path):
    data = superglue / "RTE" / "val.jsonl"
    record = Store.open(tmp_path / "out").record(cell)
    table = predict(cell, data, folder=tmp_path / "out", score=True)
    assert table.attrs["scores"] == record.scores
    _, out, _ = bench("predict", cell, "--data", data, "--in", "out", "--score", "--to", "a.csv")
    assert out.splitlines()[-1] == f"accuracy {record.scores['accuracy']:.2f}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("premise,other\na,b\n", "new.csv:2: field 'hypothesis' must be text, found nothing (task 'rte'); the row has"),
        ("sentence\na\n", "field 'premise' must be text, found nothing (task 'rte'); the row has sentence"),
        ("premise,hypothesis\n", "has no rows"),
        ("premise,hypothesis\na\n", "new.csv:2: 1 cells, but the header names 2"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(bench, cell, tmp_path, text, reason):
    (tmp_path / "new.csv").write_text(text)
    assert reason in bench.refusal(*bench("predict", cell, "--data", "new.csv", "--in", "out"))
    assert not list(tmp_path.glob("*.predictions.*"))


def test_a_row_that_does_not_fit_leaves_what_was_there(bench, cell, rows, tmp_path):
    Path("to.csv").write_text("before")
    data = rows(30)
    data.write_text(data.read_text() + "alone\n")
    assert "cells, but the header" in bench.refusal(*bench("predict", cell, "--data", data, "--in", "out",
                                                           "--to", "to.csv"))  # fmt: skip
    assert Path("to.csv").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_bad_arguments_of_predict_are_one_line(bench, cell, rows):
    data = rows(3)
    assert "give the id of a cell" in bench.refusal(*bench("predict", "--data", data))
    assert "give --data FILE" in bench.refusal(*bench("predict", cell))
    assert "cannot read gone.csv" in bench.refusal(*bench("predict", cell, "--data", "gone.csv", "--in", "out"))
    assert "no cell in out" in bench.refusal(*bench("predict", "zz", "--data", data, "--in", "out"))
    assert "the ending says" in bench.refusal(*bench("predict", cell, "--data", data, "--in", "out", "--to", "a.xlsx"))
    said = bench.refusal(*bench("predict", cell, "--data", data, "--in", "out", "--to", data))
    assert "is the file with the rows" in said
    said = bench.refusal(*bench("predict", cell, "--data", data, "--in", "out", "--precision", "fp8"))
    assert "fp8" in said
    said = bench.refusal(*bench("predict", cell, "--data", data, "--in", "out", "--device", "cuda"))
    assert "torch sees no GPU" in said


def test_cells_that_cannot_answer_are_one_line(bench, cell, rows, tiny_bert, superglue, tmp_path):
    data = rows(3)
    folder = tmp_path / "out" / "cells" / cell
    record = json.loads((folder / "record.json").read_text())

    def changed(**changes):
        asked = Cell(**changes.get("cell", record["cell"])).id
        place = folder if asked == cell else Path(shutil.copytree(folder, folder.with_name(asked)))
        edit(place / "record.json", **{**record, **changes, "id": asked})
        return bench.refusal(*bench("predict", asked, "--data", data, "--in", "out"))

    assert "has not finished (diverged: too far)" in changed(status="diverged", reason="too far")
    assert "is a trial" in changed(cell={**record["cell"], "stage": "trial"})
    assert "version 0 of task 'rte', which is version" in changed(cell={**record["cell"], "task_version": 0})
    assert "no such folder" in changed(cell={**record["cell"], "model_path": "./gone"})
    said = changed(cell={**record["cell"], "model_fingerprint": "0" * 16})
    assert "is not the one that the cell was trained on" in said
    assert "unknown suite 'mine'" in changed(cell={**record["cell"], "suite": "mine"})
    edit(folder / "record.json", cell={**record["cell"], "model_path": "./gone"})
    assert bench("predict", cell, "--data", data, "--in", "out", "--model", tiny_bert)[0] == 0
    edit(folder / "record.json", **record)
    tensors = (folder / "tuned.safetensors").read_bytes()
    (folder / "tuned.safetensors").unlink()
    said = bench.refusal(*bench("predict", cell, "--data", data, "--in", "out"))
    assert "kept no tensors; run it with --save-tuned" in said
    assert bench.run("--methods", "linear_probe")[0] == 0
    (other,) = (path.parent for path in (tmp_path / "out").glob("cells/*/record.json")
                if json.loads(path.read_text())["cell"]["method"] == "linear_probe")  # fmt: skip
    shutil.copy(other / "tuned.safetensors", folder)
    said = bench.refusal(*bench("predict", cell, "--data", data, "--in", "out"))
    assert "tuned.safetensors is not what was written: its checksum is another one; bench run measures it again" in said
    edit(folder / "record.json", files=record["files"] | {"tuned.safetensors": digest(folder / "tuned.safetensors")})
    said = bench.refusal(*bench("predict", cell, "--data", data, "--in", "out"))
    assert "does not fit its method" in said
    (folder / "tuned.safetensors").write_bytes(tensors)
    edit(folder / "record.json", **record)


def test_demonstrations_that_are_gone_are_told(bench, rows, superglue, tmp_path):
    assert bench.run("--methods", "prompting", "--set", "prompting.shots=2")[0] == 0
    (cell,) = Store.open(tmp_path / "out").ids()
    train = superglue / "RTE" / "train.jsonl"
    train.write_text(train.read_text().replace("word1 ", "word2 "))
    said = bench.refusal(*bench("predict", cell, "--data", rows(3), "--in", "out"))
    assert "of which prompting (shots=2) shows rows, are others now" in said


def test_what_was_cut_is_told(bench, cell, tmp_path):
    (tmp_path / "new.csv").write_text(f"premise,hypothesis\n{'word1 ' * 60},word2\nword3,word4\n")
    _, _, err = bench("predict", cell, "--data", "new.csv", "--in", "out")
    assert err == "warning: 1 of 2 rows are longer than the cell reads, and were cut\n"


def test_memory_that_is_used_up_while_tensors_are_read_is_called_so(bench, cell, rows, monkeypatch):
    def short(path: Path) -> None:
        raise ValueError("could not determine the shape of object type 'torch.storage.UntypedStorage'")  # as torch says

    monkeypatch.setattr("bench.predicting.restored.load_file", short)
    line = bench.refusal(*bench("predict", cell, "--data", rows(3), "--in", "out"))
    assert line.startswith(f"error: not enough memory to read the tensors of cell {cell}")
