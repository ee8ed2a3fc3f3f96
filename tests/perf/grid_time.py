"""Wall time of a whole grid: `bench run`, and a shell loop with a script of PEFT and the HF Trainer for each cell.

    python -m tests.perf.grid_time --model 110m --tokenizer DIR --data DIR [--device cuda] [--trainer-cells 2]
        [--sides bench,trainer] [--epochs 10] [--json FILE] [-- --lanes 20 …]

The grid is RTE, methods ptv2 and lora, 4 trials of each and 5 seeds with the setting that they choose: 18 cells.
`--data` is a folder as `bench run --data` takes it; `--model` a folder, or the name of a layout with random weights
(tests/perf/random_models.py) and the tokenizer of `--tokenizer`. `bench run` starts with an empty cache and writes a
new results folder; what stands after `--` is handed to it. The loop has a process a cell (tests/perf/trainer_cell.py),
one after another, with the settings of that cell and as many steps, batches and evaluations; the seeds have the first
trial's, since which is chosen is not known. `--trainer-cells K` runs K processes of each method, evenly taken from its
cells, and multiplies: the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bench.cell import Cell
from bench.data.places import local_files
from bench.model.device import device_name
from bench.plan.cells import plan
from bench.registry import find_suite
from bench.request import RunRequest
from tests.perf.commands import divided_arguments, seconds_of
from tests.perf.random_models import LAYOUTS, write_model

SUITE, TASK, METHODS = "superglue", "rte", ("ptv2", "lora")
TRIALS, SEEDS = 4, 5


@dataclass
class Loop:
    """The shell loop over a method's cells, of which some were run."""

    cells: int
    seconds: list[float] = field(default_factory=list)

    @property
    def whole(self) -> float:
        """Seconds of all of its processes, by the mean of those that were run."""
        return self.cells * sum(self.seconds) / len(self.seconds)


def planned(args: argparse.Namespace, model: Path) -> dict[str, list[Cell]]:
    """By method the grid's cells, trials first, as `bench run` plans them."""
    request = RunRequest(
        suite=SUITE, tasks=(TASK,), methods=METHODS, models=(str(model),), seeds=tuple(range(SEEDS)), trials=TRIALS,
        data=args.data, epochs=args.epochs, steps=args.steps,
    )  # fmt: skip
    whole, cells = plan(request, args.precision), defaultdict(list)
    for cell in (*whole.trials, *whole.cells):
        cells[cell.method].append(cell)
    return cells


def seconds_of_bench(args: argparse.Namespace, model: Path, scratch: Path) -> float:
    """Wall time of `bench run` on the grid. SystemExit where it fails."""
    command = [
        sys.executable, "-m", "bench", "run", "--suite", SUITE, "--tasks", TASK, "--methods", ",".join(METHODS),
        "--models", str(model), "--seeds", str(SEEDS), "--trials", str(TRIALS), "--data", str(args.data),
        "--out", str(scratch / "results"), "--device", args.device, "--precision", args.precision,
        *budget(args), *args.more,
    ]  # fmt: skip
    return on_one_device(command, {"TUNING_BENCH_CACHE": str(scratch / "cache")})


def seconds_of_cell(args: argparse.Namespace, model: Path, cell: Cell) -> float:
    """Wall time of the process that does one cell with PEFT and the Trainer."""
    (train,) = local_files(find_suite(SUITE).task(TASK), "train", args.data)
    command = [
        sys.executable, "-m", "tests.perf.trainer_cell", "--model", str(model), "--data", str(train.parent),
        "--method", cell.method, "--settings", json.dumps(cell.settings), "--seed", str(cell.seed),
        "--device", args.device, "--precision", args.precision, "--sampling", args.sampling, *budget(args),
        *(["--trial"] if cell.stage == "trial" else []),
    ]  # fmt: skip
    return on_one_device(command, {})


def budget(args: argparse.Namespace) -> list[str]:
    return ["--epochs", str(args.epochs)] if args.steps is None else ["--steps", str(args.steps)]


def on_one_device(command: Sequence[str], environment: dict[str, str]) -> float:
    """Wall time of a command that sees one GPU at most. SystemExit where it fails."""
    one_device = {"CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "0")}
    return seconds_of(command, {**one_device, **environment})


def evenly(cells: Sequence[Cell], count: int) -> list[Cell]:
    """`count` of the cells from first to last; all where there are no more."""
    if count >= len(cells):
        return list(cells)
    return [cells[round((at + 0.5) * len(cells) / count - 0.5)] for at in range(count)]


def table(loops: dict[str, Loop], bench: float | None) -> list[str]:
    """Rows of Markdown."""
    rows = ["| | cells | processes run | s a process | s in all |", "| --- | --- | --- | --- | --- |"]
    for method, loop in loops.items():
        spread = f"{min(loop.seconds):.1f}–{max(loop.seconds):.1f}"
        multiplied = "" if len(loop.seconds) == loop.cells else ", multiplied"
        name = f"| loop of PEFT + Trainer scripts, {method}"
        rows.append(f"{name} | {loop.cells} | {len(loop.seconds)} | {spread} | {loop.whole:.0f}{multiplied} |")
    if bench is not None:
        whole = sum(loop.whole for loop in loops.values())
        times = f", {whole / bench:.1f} times faster" if loops else ""
        rows.append(
            f"| `bench run`, {', '.join(METHODS)} | {len(METHODS) * (TRIALS + SEEDS)} | 1 | | {bench:.0f}{times} |"
        )
    return rows


def arguments() -> argparse.Namespace:
    own, more = divided_arguments()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="110m", help=f"a folder, or one of {', '.join(LAYOUTS)}")
    parser.add_argument("--tokenizer", type=Path, help="folder with the files of a tokenizer, for random weights")
    parser.add_argument("--data", required=True, type=Path, help="as `bench run --data` takes it")
    parser.add_argument("--sides", default="bench,trainer", help="which to run")
    parser.add_argument("--trainer-cells", type=int, default=2, help="processes of each method that are run")
    parser.add_argument("--sampling", default="random", choices=("random", "group_by_length"), help="of the Trainer")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=None, help="instead of epochs")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--json", type=Path, help="write the figures there")
    args = parser.parse_args(own)
    if args.model in LAYOUTS and args.tokenizer is None:
        parser.error(f"--model {args.model} has random weights and wants --tokenizer DIR")
    args.more = more
    return args


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        scratch, device = Path(folder), torch.device(args.device)
        model = Path(args.model)
        if args.model in LAYOUTS:
            model = write_model(args.model, args.tokenizer, scratch, torch.device("cpu"))
        more = f"; bench run with {' '.join(args.more)}" if args.more else ""
        print(
            f"{device_name(device)}, {model.name}, {TASK}, {' '.join(budget(args))}, {args.precision}, "
            f"Trainer's batches {args.sampling}{more}",
            flush=True,
        )
        bench = seconds_of_bench(args, model, scratch) if "bench" in args.sides else None
        loops: dict[str, Loop] = {}
        if "trainer" in args.sides:
            for method, cells in planned(args, model).items():
                loops[method] = Loop(len(cells))
                for cell in evenly(cells, args.trainer_cells):
                    loops[method].seconds.append(seconds_of_cell(args, model, cell))
                    print(f"{cell.label}, {cell.seed_label}: {loops[method].seconds[-1]:.1f} s", flush=True)
    print("\n" + "\n".join(table(loops, bench)))
    if args.json:
        figures = {"device": device_name(device), "arguments": {name: str(value) for name, value in vars(args).items()}}
        loop = {method: {"cells": loop.cells, "seconds": loop.seconds} for method, loop in loops.items()}
        args.json.write_text(json.dumps({**figures, "bench_seconds": bench, "loop": loop}, indent=1))


if __name__ == "__main__":
    main()
