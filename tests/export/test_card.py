"""The code on an exported folder's page, as it is pasted: it says of every row what the cell said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.export import export
from bench.registry import find_suite
from bench.store.store import Store
from tests.predicting.kept import kept_predictions

TOLERANCE = 1e-4
GRIDS = {
    "adapters": ["--methods", "ptv2,lora", "--set", "ptv2.length=5"],
    "words": ["--methods", "prompt_tuning,ia3", "--set", "prompt_tuning.length=5", "--set", "ia3.head=verbalizer",
              "--tasks", "sentiment,consequence"],
    "prompts": ["--methods", "prompt_tuning", "--set", "prompt_tuning.length=5", "--set", "prompt_tuning.head=linear"],
    "weights": ["--methods", "finetune,bitfit,linear_probe", "--tasks", "entailment,questions"],
}  # fmt: skip
SMALL = ["--models", "tiny", "--seeds", 1, "--steps", 4, "--limit", 16, "--precision", "fp32", "--device", "cpu",
         "--out", "out"]  # fmt: skip
FILES = {"finetune": "model.safetensors", "bitfit": "changed.safetensors", "linear_probe": "head.safetensors"}
TASKS = "sentiment,entities,consequence,questions"


@pytest.fixture
def pasted(monkeypatch, capsys):
    """Runs the code of a folder's page in the folder; gives its `answer`."""

    def run(folder: Path):
        (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S)
        names: dict = {}
        monkeypatch.chdir(folder)
        exec(compile(code, str(folder / "README.md"), "exec"), names)
        assert capsys.readouterr().out.strip(), "it shows an answer"
        return names["answer"]

    return run


def said(task, row, answer):
    """What the page's code says of a row: the prediction as texts, and probabilities."""
    if task.kind == "span":
        text, first, last = answer(row["question"], row["context"])
        assert row["context"][first:last] == text
        return [text], []
    if task.kind == "tagging":
        tags = answer(row["words"])
        return [tag for tag, _ in tags], [share for _, share in tags]
    if task.kind == "regression":
        return None, [answer(row)]
    candidates = ([choice["choice"] for choice in row["choices"]],) if task.kind == "choice" else ()
    shares = answer(row, *candidates)
    return [max(shares, key=shares.get)], list(shares.values())


def check_all(store, to, pasted) -> int:
    """The number of cells whose exported folders say what they said."""
    records = store.records()
    for record in records:
        folder = to / record.id
        files = [path.name for path in export(store, record.id, folder)]
        assert FILES.get(record.cell.method, "adapter_model.safetensors") in files
        answer = pasted(folder)
        task = find_suite(record.cell.suite).task(record.cell.task)
        rows = {str(row.get("idx", at)): row for at, row in enumerate(task.source.generate("dev"))}
        for kept in kept_predictions(store.path, record.id):
            prediction, shares = said(task, rows[kept["id"]], answer)
            if task.kind == "regression":
                assert shares[0] == pytest.approx(float(kept["predicted"][0]), abs=TOLERANCE)
                continue
            assert prediction == kept["predicted"], record.cell.label
            if shares:
                assert shares == pytest.approx(kept["probabilities"], abs=TOLERANCE), record.cell.label
    return len(records)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_code_of_the_page_says_what_the_cell_said(bench, grid, tmp_path, pasted):
    code, _, err = bench("run", "--suite", "smoke", "--tasks", TASKS, *SMALL, *GRIDS[grid])
    assert code == 0, err
    num_methods, num_tasks = GRIDS[grid][1].count(",") + 1, 2 if "--tasks" in GRIDS[grid] else 4
    assert check_all(Store.open(tmp_path / "out"), tmp_path / "to", pasted) == num_methods * num_tasks


def test_the_code_of_a_task_of_numbers_says_the_number(bench, tmp_path, pasted):
    plugin = Path(__file__).parents[1] / "kinds" / "praise.py"
    grid = ["--suite", "praise", "--methods", "ptv2", "--set", "ptv2.length=5"]
    code, _, err = bench("run", "--plugin", plugin, *grid, *SMALL)
    assert code == 0, err
    assert check_all(Store.open(tmp_path / "out"), tmp_path / "to", pasted) == 1
