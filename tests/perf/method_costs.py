"""What each method costs on one model and task: parameters, seconds a step, peak memory, as a Markdown table.

    python tests/perf/method_costs.py --data DIR [--model DIR] [--steps 20] [--set METHOD.NAME=VALUE …]

`--data` is a folder as `bench run --data` takes it. Every method has a process of its own, one after another, with the
same batches (the order of a seed is the same for all), length, precision and evaluation. Seconds are the median of the
steps after the first ones; peak memory is that of the process from the first step to the last, the model included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.plan.cells import plan
from bench.registry import methods
from bench.request import RunRequest
from bench.resolved import resolve

WARMUP = 3  # first steps, not counted: allocations, and the checks that the right tensors train
COLUMNS = ("method", "head", "trained", "stored", "seconds a step", "peak memory (MB)")


class Clock:
    """An audience that notes the seconds of every step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def loop(self, cells: object) -> nullcontext[None]:
        self.seconds.clear()  # of a first stage before this loop
        return nullcontext()

    def step(self, progress: Any) -> None:
        self.seconds.append(progress.seconds)

    def chosen(self, choice: object) -> None: ...

    def finished(self, record: object) -> None:
        pass


def measure(args: argparse.Namespace, method: str) -> dict[str, Any]:
    """One method in this process; what the table wants of it. UsageError where the plan skips it."""
    import torch

    from bench.runner import Runner
    from bench.store.store import Store
    from bench.train.groups import groups
    from bench.train.options import Options

    request = RunRequest(
        suite=args.suite, tasks=(args.task,), methods=(method,), models=(args.model,), seeds=(args.seed,),
        data=args.data, set=[setting for setting in args.set if setting.strip().startswith(f"{method}.")],
        steps=WARMUP + args.steps, batch_size=args.batch_size, max_length=args.max_length, evaluations=1,
        scored_rows=args.batch_size,
    )  # fmt: skip
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        options = Options(torch.device(args.device), checkpointing=args.checkpointing)
        store = Store.create(Path(folder) / "out")
        cells = [resolve(cell) for cell in plan(request, args.precision).cells]
        (record,) = Runner(store, options, clock).run(groups(cells, max_lanes=1))
    if record.status != "done":
        raise UsageError(f"{record.status}: {record.reason}")
    counted = clock.seconds[WARMUP:]
    return {
        "method": record.cell.label,
        "head": record.cell.settings["head"],
        "trained": record.parameters.trained,
        "stored": record.parameters.stored,
        "seconds": statistics.median(counted) if counted else None,
        "peak_bytes": record.costs.peak_bytes,
    }


def in_a_process_of_its_own(arguments: Sequence[str], method: str) -> dict[str, Any]:
    """What `measure` gives there, or the reason why it gives nothing."""
    command = [sys.executable, __file__, *arguments, "--only", method]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"method": method, "reason": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def line(found: dict[str, Any]) -> str:
    """A row of the table."""
    if "reason" in found:
        return f"| `{found['method']}` | – | – | – | – | {found['reason']} |"
    seconds = "–" if found["seconds"] is None else f"{found['seconds']:.3f}"
    sizes = (f"{found[name]:,}" for name in ("trained", "stored"))
    return " | ".join((f"| `{found['method']}`", found["head"], *sizes, seconds, f"{found['peak_bytes'] / 1e6:,.0f} |"))


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="../shared/real/models/MiniLM-L6-mlm", help="folder or hub id")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--suite", default="superglue")
    parser.add_argument("--task", default="rte")
    parser.add_argument("--methods", default="", help="comma-separated; all by default")
    parser.add_argument("--set", action="append", default=[], metavar="METHOD.NAME=VALUE")
    parser.add_argument("--steps", type=int, default=20, help=f"steps that count; {WARMUP} more come before them")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=128, help="tokens of text")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--checkpointing", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help=argparse.SUPPRESS)  # measure this one here and print it as JSON
    return parser.parse_args(given)


def main() -> None:
    given = sys.argv[1:]
    args = arguments(given)
    if args.only:
        try:
            print(json.dumps(measure(args, args.only)))
        except UsageError as error:
            raise SystemExit(str(error)) from None
        return
    chosen = RunRequest(methods=args.methods).methods or tuple(methods())
    print(
        f"{Path(args.model).name}, {args.task}, batch {args.batch_size}, {args.max_length} tokens of text at most, "
        f"{args.precision}, median of {args.steps} steps\n\n| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}",
        flush=True,
    )
    for name in chosen:
        print(line(in_a_process_of_its_own(given, name)), flush=True)


if __name__ == "__main__":
    main()
