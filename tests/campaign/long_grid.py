"""A grid of many tiny cells: as flags, as cells, and as a results folder of which a part was really run.

The rest is written by the store's own writer from records that were really run, with other seeds and settings: what
reads a folder cannot tell them apart, and ten thousand cells are there in a minute instead of an hour.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cell import Cell
from bench.plan.cells import plan
from bench.registry import find_suite
from bench.request import RunRequest
from bench.store.declarations import keep_suite
from bench.store.store import Store

ROOT = Path(__file__).parents[2]
TASKS = ("sentiment", "entailment", "entities", "consequence", "questions")
MODELS = ("tiny", "mini")
METHODS = ("linear_probe", "prompt_tuning", "ptv2", "bitfit")
REFERENCE = "linear_probe (learning_rate=0.001)"  # the first line
REAL_SEEDS = 3  # of each entry's first line, which copies are made of


@dataclass(frozen=True)
class LongGrid:
    """A grid of `tasks` × two models × four methods × `rates` learning rates × `seeds`, a few steps each."""

    seeds: int
    rates: int = 10
    tasks: int = 5

    @classmethod
    def of(cls, number: int, rates: int = 10, tasks: int = 5) -> LongGrid:
        """The grid of about so many cells, and of no more."""
        return cls(max(1, number // cls(1, rates, tasks).per_seed), rates, tasks)

    @property
    def per_seed(self) -> int:
        """How many cells a seed has."""
        return self.tasks * len(MODELS) * len(METHODS) * self.rates

    @property
    def fields(self) -> dict[str, object]:
        """The request, by the names of its fields."""
        asked: dict[str, object] = {
            "suite": "smoke", "tasks": ",".join(TASKS[: self.tasks]), "models": ",".join(MODELS),
            "methods": ",".join(METHODS), "seeds": self.seeds, "steps": 2, "batch_size": 4, "max_length": 24,
            "train_rows": 40, "scored_rows": 40, "precision": "fp32", "devices": "cpu",
        }  # fmt: skip
        if self.rates > 1:
            values = ",".join(f"{0.001 * (number + 1):.3f}" for number in range(self.rates))
            asked["sweep"] = [f"{method}.learning_rate={values}" for method in METHODS]
        return asked

    def flags(self, out: Path) -> list[str]:
        """The same as `bench run` takes it."""
        flags: list[str] = []
        for name, value in (self.fields | {"out": str(out)}).items():
            for each in value if isinstance(value, list) else [value]:
                flags += [f"--{name.replace('_', '-')}", str(each)]
        return flags

    def cells(self) -> tuple[Cell, ...]:
        return plan(RunRequest(**self.fields), "fp32").cells  # type: ignore[arg-type]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


def fill(grid: LongGrid, folder: Path, real: Store, seed: int = 0) -> None:
    """Write every cell of a grid that a folder lacks, each as a copy of a real one of its task, model and method."""
    store, draw, cells = Store.create(folder), random.Random(seed), grid.cells()
    originals: dict[Hashable, list[str]] = defaultdict(list)
    for record in real.records():
        originals[kind(record.cell)].append(record.id)
    known = real.records_of(cell_id for ids in originals.values() for cell_id in ids)
    for suite in {cell.suite for cell in cells}:
        keep_suite(folder, find_suite(suite))
    shutil.copytree(real.path / "examples", folder / "examples", dirs_exist_ok=True)
    with unflushed():
        for cell in store.missing(cells):
            original = known[draw.choice(originals[kind(cell)])]
            store.write(
                original.model_copy(update={"id": cell.id, "cell": cell, "files": {}}, deep=True),
                files_of(real, original.id),
            )
        store.write_plan(cells)


def kind(cell: Cell) -> Hashable:
    return (cell.task, cell.model, cell.method)


def files_of(store: Store, cell_id: str) -> Mapping[str, Callable[[Path], None]]:
    """Writers that copy a cell's files."""
    files = [path for path in store.cell_folder(cell_id).iterdir() if path.name != "record.json"]
    return {path.name: partial(_copy, path) for path in sorted(files)}


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


@contextmanager
def unflushed() -> Iterator[None]:
    """Within the block nothing is flushed to the disk: what is made here is not to outlast a power cut."""
    flush, os.fsync = os.fsync, lambda handle: None
    try:
        yield
    finally:
        os.fsync = flush
