"""A kind of task from outside: a class in a plugin's file, and a task of it that every part of a run knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Bench

PLUGIN = '''
"""Counts: regression whose loss is the absolute difference and whose answer is a whole number."""

from bench import Source, Suite, Task, task_kind
from bench.kinds.regression import Regression


@task_kind("count")
class Count(Regression):
    """A row's fields: those of `plain`, and `label`: a number."""

    def prediction(self, found, null_threshold):
        return float(round(found.value))

    def item_losses(self, scores, given, targets):
        return (scores[:, 0, 0] - targets[:, 0]).abs()


def rows(split):
    return [{"text": "word1 " * (at % 5 + 1), "label": at % 5} for at in range(30)]


WORDS = Task(name="words", kind="count", source=Source(generate=rows), plain="{text}", metrics=("spearman",))
SUITE = Suite(name="counts", tasks=(WORDS,), methods=("ptv2",))
'''


@pytest.fixture
def counts(bench: Bench) -> Bench:
    Path("counts.py").write_text(PLUGIN)
    return bench


def test_it_is_listed_and_runs(counts: Bench, tiny_bert: Path) -> None:
    assert "count" in counts("list", "tasks", "--plugin", "counts.py")[1]
    code, _, err = counts(
        "run", "--plugin", "counts.py", "--suite", "counts", "--models", tiny_bert, "--seeds", "1", "--steps", "2",
        "--batch-size", "4", "--max-length", "24", "--precision", "fp32", "--device", "cpu", "--out", "out",
    )  # fmt: skip
    assert code == 0, err
    (folder,) = Path("out/cells").iterdir()
    record = json.loads((folder / "record.json").read_text())
    assert (record["status"], set(record["scores"])) == ("done", {"spearman"})
    assert counts("report", "out", "--plugin", "counts.py")[0] == 0


def test_its_tasks_are_checked_as_any(counts: Bench) -> None:
    Path("counts.py").write_text(PLUGIN.replace('("spearman",)', '("spearmen",)'))
    said = counts.refuses("--plugin", "counts.py")
    assert "unknown metric of a count task 'spearmen'; did you mean 'spearman'?" in said
