"""A step of fine-tuning on one device and by `--shard N`, beside a plain FSDP2 loop over the same layout.

    python -m tests.perf.shard_step_time [--model 1.5b] [--processes 1,2] [--device cuda] [--batch-size 32]
        [--length 512] [--steps 32] [--checkpointing] [--json FILE]

The model has random weights (tests/perf/random_models.py) and the tokenizer of the embedded models, and is written to a
temporary folder; rows are random words, all of `--length` tokens. Ours runs as `bench run` would, from loading the
checkpoint to the record, without storing the tuned weights; its step is timed between the third step and the last, at
which the losses are read. The peer gathers bf16 weights, ours fp32 ones, of which autocast makes bf16. Memory is the
first device's. MFU counts 6·N a token and attention's products (tests/perf/step_figures.py), against a square product
measured at the start, of all devices.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from bench.cell import Precision
from bench.plan.cells import plan
from bench.registry import load_plugin
from bench.request import RunRequest
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.store import Store
from bench.suites.smoke import MODELS
from bench.train.groups import Group
from bench.train.loop import Progress
from bench.train.options import Options
from tests.perf.plain_fsdp import Plain, time_plain
from tests.perf.random_models import layout, write_model
from tests.perf.step_figures import Work, matrix_peak

TOKENIZER = MODELS / "tiny"
SETTLED = 3  # steps, after which losses are read seldom on a GPU
SUITE = """
from bench import Source, Suite, Task
LONG = Suite(name="long", tasks=(Task(
    name="long", kind="classification", source=Source(local=("{split}.jsonl",)), plain="{text}", classes=("a", "b"),
    metrics=("accuracy",),
),))
"""


@dataclass(frozen=True)
class Figure:
    """An arm: seconds a step, tokens a second of all devices, share of their peak, bytes on the first."""

    arm: str
    processes: int
    seconds: float
    tokens_per_second: float
    peak_share: float
    peak_bytes: int


class Timer:
    """An audience that notes when which step was over."""

    def __init__(self) -> None:
        self.marks: list[tuple[int, float]] = []

    def loop(self, cells: object) -> AbstractContextManager[object]:
        return nullcontext()

    def step(self, progress: Progress) -> None:
        if progress.lanes[0].step >= SETTLED:
            self.marks.append((progress.lanes[0].step, time.perf_counter()))

    def finished(self, record: object) -> None: ...

    def chosen(self, choice: object) -> None: ...

    @property
    def seconds(self) -> float:
        """A step's. RuntimeError where losses were read but once."""
        if len(self.marks) < 2:
            raise RuntimeError("too few --steps: their losses were read once")
        (first, began), (last, ended) = self.marks[0], self.marks[-1]
        return (ended - began) / (last - first)


def write_rows(folder: Path, count: int, length: int) -> None:
    """Texts of so many random words, cut to as many tokens."""
    chosen, words = random.Random(0), ["good", "bad", "the", "was", "film", "it"]
    for split, rows in (("train", count), ("dev", 4)):
        texts = (" ".join(chosen.choices(words, k=length)) for _ in range(rows))
        lines = [json.dumps({"text": text, "label": "ab"[at % 2]}) for at, text in enumerate(texts)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")


def ours(args: argparse.Namespace, folder: Path, scratch: Path, processes: int) -> tuple[float, int]:
    """Seconds a step, and the most memory. RuntimeError where the cell fails."""
    devices = [
        torch.device(args.device, at) if args.device == "cuda" else torch.device("cpu") for at in range(processes)
    ]
    request = RunRequest(
        suite="long", methods=("finetune",), models=(str(folder),), data=scratch, seeds=(0,),
        steps=SETTLED + args.steps, batch_size=args.batch_size, max_length=args.length, evaluations=1,
    )  # fmt: skip
    precision: Precision = "bf16" if args.device == "cuda" else "fp32"
    (cell,) = plan(request, precision).cells
    options = Options(
        devices[0], token_budget=args.token_budget, save_tuned=False, checkpointing=args.checkpointing, compile="off",
        others=tuple(devices[1:]),
    )  # fmt: skip
    timer = Timer()
    runner = Runner(Store.create(scratch / f"out-{processes}"), options, timer)
    (record,) = runner.run([Group((resolve(cell),), shared=False)])
    if record.status != "done":
        raise RuntimeError(f"{record.reason}\n{record.traceback}")
    return timer.seconds, record.costs.peak_bytes


def measure(args: argparse.Namespace) -> list[Figure]:
    """Every arm, a line each as they come."""
    peak = matrix_peak(torch.device(args.device), torch.bfloat16 if args.device == "cuda" else torch.float32)
    config = layout(args.model, TOKENIZER)
    work = Work(config, [args.length], 0, peak)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        write_rows(scratch, 2 * args.batch_size, args.length)
        (scratch / "long.py").write_text(SUITE)
        load_plugin(scratch / "long.py")
        folder = write_model(args.model, TOKENIZER, scratch, torch.device(args.device))
        for processes in args.processes:
            for arm in args.arms:
                _release(args.device)
                began = time.perf_counter()
                if arm == "ours":
                    seconds, num_bytes = ours(args, folder, scratch, processes)
                else:
                    plain = Plain(config, args.batch_size, args.length, args.device, processes, args.device == "cuda",
                                  SETTLED, args.steps, args.checkpointing)  # fmt: skip
                    timed = time_plain(plain)
                    seconds, num_bytes = timed.seconds, timed.peak_bytes
                tokens = args.batch_size * args.length / seconds
                share = tokens * work.flops_per_token("finetune") / peak / processes
                figures.append(Figure(arm, processes, seconds, tokens, share, num_bytes))
                print(line(figures[-1], time.perf_counter() - began), flush=True)
    return figures


def _release(device: str) -> None:
    """Give back what an arm before held: the peer's processes want the same device."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def line(figure: Figure, whole: float) -> str:
    return (
        f"| {figure.arm} | {figure.processes} | {figure.seconds * 1e3:,.1f} | {figure.tokens_per_second:,.0f} "
        f"| {figure.peak_share:.1%} | {figure.peak_bytes / 1e9:.1f} | {whole:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="1.5b", help="a layout of a decoder")
    parser.add_argument("--processes", type=_numbers, default=[1, 2])
    parser.add_argument("--arms", type=lambda text: text.split(","), default=["ours", "plain"])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--length", type=int, default=512, help="tokens of a row")
    parser.add_argument("--token-budget", type=int, help="of a micro-batch; default: by the free memory")
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--checkpointing", action="store_true", help="of both arms")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print("| arm | devices | ms a step | tokens/s | MFU | peak GB of one | s in all |\n|" + " --- |" * 7, flush=True)
    figures = measure(args)
    if args.json:
        facts: dict[str, Any] = {"arguments": {name: str(value) for name, value in vars(args).items()}}
        args.json.write_text(json.dumps({**facts, "figures": list(map(asdict, figures))}, indent=1))


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
