"""Short runs on real data and a real model, which lie beside the repository (marker `real`)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bench.data.examples import read_examples
from bench.registry import find_suite

REAL = Path(__file__).parents[3] / "shared" / "real"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not REAL.is_dir(), reason="real data and models are not here")]


# task: examples of train, those left out of it, and examples of the scored split
SIZES = {
    "rte": (2490, 0, 277), "cb": (250, 0, 56), "copa": (400, 0, 100), "wic": (5428, 0, 638), "wsc": (554, 0, 104),
    "multirc": (27240, 3, 4848), "sst2": (67349, 0, 872), "conll04": (922, 0, 288), "srl_ewt": (40384, 0, 4791),
}  # fmt: skip
PARTS = {"boolq": (2400, 0, 870), "record": (32, 0, 32), "squad1": (4961, 0, 5609), "squad2": (1749, 0, 1056)}
SIZE = re.compile("the official split has")


@pytest.mark.parametrize("name", [*SIZES, *PARTS])
def test_official_files_are_read_whole_and_a_part_of_a_set_is_said_to_be_one(name):
    task = find_suite("universal").task(name)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        train, scored = (read_examples(task, split, REAL / "data") for split in ("train", task.scored))
    found = len(train.examples), sum(train.left_out.values()), len(scored.examples)
    assert found == {**SIZES, **PARTS}[name]
    assert any(SIZE.search(str(each.message)) for each in said) == (name in PARTS)
    if task.classes:
        seen = {task.classes[label] for part in (train, scored) for each in part.examples for label in each.labels}
        assert seen <= set(task.classes)
        assert seen == set(task.classes) or name == "srl_ewt"  # whose declared roles are more than occur


def test_four_kinds_of_task_train_with_two_methods(tmp_path):
    command = [
        sys.executable, "-m", "bench.cli", "run", "--suite", "universal", "--tasks", "copa,conll04,squad2,srl_ewt",
        "--data", str(REAL / "data"), "--models", str(REAL / "models" / "MiniLM-L3-mlm"), "--methods",
        "prompt_tuning,ptv2", "--seeds", "1", "--steps", "6", "--batch-size", "8", "--evaluations", "1",
        "--limit", "200", "--set", "prompt_tuning.length=10", "--out", str(tmp_path / "out"), "--no-save-tuned",
        "--no-probe",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    records = [json.loads(path.read_text()) for path in tmp_path.glob("out/cells/*/record.json")]
    assert len(records) == 8
    for record in records:
        assert record["status"] == "done"
        assert set(record["scores"]) == set(record["trivial"])
        assert record["counts"]["scored"] <= 200


def test_four_methods_finish_on_cb_and_ptv2_is_over_the_trivial_baseline(tmp_path):
    command = [
        sys.executable, "-m", "bench.cli", "run", "--suite", "superglue", "--tasks", "cb", "--seeds", "1",
        "--data", str(REAL / "data" / "superglue"), "--models", str(REAL / "models" / "MiniLM-L3-mlm"),
        "--steps", "20", "--batch-size", "16", "--evaluations", "2", "--set", "prompt_tuning.length=20",
        "--set", "finetune.learning_rate=1e-4", "--out", str(tmp_path / "out"), "--no-save-tuned", "--no-probe",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    records = [json.loads(path.read_text()) for path in tmp_path.glob("out/cells/*/record.json")]
    assert sorted(record["cell"]["method"] for record in records) == [
        "finetune", "prompt_tuning", "ptuning_v1", "ptv2",
    ]  # fmt: skip
    ptv2 = next(record for record in records if record["cell"]["method"] == "ptv2")
    assert ptv2["trivial"]["accuracy"] == 50.0
    assert ptv2["scores"]["accuracy"] > 55.0
    assert ptv2["parameters"]["trained"] == 20 * 2 * 3 * 384 + (384 * 3 + 3)
