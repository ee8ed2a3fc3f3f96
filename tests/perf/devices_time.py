"""Wall time of one grid on one device and on several, and whether every cell came to the same.

    python -m tests.perf.devices_time --devices 0 --devices 0,1 [--model 110m --tokenizer DIR] [--plan] [--json FILE]
        -- FLAGS

Each `--devices` is a `bench run` of its own with the flags after `--` (suite, tasks, methods, seeds, data, …), an empty
cache and a new results folder; the first is what the others are compared with. `--model` is a layout with random
weights (tests/perf/random_models.py) and the tokenizer of `--tokenizer`; without it the flags say which models. The
table has the wall time of the whole command, of it the time before the first loop, from its start to the last loop's
end, and after that, how many times faster the command is, the share of the devices' time that this comes to, how long a
worker was idle between the first loop and the last, on average, what cells spent on loading and reading, compiling and
capturing, training, evaluation and storing, in sums over cells, and how many cells have other scores, predictions or
tuned tensors than in the first run. With `--plan` each run is foretold first by `bench run --plan`, and the table has
what that says of the whole.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from bench.execute.devices import chosen_devices
from bench.store.record import Costs, Record
from bench.store.store import Store
from tests.perf.commands import divided_arguments, seconds_of
from tests.perf.random_models import LAYOUTS, write_model


@dataclass(frozen=True)
class Run:
    """What a run took, in seconds: the command, up to its first loop, its loops from first to last, the sum over its
    cells, and what they spent on what (`spent`).
    """

    devices: str
    num_devices: int
    wall: float
    before: float
    loops: float
    cells: float
    spent: tuple[float, ...]
    num_cells: int
    differing: int
    foretold: str


def loops_of(records: list[Record]) -> tuple[datetime, datetime]:
    """The first start of a loop and the end of the last, to the second."""
    starts = [datetime.fromisoformat(record.started) for record in records]
    ends = [datetime.fromisoformat(record.finished) for record in records]
    return min(starts), max(ends)


def spent(costs: Costs) -> tuple[float, ...]:
    """A cell's seconds of loading and reading, compiling and capturing, training, evaluation, storing."""
    return (
        (costs.load_seconds or 0.0) + (costs.encode_seconds or 0.0), costs.own_compile_seconds or 0.0,
        costs.train_seconds, costs.evaluate_seconds, costs.store_seconds or 0.0,
    )  # fmt: skip


def differs(record: Record, other: Record | None, folders: tuple[Path, Path]) -> bool:
    """Whether two records of a cell, and the files beside them, say other things."""
    if other is None or (record.status, record.scores, record.selected_step) != (
        other.status, other.scores, other.selected_step,
    ):  # fmt: skip
        return True
    files = ("predictions.parquet", "tuned.safetensors")
    contents = [[(folder / name).read_bytes() for name in files if (folder / name).exists()] for folder in folders]
    return contents[0] != contents[1]


def foretold(devices: str, flags: list[str], out: Path) -> str:
    """What `bench run --plan` says of the whole. SystemExit where it fails or says nothing of it."""
    asked = [flag for flag in flags if flag != "--no-probe"]  # without a probe nothing is known of a new device
    command = [sys.executable, "-m", "bench", "run", "--plan", "--devices", devices, "--out", str(out), *asked]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, flush=True)
    found = re.search(r"^about (.*?) on .*", done.stdout, re.M)
    if done.returncode or found is None:
        raise SystemExit(f"no forecast (exit code {done.returncode}): {' '.join(command)}")
    return found[1]


def measured(devices: str, flags: list[str], out: Path, first: Path | None, told: str) -> Run:
    """One run of the grid. SystemExit where it fails."""
    command = [sys.executable, "-m", "bench", "run", "--devices", devices, "--out", str(out), *flags]
    begun = datetime.now(UTC)
    wall = seconds_of(command, {"TUNING_BENCH_CACHE": f"{out}-cache"})
    store = Store.open(out)
    records = store.records()
    first_start, last_end = loops_of(records)
    differing = 0
    if first is not None:
        reference = Store.open(first)
        others = {record.id: record for record in reference.records()}
        differing = sum(
            differs(record, others.get(record.id), (store.cell_folder(record.id), reference.cell_folder(record.id)))
            for record in records
        ) + abs(len(others) - len(records))
    return Run(
        devices, len(chosen_devices(devices)), wall, (first_start - begun).total_seconds(),
        (last_end - first_start).total_seconds(),
        sum(record.costs.seconds for record in records),
        tuple(map(sum, zip(*(spent(record.costs) for record in records), strict=True))), len(records), differing, told,
    )  # fmt: skip


def table(runs: list[Run]) -> list[str]:
    """Rows of Markdown."""
    rows = [
        "| devices | cells | foretold | command s | before, loops, after s | times faster | efficiency | idle s | "
        "loading, compiling, training, evaluation, storing s | cells that differ |",
        "|" + " --- |" * 10,
    ]
    for run in runs:
        faster = runs[0].wall / run.wall
        share = faster * runs[0].num_devices / run.num_devices
        idle, after = run.loops - run.cells / run.num_devices, run.wall - run.before - run.loops
        rows.append(
            f"| {run.devices} | {run.num_cells} | {run.foretold} | {run.wall:.1f} "
            f"| {run.before:.0f}, {run.loops:.0f}, {after:.0f} | {faster:.2f} | {share:.0%} | {idle:.0f} "
            f"| {', '.join(f'{seconds:.0f}' for seconds in run.spent)} | {run.differing} |"
        )
    return rows


def arguments() -> argparse.Namespace:
    own, flags = divided_arguments()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", action="append", required=True, help="as of `bench run`; one run each")
    parser.add_argument("--model", choices=LAYOUTS, help="a layout with random weights")
    parser.add_argument("--tokenizer", type=Path, help="folder with the files of a tokenizer, for random weights")
    parser.add_argument("--plan", action="store_true", help="foretell each run first")
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(own)
    if args.model and args.tokenizer is None:
        parser.error(f"--model {args.model} has random weights and wants --tokenizer DIR")
    args.flags = flags
    return args


def main() -> None:
    args = arguments()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        flags = list(args.flags)
        if args.model:
            device = torch.device(
                "cuda" if torch.cuda.is_available() else "cpu"
            )  # 10B numbers take a processor minutes
            flags += ["--models", str(write_model(args.model, args.tokenizer, Path(folder), device))]
            torch.cuda.empty_cache()
        for number, devices in enumerate(args.devices):
            out = Path(folder) / f"run-{number}"
            told = foretold(devices, flags, Path(folder) / f"plan-{number}") if args.plan else "–"
            runs.append(measured(devices, flags, out, Path(folder) / "run-0" if number else None, told))
            print("\n".join(table(runs)), flush=True)
            if args.json:
                args.json.write_text(json.dumps([asdict(run) for run in runs], indent=1))


if __name__ == "__main__":
    main()
