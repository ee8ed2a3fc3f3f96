"""Full: a disk that takes no more, and memory that is used up, at every write and at every place that allocates.

    PYTHONPATH=. python -m tests.campaign.full [--short] [--number N] [--seed 0]

Disk: each command runs once undisturbed, and every call of the C library that changes a file on its disk is counted, of
Python as of Arrow, safetensors and tokenizers. Then it runs once for each of these calls, in a fork, and there the disk
refuses: no space for bytes, for names, no quota, an error of input and output, read-only, from then on or once. The
command must end in one line with exit code 2, or as if nothing were where nothing was lost; finished cells are read to
the bit, no file under a final name is half of one, and the same command again, with room, comes to what an undisturbed
one does.

Memory: each command runs once, and every operation of torch and every call of a function is noted with its phase. Then
the device's memory, or the machine's, is used up at each such place once: at one of the times that it comes by. A cell
fails with the reason, or smaller micro-batches come to its numbers; what is no cell's ends in one line.
"""

from __future__ import annotations

import argparse
import importlib
import random
import shutil
import tempfile
from pathlib import Path

from tests.campaign.filling.refusing import with_library

SHORT = 4  # refusals of a disk, and as many of memory
IMPORTED = (
    "pyarrow.parquet", "sklearn.metrics", "transformers.models.bert.modeling_bert", "peft", "bench.cli",
    "bench.commands.grid", "bench.commands.measure", "bench.commands.report", "bench.execute.pool",
    "bench.commands.predict", "bench.commands.cells", "bench.commands.check", "bench.check", "bench.export",
    "bench.report.files", "bench.predicting.restored", "bench.execute.alone", "bench.share.anonymised",
    "bench.report.figures.captioned", "bench.report.page.html", "bench.execute.probe",
)  # fmt: skip


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="at most a minute")
    parser.add_argument(
        "--number",
        type=int,
        help="refusals of disks, and as many of memory; default: every write, every place that allocates",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="scenes whose name has this in it")
    parser.add_argument("--part", choices=["disk", "memory"], help="default: both")
    return parser.parse_args()


def main() -> None:
    asked = read_arguments()
    with_library("tests.campaign.full")
    from tests.campaign.filling.disks import fill_disks
    from tests.campaign.filling.memories import fill_memories
    from tests.campaign.filling.scenes import Home

    for name in IMPORTED:
        importlib.import_module(name)
    place, rng = Path(tempfile.mkdtemp(prefix="full-")), random.Random(asked.seed)
    home = Home(place)
    number = asked.number or (SHORT if asked.short else None)
    parts = {"disk": fill_disks, "memory": fill_memories}
    found = [fill(home, number, rng, asked.only) for part, fill in parts.items() if asked.part in (None, part)]
    print(f"full: {'; '.join(each.line() for each in found)}")
    broken = [what for each in found for what in each.broken]
    if broken:
        raise SystemExit(f"{len(broken)} broken; repeat with --seed {asked.seed}; folders are in {place}")
    shutil.rmtree(place)


if __name__ == "__main__":
    main()
