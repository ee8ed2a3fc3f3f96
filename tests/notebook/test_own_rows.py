"""Rows in memory are a task, as a file is: trained on, and answered afterwards."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import bench
from tests.conftest import write_tiny_bert
from tests.own.mails import mails


def test_a_table_in_memory_is_a_task_whose_cells_answer_another(tmp_path: Path) -> None:
    frame = pd.DataFrame(mails(40))
    model = write_tiny_bert(tmp_path / "bert")
    grid = {
        "methods": ["linear_probe"],
        "models": model,
        "seeds": 1,
        "steps": 1,
        "max_length": 24,
        "out": tmp_path / "out",
    }
    results = bench.run(data=frame, text="body", label="team", devices="cpu", **grid)
    assert (set(results["metric"]), set(results["status"])) == ({"accuracy", "macro_f1"}, {"done"})
    again = bench.run(data=frame.copy(), text="body", label="team", devices="cpu", **grid)
    assert list(again["id"]) == list(results["id"])

    answers = bench.predict(results["id"].iloc[0], frame[["body"]].head(3), folder=tmp_path / "out", device="cpu")
    assert list(answers["body"]) == list(frame["body"].head(3))
    assert set(answers["prediction"]) <= set(frame["team"])


def test_splits_in_memory_are_those_that_are_trained_on_and_scored(tmp_path: Path) -> None:
    splits = {"train": mails(30), "test": mails(10, seed=1)}
    grid = {
        "methods": ["linear_probe"],
        "models": write_tiny_bert(tmp_path / "bert"),
        "seeds": 1,
        "steps": 1,
        "max_length": 24,
    }
    results = bench.run(data=splits, text="body", label="team", devices="cpu", out=tmp_path / "out", **grid)
    assert set(results["scored_rows"]) == {10}
