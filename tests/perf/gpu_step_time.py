"""Milliseconds a training step of a cell: PEFT under the HF Trainer, and tuning-bench's loop with one cell and many.

    python -m tests.perf.gpu_step_time --data DIR --tokenizer DIR [--device cuda] [--models 23m,110m] [--methods ptv2]
        [--arms trainer,alone,together] [--lanes 1,2,4,8] [--steps 30] [--seconds-per-arm 4] [--json FILE]

`--data` is a folder with RTE's train.jsonl (premise, hypothesis, label), `--tokenizer` one with the files of a
tokenizer. Models have random weights (tests/perf/random_models.py) and are written to a temporary folder, which both
sides load. All arms take the same rows, batch size, prompt length and precision, one after another in this process, and
each frees what it had. The first `--warmup` steps are not counted; the table has the seconds before the first counted
step beside (compiling, capturing, warming up), and the lowest and highest of five blocks of the counted ones, where a
late compilation would show. Batches of the Trainer are spread evenly over its epoch (tests/perf/peft_trainer.py); its
best setting of a method is the reference. Our cells have the budget of a whole run, ten epochs, and leave the loop when
enough was counted, so nothing is evaluated. Both sides have their defaults: the Trainer runs the backbone's dropout and
ours does not, without `--backbone-dropout`. Shares are of a matrix product measured at the start, of real tokens alone.
`--lanes` measures instead how a step of the first model and method grows with its lanes.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
from transformers import AutoTokenizer
from transformers.utils import logging

from bench.cell import Budget, Precision
from bench.model.device import choose_precision, device_name
from bench.resolved import ResolvedCell
from bench.train.meter import peak_bytes, reset_peak
from bench.train.options import Options
from tests.perf.own_lanes import RATES, Bench
from tests.perf.peft_trainer import LEARNING_RATES, Batching, adapted, fp32_classifier, time_steps
from tests.perf.random_models import layout, write_model
from tests.perf.rte_rows import token_rows
from tests.perf.step_clock import StepClock
from tests.perf.step_figures import Arm, Figure, Work, aims, best_trainer, growth, header, line, matrix_peak

METHODS = ("ptv2", "lora", "finetune")
KINDS = ("trainer", "alone", "together")
NOT_FINE_TUNED = ("1b",)  # by default; `--methods finetune` asks for it
RUN_STEPS = 780  # ten epochs of RTE, by which a loop may decide what is worth its while


@dataclass
class Session:
    """What all arms have in common, and what they have come to so far."""

    args: argparse.Namespace
    device: torch.device
    precision: Precision
    peak: float
    rows: list[dict[str, Any]]
    scratch: Path
    figures: list[Figure] = field(default_factory=list)

    def measure(self, arm: Arm, work: Work, train: Callable[[StepClock], str]) -> Figure:
        """Run an arm, which returns a note on its setting; where it fails its figure says why, and the others go on."""
        args = self.args
        random.seed(args.seed)
        torch.manual_seed(args.seed)
        _free(self.device)
        try:
            warmup = args.warmup if arm.kind == "trainer" else args.own_warmup or args.warmup
            clock = StepClock(self.device, warmup, args.steps, args.seconds_per_arm)
            note = train(clock)
            figure = replace(self._figure(arm, work, clock), note=note)
        except Exception as error:  # out of memory, or a library that cannot do it
            figure = Figure(arm, reason=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
        _free(self.device)
        self.figures.append(figure)
        if args.json:
            args.json.write_text(json.dumps({**self.facts(), "figures": list(map(asdict, self.figures))}, indent=1))
        return figure

    def facts(self) -> dict[str, Any]:
        """Where and how it was measured."""
        args = {name: str(value) for name, value in vars(self.args).items()}
        versions = {part.__name__: part.__version__ for part in (torch, transformers, peft)}
        peak = {"peak_flops": self.peak, "precision": self.precision, "device": device_name(self.device)}
        return {**peak, "versions": versions, "arguments": args}

    def _figure(self, arm: Arm, work: Work, clock: StepClock) -> Figure:
        seconds = clock.seconds_per_step / arm.lanes
        tokens = work.tokens_per_row * self.args.batch_size / seconds
        is_cuda = self.device.type == "cuda"
        return Figure(
            arm, seconds, [block / arm.lanes for block in clock.seconds_by_block], clock.seconds_before, clock.counted,
            tokens, tokens * work.flops_per_token(arm.method) / self.peak, peak_bytes(self.device),
            torch.cuda.max_memory_reserved(self.device) if is_cuda else None,
        )  # fmt: skip


def _free(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def trainer_arms(session: Session, model: str, folder: Path, work: Work, methods: Sequence[str]) -> Iterator[Figure]:
    """The Trainer's arms of a model, which is read once and copied for each."""
    args = session.args
    untouched, tokenizer = fp32_classifier(str(folder)), AutoTokenizer.from_pretrained(folder)
    for method in methods:
        for batching in (Batching(), Batching("group_by_length"), Batching(pad_to=args.max_length)):
            setting = f"weights fp32{', autocast bf16' if session.precision == 'bf16' else ''}, the model's dropout on"
            arm = Arm(model, method, "trainer", f"Trainer, {batching.name}", setting)

            def train(clock: StepClock, method: str = method, batching: Batching = batching) -> str:
                tuned = adapted(copy.deepcopy(untouched), method, {"length": args.length, "r": args.rank})
                reset_peak(session.device)
                return time_steps(
                    tuned, session.rows, tokenizer, batching, clock, per_device_train_batch_size=args.batch_size,
                    learning_rate=LEARNING_RATES[method], bf16=session.precision == "bf16",
                    use_cpu=session.device.type == "cpu", seed=args.seed,
                )  # fmt: skip

            yield session.measure(arm, work, train)


def own_arms(
    session: Session, model: str, folder: Path, work: Work, plan: Sequence[tuple[str, int]]
) -> Iterator[Figure]:
    """Our arms of a model: of each method so many lanes."""
    args = session.args
    options = Options(session.device, args.cells, args.token_budget, compile=args.compile)
    steps = max(RUN_STEPS, (args.own_warmup or args.warmup) + args.steps + 1)
    budget = Budget(
        steps=steps, batch_size=args.batch_size, max_length=args.max_length, evaluations=1,
        backbone_dropout=args.backbone_dropout,
    )  # fmt: skip
    bench = Bench(folder, args.data, options, session.precision, budget)
    for method, lanes in plan:
        settings = {"ptv2": {"length": args.length}, "lora": {"r": args.rank}}.get(method, {})
        cells = bench.cells(method, settings, lanes, args.seed)
        name = "ours alone" if lanes == 1 else f"ours, {lanes} lanes"
        arm = Arm(model, method, "alone" if lanes == 1 else "together", name, _own_setting(session, lanes), lanes)

        def train(clock: StepClock, cells: Sequence[ResolvedCell] = cells) -> str:
            if len(cells) > 1 and cells[0].method.changes_weights:
                raise ValueError("its cells change the backbone's weights and cannot share it")
            torch.compiler.reset()  # every arm pays for what it compiles
            backbone = bench.load(cells)
            reset_peak(session.device)
            bench.time_steps(cells, backbone, clock)
            compiled = "compiled" if backbone.compiled else "not compiled"
            return f"layers {compiled}, micro-batches of {options.tokens_for(cells[0])} tokens"

        yield session.measure(arm, work, train)


def _own_setting(session: Session, lanes: int) -> str:
    dropout = "on" if session.args.backbone_dropout else "off"
    of_lanes = "" if lanes == 1 else f", seeds × {len(RATES)} learning rates"
    return f"{session.precision}, compile {session.args.compile}, the model's dropout {dropout}{of_lanes}"


def compare(session: Session, model: str) -> None:
    """All arms of a model, a line each as they come."""
    args = session.args
    asked = args.methods or [name for name in METHODS if name != "finetune" or model not in NOT_FINE_TUNED]
    folder, work = prepared(session, model)
    flops = ", ".join(f"{method} {work.flops_per_token(method) / 1e6:,.1f}" for method in asked)
    print(f"\n## {model}\n\nMFLOP a real token: {flops}\n\n{header()}", flush=True)
    if "trainer" in args.arms:
        for figure in trainer_arms(session, model, folder, work, asked):
            print(line(figure, None), flush=True)
    lanes = {"alone": 1, "together": args.cells}
    chosen = [lanes[kind] for kind in ("alone", "together") if kind in args.arms]
    plan = [(method, count) for method in asked for count in chosen if count == 1 or method != "finetune"]
    for figure in own_arms(session, model, folder, work, plan):
        print(line(figure, best_trainer(session.figures, model, figure.arm.method)), flush=True)


def grow(session: Session, model: str) -> None:
    """How a step of one model and method grows with its lanes."""
    method = (session.args.methods or METHODS)[0]
    folder, work = prepared(session, model)
    print(f"\n## {method} on {model}\n\n{header()}", flush=True)
    for figure in own_arms(session, model, folder, work, [(method, count) for count in session.args.lanes]):
        print(line(figure, None), flush=True)
    print("\n" + "\n".join(growth(session.figures)), flush=True)


def prepared(session: Session, model: str) -> tuple[Path, Work]:
    """The folder of a model, written, and its arithmetic."""
    args = session.args
    started = time.perf_counter()
    folder = write_model(model, args.tokenizer, session.scratch, session.device)
    print(f"\n{model} written in {time.perf_counter() - started:.1f} s", flush=True)
    lengths = [len(row["input_ids"]) for row in session.rows]
    return folder, Work(layout(model, args.tokenizer), lengths, args.length, session.peak)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _counts(text: str) -> list[int]:
    return [int(name) for name in _names(text)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder with RTE's train.jsonl")
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder with the files of a tokenizer")
    parser.add_argument("--models", type=_names, default=["23m", "110m", "335m", "1b"])
    parser.add_argument("--methods", type=_names, default=[], help="default: ptv2,lora,finetune; of 1b the first two")
    parser.add_argument("--arms", type=_names, default=list(KINDS), help="of trainer,alone,together")
    parser.add_argument("--cells", type=int, default=20, help="lanes of the arm `together`")
    parser.add_argument("--lanes", type=_counts, default=[], help="measure instead how the first model's step grows")
    parser.add_argument("--steps", type=int, default=30, help="most steps counted")
    parser.add_argument("--seconds-per-arm", type=float, default=4.0, help="count fewer steps where they take longer")
    parser.add_argument("--warmup", type=int, default=10, help="first steps, not counted")
    parser.add_argument("--own-warmup", type=int, help="of our arms, whose shapes are captured as they come")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--length", type=int, default=20, help="prompt positions per layer")
    parser.add_argument("--rank", type=int, default=8, help="of LoRA")
    parser.add_argument("--max-length", type=int, default=128, help="tokens of text")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "fp32"))
    parser.add_argument("--compile", default="auto", choices=("auto", "on", "off"))
    parser.add_argument("--backbone-dropout", action="store_true", help="ours with the backbone's dropout too")
    parser.add_argument("--token-budget", type=int, default=None, help="tokens per micro-batch of ours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all figures there, after each arm")
    return parser.parse_args()


def main() -> None:
    args, started = arguments(), time.perf_counter()
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # of several GPUs the Trainer would take all
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    device = torch.device(args.device)
    precision = choose_precision(args.precision, device)
    peak = matrix_peak(device, torch.bfloat16 if precision == "bf16" else torch.float32)
    rows = token_rows(AutoTokenizer.from_pretrained(args.tokenizer), args.data / "train.jsonl", args.max_length)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TUNING_BENCH_CACHE"] = scratch  # proofs and tokens of models that nobody will see again
        session = Session(args, device, precision, peak, rows, Path(scratch))
        facts = session.facts()
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        print(
            f"{facts['device']}, {precision}, {peak / 1e12:.2f} TFLOP/s in a square product; {versions}; "
            f"{len(rows)} rows, batch {args.batch_size}, prefix {args.length}, LoRA rank {args.rank}"
        )
        if args.lanes:
            grow(session, args.models[0])
        else:
            for model in args.models:
                compare(session, model)
            print("\n" + "\n".join(aims(session.figures)))
    print(f"\n{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
