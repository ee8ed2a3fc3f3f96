"""Kills of the store's writer alone: thousands of cells with files of a real size, no training."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from bench.cell import Cell
from bench.plan.cells import plan
from bench.request import RunRequest
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Presence, Watch, new_identity
from tests.campaign.killing.children import fork, wait
from tests.campaign.killing.points import Blow, at_change
from tests.campaign.killing.witness import LEFT, standing

FILES = {"predictions.parquet": 30_000, "tuned.safetensors": 100_000}  # bytes
CELLS = 60


def content(cell_id: str, name: str) -> bytes:
    size, seed = FILES[name], sha256(f"{cell_id} {name}".encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


def write_all(folder: Path, cells: list[Cell]) -> None:
    """What is missing, as a worker writes it."""
    identity = new_identity()
    store = Store(Store.create(folder).path, identity.worker)
    with Presence(folder, identity, ["none"], {}):
        Watch(folder).sweep()
        for cell in store.missing(cells):
            record = Record(id=cell.id, cell=cell, status="done", main_metric="accuracy", scores={"accuracy": 50.0})
            names = FILES if cell.stage == "score" else {}
            store.write(record, {name: _writer(cell.id, name) for name in names})


def _writer(cell_id: str, name: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb", buffering=0) as file:  # in pieces, so that it can be killed amid a file
            whole = content(cell_id, name)
            for start in range(0, len(whole), 10_000):
                file.write(whole[start : start + 10_000])

    return write


def _holds(path: Path, expected: bytes) -> bool:
    return path.exists() and path.read_bytes() == expected


def problems(folder: Path, cells: list[Cell], before: dict[str, object]) -> list[tuple[str, str]]:
    """What is not as it should be after a kill; `before` is brought up to now."""
    store = Store.open(folder)
    found = [("lost", cell_id) for cell_id in before.keys() - store.done()]
    found += [("half", path.name) for path in store.half_written()]
    for cell_id, record in store.records_of(store.done()).items():
        place, now = folder / "cells" / cell_id, standing(folder, cell_id)
        whole = all(_holds(place / name, content(cell_id, name)) for name in FILES)
        found += [] if whole and record.id == cell_id else [("half", cell_id)]
        found += [("replaced", cell_id)] if before.get(cell_id, now) != now else []
        before[cell_id] = now
    return found


def kill_writers(place: Path, number: int, rng: random.Random, told: Callable[[str], None]) -> list[tuple[str, str]]:
    """So many kills, half of them before a change of the folder and half at any moment; what broke."""
    cells = list(plan(RunRequest(tasks="sentiment", models="tiny", methods="ptv2", seeds=CELLS), "fp32").cells)
    kills, folders, found = 0, 0, []
    folder, before, said, once = place / "writer-0", {}, place / "writer.log", place / "once"
    while kills < number:
        once.unlink(missing_ok=True)
        turn = rng.choice([None, rng.randint(1, 60)])
        arm = at_change(folder, turn, Blow(once, worker=False)) if turn else lambda: None
        child = fork(lambda arm=arm, folder=folder: (arm(), write_all(folder, cells)), said)  # type: ignore[misc]
        if not turn:
            time.sleep(rng.uniform(0, 0.06))
            os.kill(child, signal.SIGKILL)
        code = wait(child)
        kills += code == -signal.SIGKILL
        if (folder / "store.json").exists():
            found += problems(folder, cells, before)
        if code not in (0, -signal.SIGKILL):
            found.append(("said", said.read_text()[-2000:]))
        if len(before) == len(cells):
            wait(fork(lambda folder=folder: write_all(folder, cells), said))  # type: ignore[misc]
            left = [path for room in LEFT for path in folder.glob(f"{room}/*")]
            left += [path for path in folder.rglob(".*") if path.name != ".partial"]
            found += [("left behind", path.name) for path in left]
            folders += 1
            folder, before = place / f"writer-{folders}", {}
        if kills % 100 == 0:
            told(f"{kills} kills of the writer")
    return found
