"""Seconds that a report over many records takes, end to end, and whether it loaded torch.

    python tests/perf/report_time.py [1000] [md,csv,tex,png,svg,html]

Makes that many synthetic records in a temporary folder, with curves, predictions of 300 rows each, their texts and a
plan of 5 % more cells, then times `bench report` on it in a fresh interpreter, and says how large the page is.
The goals are 10 seconds for 1,000 records and a minute for 10,000.
"""

from __future__ import annotations

import itertools
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from bench.cell import Budget, Cell
from bench.registry import find_suite
from bench.report.files import DEFAULT
from bench.score.metrics import score as measured
from bench.store.examples import examples_key, write_examples
from bench.store.predictions import write_predictions
from bench.store.record import Costs, CurvePoint, Parameters, Record
from bench.store.store import Store
from bench.task import Example

ROOT = Path(__file__).parents[2]
TASKS = ("rte", "boolq", "cb", "wic", "wsc")
NUM_ROWS = 300
MODELS = {"tiny": 4_400_000, "mini": 22_700_000, "base": 110_000_000, "large": 335_000_000}
METHODS = ("finetune", "prompt_tuning", "ptuning_v1", "ptv2")
SEEDS_PER_ENTRY = 5
TEXTS: dict[str, list[Any]] = {
    "id": [str(at) for at in range(NUM_ROWS)], "fields": [[("premise", "word " * 100)]] * NUM_ROWS,
    "words": [[]] * NUM_ROWS, "candidates": [[]] * NUM_ROWS,
}  # fmt: skip
COMMAND = """
import sys
from bench.cli import main
sys.argv = ["bench", "report", sys.argv[1], "--format", sys.argv[2]]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("TORCH", "torch" in sys.modules)
"""


def make(count: int, folder: Path) -> None:
    """A results folder with `count` finished records. Written without flushing each: only reading is timed."""
    Store.create(folder)
    os.fsync = lambda handle: None
    draw = random.Random(0)
    num_cells = count + count // 20
    num_variants = -(-num_cells // (len(MODELS) * len(METHODS) * len(TASKS) * SEEDS_PER_ENTRY))
    entries = itertools.product(range(num_variants), MODELS, METHODS, TASKS, range(SEEDS_PER_ENTRY))
    cells = [_cell(*entry) for entry in itertools.islice(entries, num_cells)]
    store = Store(folder)
    for cell in cells[:count]:
        labels, predicted = _answers(cell, draw)
        table = _table(cell, labels, predicted)
        store.write_examples(
            examples_key(cell), partial(write_examples, table=TEXTS, task=cell.task, kind="classification")
        )
        store.write(_record(cell, labels, predicted), {"predictions.parquet": partial(write_predictions, table=table)})
    store.write_plan(cells)


def _cell(variant: int, model: str, method: str, task: str, seed: int) -> Cell:
    given = {"length": 8 * variant} if variant else {}
    settings = {"learning_rate": 5e-3, "length": 20, "dropout": 0.1, "head": "linear", "optimizer": "adamw", **given}
    return Cell(
        suite="superglue", task=task, task_version=1, data_fingerprint=f"data {task}", model=model,
        model_fingerprint=f"weights {model}", method=method, settings=settings, seed=seed, budget=Budget(),
        protocol="holdout", precision="fp32", given=given,
    )  # fmt: skip


def _answers(cell: Cell, draw: random.Random) -> tuple[list[str], list[str]]:
    """What is right, the same for all cells of a task, and what was said: right more often in larger models."""
    classes = find_suite("superglue").task(cell.task).classes
    labels = random.Random(cell.task).choices(classes, k=NUM_ROWS)
    quality = 0.55 + 0.1 * list(MODELS).index(cell.model) + draw.gauss(0, 0.03)
    return labels, [label if draw.random() < quality else draw.choice(classes) for label in labels]


def _table(cell: Cell, labels: list[str], predicted: list[str]) -> dict[str, Any]:
    return {
        "id": [str(at) for at in range(NUM_ROWS)],
        "group": [None] * NUM_ROWS,
        "query": [None] * NUM_ROWS,
        "label": [[label] for label in labels],
        "predicted": [[label] for label in predicted],
        "candidates": [[]] * NUM_ROWS,
        "probabilities": [[0.25, 0.75]] * NUM_ROWS,
        "null_margin": [None] * NUM_ROWS,
    }


def _record(cell: Cell, labels: list[str], predicted: list[str]) -> Record:
    task = find_suite("superglue").task(cell.task)
    examples = [Example(id=str(at), labels=(task.classes.index(label),)) for at, label in enumerate(labels)]
    scores = measured(task, examples, [[task.classes.index(label)] for label in predicted])
    score = scores[task.main_metric]
    curve = [CurvePoint(step=n, epoch=n, train_loss=0.5, scores={"accuracy": score}) for n in range(1, 11)]
    return Record(
        id=cell.id, cell=cell, status="done", main_metric=task.main_metric, scores=scores,
        trivial=dict.fromkeys(scores, 50.0), curve=curve, costs=Costs(train_seconds=60.0, steps=780),
        parameters=Parameters(trained=10**6, stored=10**6, head=10**3, backbone=MODELS[cell.model]),
    )  # fmt: skip


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    formats = sys.argv[2] if len(sys.argv) > 2 else ",".join(DEFAULT.format)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "results"
        make(count, folder)
        start, before = time.perf_counter(), _child_seconds()
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, str(folder), formats], cwd=ROOT, capture_output=True, text=True, check=False
        )
        seconds, busy = time.perf_counter() - start, _child_seconds() - before
        if done.returncode:
            sys.exit(done.stderr)
        sizes = {path.name: path.stat().st_size for path in (folder / "report").iterdir()}
        torch = done.stdout.split("TORCH ")[-1].strip()
    times = f"{seconds:.2f} s ({busy:.2f} s of processor time)"
    print(f"{count} records: {times}, {len(sizes)} files, torch imported: {torch}")
    if "report.html" in sizes:
        print(f"report.html: {sizes['report.html'] / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
