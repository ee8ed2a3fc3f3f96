"""What a cell is asked anew it answers as it did when it was scored, bit for bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import predict
from bench.registry import find_suite
from bench.store.store import Store
from tests.predicting.kept import kept_predictions, said, shares

SETTINGS = (
    "ptv2.length=5", "prompt_tuning.length=5", "ptuning_v1.length=4", "autoprompt.candidates=2", "mpt2.tasks=rte,cb",
    "prompting.shots=2", "peft.config=VERA:r=4", "autoprompt.label_words=search",
)  # fmt: skip
WAYS = {
    "weights": ["finetune", "bitfit", "linear_probe"],
    "prompts": ["ptv2", "prompt_tuning", "ptuning_v1", "prefix_tuning"],
    "words": ["prompting", "autoprompt", "mpt2"],
    "adapters": ["lora", "ia3", "adalora", "peft"],
}
TASKS = ("sentiment", "entities", "consequence", "questions")


def compare(folder: Path, unanswered: Callable[..., Path], rows: dict[str, list[dict[str, Any]]]) -> int:
    """The number of cells whose answers to the rows that they were scored on are those that were kept."""
    count = 0
    for record in Store.open(folder).records():
        assert record.status == "done", record.reason
        kept = kept_predictions(folder, record.id)
        scored = {row["id"] for row in kept}
        asked = [row for at, row in enumerate(rows[record.cell.task]) if str(row.get("idx", at)) in scored]
        answers = predict(record.id, unanswered("asked", asked), folder=folder).to_dict("records")
        assert [said(answer) for answer in answers] == [row["predicted"] for row in kept]
        for answer, row in zip(answers, kept, strict=True):
            expected = row["probabilities"][:1] if "start" in answer else row["probabilities"]
            assert shares(answer) == expected, record.cell.label
        count += 1
    return count


@pytest.mark.parametrize("way", WAYS)
def test_every_method_answers_as_it_did(bench, way, superglue, tmp_path, unanswered):
    settings = [setting for setting in SETTINGS if setting.partition(".")[0] in WAYS[way]]
    code, _, err = bench.run("--methods", ",".join(WAYS[way]), *(part for each in settings for part in ("--set", each)))
    assert code == 0, err
    rows = [json.loads(line) for line in (superglue / "RTE" / "val.jsonl").read_text().splitlines()]
    assert compare(tmp_path / "out", unanswered, {"rte": rows}) == len(WAYS[way])


def test_every_kind_of_task_answers_as_it_did(bench, tmp_path, unanswered):
    suite = find_suite("smoke")
    grid = ["--suite", "smoke", "--tasks", ",".join(TASKS), "--methods", "finetune,ptv2", "--models", "tiny"]
    code, _, err = bench("run", *grid, "--seeds", 1, "--steps", 3, "--limit", 40, "--precision", "fp32",
                         "--device", "cpu", "--out", "out")  # fmt: skip
    assert code == 0, err
    rows = {name: suite.task(name).source.generate("dev") for name in TASKS}
    assert compare(tmp_path / "out", unanswered, rows) == 2 * len(TASKS)


def test_numbers_are_answered_as_they_were(bench, tmp_path, unanswered):
    plugin = Path(__file__).parents[1] / "kinds" / "praise.py"
    grid = ["--plugin", plugin, "--suite", "praise", "--methods", "finetune,prompt_tuning", "--models", "tiny"]
    code, _, err = bench("run", *grid, "--set", "prompt_tuning.length=5", "--seeds", 1, "--steps", 3, "--limit", 40,
                         "--precision", "fp32", "--device", "cpu", "--out", "out")  # fmt: skip
    assert code == 0, err
    rows = find_suite("praise").task("praise").source.generate("dev")
    assert compare(tmp_path / "out", unanswered, {"praise": rows}) == 2


def test_what_answers_a_row_has_is_not_looked_at(cell, superglue, tmp_path, unanswered):
    rows = [json.loads(line) for line in (superglue / "RTE" / "val.jsonl").read_text().splitlines()]
    other = unanswered("other", rows, label="no class of the task")
    hidden = unanswered("hidden", rows, label=-1)
    without = predict(cell, unanswered("new", rows), folder=tmp_path / "out")
    for data in (other, hidden):
        assert predict(cell, data, folder=tmp_path / "out").drop(columns="label").equals(without)


def test_chunks_of_rows_have_the_labels_of_one(cell, superglue, tmp_path, unanswered, monkeypatch):
    rows = [json.loads(line) for line in (superglue / "RTE" / "val.jsonl").read_text().splitlines()]
    whole = predict(cell, unanswered("new", rows), folder=tmp_path / "out")
    monkeypatch.setattr("bench.predicting.CHUNK", 5)
    monkeypatch.setattr("bench.predicting.FEW", 3)
    parts = predict(cell, tmp_path / "new.jsonl", folder=tmp_path / "out")
    assert parts["prediction"].tolist() == whole["prediction"].tolist()
    assert parts["idx"].tolist() == whole["idx"].tolist()
    assert parts["probability"].to_numpy() == pytest.approx(whole["probability"].to_numpy(), abs=1e-6)
