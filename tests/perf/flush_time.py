"""What a finished cell costs to be written so that a power cut does not take it: cells a second with fsync and without.

    python tests/perf/flush_time.py [FOLDER] [--cells 200] [--rounds 5] [--predictions BYTES] [--tensors BYTES]

FOLDER lies on the disk that is measured (default: a temporary one). Both arms write the same cells in turns, so that a
busy disk is busy for both; printed are the median of the rounds, the calls of fsync a cell, and what a cell takes more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.store.store import Store
from tests.report.conftest import make_cell, make_record


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()))
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--predictions", type=int, default=30_000)
    parser.add_argument("--tensors", type=int, default=100_000)
    asked = parser.parse_args()
    files = {"predictions.parquet": _filler(asked.predictions), "tuned.safetensors": _filler(asked.tensors)}
    fsync, calls = os.fsync, [0]

    def counted(handle: int) -> None:
        calls[0] += 1
        fsync(handle)

    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(asked.rounds):
        for arm, call in (("with", counted), ("without", lambda handle: None)):
            os.fsync = call
            seconds[arm].append(_seconds_a_cell(asked.folder, asked.cells, files))
    os.fsync = fsync
    flushed, plain = (median(seconds[arm]) for arm in ("with", "without"))
    print(
        f"{1 / flushed:.0f} cells/s with fsync, {1 / plain:.0f} without; {calls[0] / asked.rounds / asked.cells:.1f} "
        f"calls and {1000 * (flushed - plain):.2f} ms a cell more, on {asked.folder}"
    )


def _seconds_a_cell(folder: Path, count: int, files: dict[str, Callable[[Path], None]]) -> float:
    place = Path(tempfile.mkdtemp(dir=folder))
    records = [make_record(make_cell(seed=seed), 60.0) for seed in range(count)]
    try:
        store = Store.create(place / "results")
        begun = time.perf_counter()
        for record in records:
            store.write(record, files)
        return (time.perf_counter() - begun) / count
    finally:
        shutil.rmtree(place)


def _filler(size: int) -> Callable[[Path], None]:
    content = os.urandom(size)

    def fill(path: Path) -> None:
        path.write_bytes(content)

    return fill


if __name__ == "__main__":
    main()
