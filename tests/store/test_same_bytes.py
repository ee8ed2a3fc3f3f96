"""The same content has the same bytes: in another process, with another seed of hashes, in another order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WRITING = """
import sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from bench.store.examples import write_examples
from bench.store.predictions import write_predictions
from bench.store.reading import record_text
from tests.report.conftest import make_cell, make_predicted

folder = Path(sys.argv[1])
record, rows = make_predicted(make_cell(), 20, 40)
write_predictions(folder / "predictions.parquet", rows)
names = {"head.weight", "head.bias", "prefix.keys", "prefix.values", "a", "b", "c"}  # a set: its order is the seed's
tensors = {name: torch.arange(len(name), dtype=torch.float32) for name in names}
tensors |= {f"half.{name}": tensor.to(torch.bfloat16) for name, tensor in tensors.items()}
save_file(tensors, folder / "tuned.safetensors", metadata={"cell": record.id})
rows = {"id": ["1"], "fields": [[("text", "t")]], "words": [[]], "candidates": [[]]}
write_examples(folder / "examples.parquet", rows, "rte", "classification")
(folder / "record.json").write_text(record_text(record))
"""


def written(folder: Path, seed: str) -> dict[str, bytes]:
    folder.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": f"UTC{seed[0]}"}
    subprocess.run([sys.executable, "-c", WRITING, str(folder)], check=True, env=environment, cwd=folder, timeout=120)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_file_of_a_cell_has_the_same_bytes_in_two_processes(tmp_path: Path) -> None:
    first, second = (written(tmp_path / seed, seed) for seed in ("1", "20011"))
    assert sorted(first) == ["examples.parquet", "predictions.parquet", "record.json", "tuned.safetensors"]
    assert first == second
