"""Milliseconds a training step of a large frozen decoder on one GPU and spread over several, and the memory of each.

    python -m tests.perf.spread_step_time --data DIR --tokenizer DIR [--model 10b] [--shards 1,2] [--methods ptv2,lora]
        [--cells 4] [--steps 10] [--device cuda] [--json FILE]

`--data` is a folder with RTE's train.jsonl, `--tokenizer` one with the files of a tokenizer. The model has random
weights (tests/perf/random_models.py), which are written to a temporary folder in bf16 (20 GB of 10b) and loaded once
for each number of GPUs. Layers are neither compiled nor, on several GPUs, captured; the share of the peak is of as many
matrix products as there are GPUs, by real tokens alone. The losses are those of the third step: equal ones of two rows
say that the numbers are those of one GPU. On a processor (`--device cpu --model tiny-decoder`) the further devices are
the same one again, to try the script.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer
from transformers.utils import logging

from bench.cell import Budget
from bench.model.backbone import Backbone
from bench.model.device import choose_precision, device_name
from bench.model.proofs import prove
from bench.model.source import find_model
from bench.train.meter import peak_bytes, reset_peak
from bench.train.options import Options
from tests.perf.own_lanes import Bench
from tests.perf.random_models import layout, num_inner_parameters, write_model
from tests.perf.rte_rows import token_rows
from tests.perf.step_clock import StepClock
from tests.perf.step_figures import Work, matrix_peak

COLUMNS = (
    "GPUs",
    "method",
    "ms a step",
    "blocks",
    "real tokens/s",
    "of peak",
    "peak GB of each",
    "s loading",
    "losses",
)
MOST_STEPS = 1000  # of the budget, which nobody reaches


@dataclass(frozen=True)
class Spread:
    """What a method's steps came to on so many devices: seconds and bytes."""

    num_devices: int
    method: str
    seconds: float
    seconds_by_block: list[float]
    tokens_per_second: float
    peak_share: float
    peak_bytes: list[int]
    load_seconds: float
    losses: list[float]

    def line(self) -> str:
        low, high = min(self.seconds_by_block), max(self.seconds_by_block)
        peaks = ", ".join(f"{peak / 1e9:.1f}" for peak in self.peak_bytes)
        losses = ", ".join(f"{loss:.7g}" for loss in self.losses)
        return _row(
            str(self.num_devices), self.method, f"{self.seconds * 1e3:.1f}", f"{low * 1e3:.1f}–{high * 1e3:.1f}",
            f"{self.tokens_per_second:,.0f}", f"{self.peak_share:.1%}", peaks, f"{self.load_seconds:.1f}", losses,
        )  # fmt: skip


def measure(args: argparse.Namespace, folder: Path, work: Work, num_devices: int) -> Iterator[Spread]:
    """Each method's steps on so many devices, over a backbone that is loaded once."""
    devices = [torch.device(args.device, number) for number in range(num_devices)]
    options = Options(devices[0], args.cells, args.token_budget, compile="off", others=tuple(devices[1:]))
    budget = Budget(steps=MOST_STEPS, batch_size=args.batch_size, max_length=args.max_length, evaluations=1)
    bench = Bench(folder, args.data, options, choose_precision(args.precision, devices[0]), budget)
    backbone: Backbone | None = None
    for method in args.methods:
        settings = {"ptv2": {"length": args.length}, "lora": {"r": args.rank}}.get(method, {})
        cells = bench.cells(method, settings, args.cells)
        reset_peak(*devices)
        if backbone is None:
            started = time.perf_counter()
            backbone = bench.load(cells)
            load_seconds = time.perf_counter() - started
        clock = StepClock(devices[0], args.warmup, args.steps)
        losses = bench.time_steps(cells, backbone, clock)
        tokens = work.tokens_per_row * args.batch_size * args.cells / clock.seconds_per_step
        yield Spread(
            num_devices, method, clock.seconds_per_step, clock.seconds_by_block, tokens,
            tokens * work.flops_per_token(method) / work.peak / num_devices,
            [peak_bytes(device) for device in devices], load_seconds, losses,
        )  # fmt: skip
        gc.collect()


def _row(*texts: str) -> str:
    return f"| {' | '.join(texts)} |"


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder with RTE's train.jsonl")
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder with the files of a tokenizer")
    parser.add_argument("--model", default="10b")
    parser.add_argument("--shards", type=_names, default=["1", "2"], help="numbers of devices")
    parser.add_argument("--methods", type=_names, default=["ptv2", "lora"])
    parser.add_argument("--cells", type=int, default=4, help="lanes of a loop")
    parser.add_argument("--steps", type=int, default=10, help="steps counted")
    parser.add_argument("--warmup", type=int, default=5, help="first steps, not counted")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--length", type=int, default=20, help="prompt positions per layer")
    parser.add_argument("--rank", type=int, default=8, help="of LoRA")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of text")
    parser.add_argument("--token-budget", type=int, default=None, help="tokens per micro-batch")
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "fp32"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--json", type=Path, help="write all figures there, after each row")
    return parser.parse_args()


def main() -> None:
    args, started = arguments(), time.perf_counter()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    device = torch.device(args.device, 0)
    precision = choose_precision(args.precision, device)
    peak = matrix_peak(device, torch.bfloat16 if precision == "bf16" else torch.float32)
    lengths = [len(row["input_ids"]) for row in token_rows(
        AutoTokenizer.from_pretrained(args.tokenizer), args.data / "train.jsonl", args.max_length
    )]  # fmt: skip
    config = layout(args.model, args.tokenizer)
    work = Work(config, lengths, args.length, peak)
    print(
        f"{device_name(device)}, {precision}, {peak / 1e12:.2f} TFLOP/s in a square product; {args.model}: "
        f"{num_inner_parameters(config) / 1e9:.2f}e9 parameters in its layers; {args.cells} lanes of "
        f"{args.batch_size} rows",
        flush=True,
    )
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TUNING_BENCH_CACHE"] = scratch  # a proof of a model that nobody will see again
        begun = time.perf_counter()
        folder = write_model(args.model, args.tokenizer, Path(scratch), device)
        print(f"written in {time.perf_counter() - begun:.1f} s", flush=True)
        begun = time.perf_counter()
        prove(find_model(str(folder)), device)
        print(f"hashed and proved in {time.perf_counter() - begun:.1f} s\n", flush=True)
        print(f"{_row(*COLUMNS)}\n|{' --- |' * len(COLUMNS)}", flush=True)
        for number in map(int, args.shards):
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()
            for figure in measure(args, folder, work, number):
                print(figure.line(), flush=True)
                figures.append(asdict(figure))
                if args.json:
                    args.json.write_text(json.dumps({"arguments": {**vars(args)}, "figures": figures}, default=str))
    print(f"\n{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
