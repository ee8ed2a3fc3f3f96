"""Short runs on real data and a real model, which lie beside the repository (marker `real`)."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from bench.data.examples import examples
from bench.registry import find_suite

REAL = Path(__file__).parents[3] / "shared" / "real"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not REAL.is_dir(), reason="real data and models are not here")]


@pytest.mark.parametrize(("task", "labels"), [("rte", 2), ("cb", 3)])
def test_official_files_have_the_declared_sizes_and_every_label(task, labels):
    spec = find_suite("superglue").task(task)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for split in ("train", "dev"):
            found = examples(spec, split, REAL / "data" / "superglue")
            assert len(found) == spec.sizes[split]
            assert {example.labels[0] for example in found} == set(range(labels))


def test_a_part_of_a_data_set_is_said_to_be_one():
    with pytest.warns(UserWarning, match="870 rows, the official split has 3270"):
        examples(find_suite("superglue").task("boolq"), "dev", REAL / "data" / "superglue")


def test_four_methods_finish_on_cb_and_ptv2_is_over_the_trivial_baseline(tmp_path):
    command = [
        sys.executable, "-m", "bench.cli", "run", "--suite", "superglue", "--tasks", "cb", "--seeds", "1",
        "--data", str(REAL / "data" / "superglue"), "--models", str(REAL / "models" / "MiniLM-L3-mlm"),
        "--steps", "20", "--batch-size", "16", "--evaluations", "2", "--set", "prompt_tuning.length=20",
        "--set", "finetune.learning_rate=1e-4", "--out", str(tmp_path / "out"), "--no-save-tuned",
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
