"""Seconds per training step of deep prefixes on a CPU: PEFT under the HF Trainer, and tuning-bench's own loop.

    python -m tests.perf.prefix_step_time --model DIR --data DIR [--steps 20] [--rounds 3]

`--data` is a folder with RTE's train.jsonl (premise, hypothesis, label). Every arm trains on batches that its own
sampler made of the whole file, `--steps` of them a round, spread evenly over the epoch so that long and short batches
come in their true proportion (a length-grouped epoch starts with its longest). Rounds of the arms alternate, so that
what else the machine does falls on all of them; the first steps of a round are not counted. The table gives the median
of the rounds. Where the processor has no bf16 its arms are left out: each step would take minutes.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer
from transformers.utils import logging

from bench.cell import Budget, Precision
from bench.model.device import has_bf16
from bench.train.options import Options
from tests.perf.own_lanes import Bench
from tests.perf.peft_trainer import LEARNING_RATES, Batching, adapted, fp32_classifier, time_steps
from tests.perf.rte_rows import token_rows
from tests.perf.step_clock import StepClock

CPU = torch.device("cpu")
WARMUP = 3  # steps at the start of a round that are not counted: allocations, our loop's checks on its first steps


def seconds_per_step_peft(args: argparse.Namespace, precision: Precision, batching: Batching) -> float:
    """PEFT prefix tuning under the HF Trainer."""
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = adapted(fp32_classifier(args.model), "ptv2", {"length": args.length})
    clock = StepClock(CPU, WARMUP, args.steps)
    time_steps(
        model, token_rows(tokenizer, args.data / "train.jsonl", args.max_length), tokenizer, batching, clock,
        per_device_train_batch_size=args.batch_size, learning_rate=LEARNING_RATES["ptv2"], bf16=precision == "bf16",
        use_cpu=True, seed=args.seed,
    )  # fmt: skip
    return clock.seconds_per_step


def seconds_per_step_ours(args: argparse.Namespace, precision: Precision) -> float:
    """tuning-bench's loop on random batches: method ptv2, same rows, prompt length and batch size.

    The backbone's own dropout is off, as is the default of every tuning-bench method; the Trainer runs it.
    """
    budget = Budget(
        steps=WARMUP + args.steps + 1, batch_size=args.batch_size, max_length=args.max_length, evaluations=1
    )
    bench = Bench(Path(args.model), args.data, Options(CPU), precision, budget)
    cells = bench.cells("ptv2", {"length": args.length}, 1, args.seed)
    clock = StepClock(CPU, WARMUP, args.steps)
    bench.time_steps(cells, bench.load(cells), clock)
    return clock.seconds_per_step


def arms(args: argparse.Namespace) -> dict[str, Callable[[], float]]:
    """What is compared, by the name of its line in the table."""
    precisions: list[Precision] = ["fp32", "bf16"] if has_bf16(CPU) else ["fp32"]
    peft: dict[str, Callable[[], float]] = {}
    ours: dict[str, Callable[[], float]] = {}
    for precision in precisions:
        for batching in (Batching(), Batching("group_by_length")):
            name = f"PEFT + Trainer, {precision}, {batching.name}"
            peft[name] = partial(seconds_per_step_peft, args, precision, batching)
        ours[f"tuning-bench ptv2, {precision}"] = partial(seconds_per_step_ours, args, precision)
    return {"peft": peft, "ours": ours, "all": peft | ours}[args.arms]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of an encoder")
    parser.add_argument("--data", required=True, type=Path, help="folder with RTE's train.jsonl")
    parser.add_argument("--steps", type=int, default=20, help="steps counted in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--length", type=int, default=20, help="prompt positions per layer")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of text")
    parser.add_argument("--arms", choices=("all", "peft", "ours"), default="all")
    parser.add_argument("--seed", type=int, default=0, help="of the first round; each further round adds one")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    compared = arms(args)
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(args.rounds):
        for name, measure in compared.items():
            random.seed(args.seed)
            seconds[name].append(measure())
        args.seed += 1

    medians = {name: statistics.median(values) for name, values in seconds.items()}
    fastest = min(medians.values())
    left_out = "" if has_bf16(CPU) else " without bf16"
    title = f"{Path(args.model).name}, batch {args.batch_size}, {torch.get_num_threads()} threads{left_out}"
    table = Table(title=title)
    for heading in ("", "seconds/step", "lowest–highest round", "× fastest"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, values in seconds.items():
        spread = f"{min(values):.2f}–{max(values):.2f}"
        table.add_row(name, f"{medians[name]:.2f}", spread, f"{medians[name] / fastest:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
