"""Seconds per training step of deep prefixes: the PEFT library under the HF Trainer, and tuning-bench's own loop.

    python tests/perf/prefix_step_time.py --model DIR --data DIR [--steps 20] [--rounds 3]

`--data` is a folder with RTE's train.jsonl (premise, hypothesis, label). Every arm trains on batches that its own
sampler made of the whole file, `--steps` of them a round, spread evenly over the epoch so that long and short batches
come in their true proportion (a length-grouped epoch starts with its longest). Rounds of the arms alternate, so that
what else the machine does falls on all of them; the first steps of a round are not counted. The table gives the median
of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PrefixTuningConfig, TaskType, get_peft_model
from rich.console import Console
from rich.table import Table
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.utils import logging

from bench.cell import Budget, Cell, Precision
from bench.data.encode import encode
from bench.data.examples import read_examples
from bench.data.kind import LayoutSpec
from bench.data.specials import special
from bench.data.tokens import TokenStore
from bench.model.loading import load_backbone
from bench.model.memory import default_token_budget
from bench.model.source import find_model
from bench.registry import build, find_method
from bench.resolved import ResolvedCell
from bench.task import Source, Suite, Task
from bench.train.lane import Lane
from bench.train.loop import fit
from bench.train.run_data import LaneData
from bench.tuning import Method

WARMUP = 3  # steps at the start of a round that are not counted: allocations, our loop's checks on its first steps


@dataclass
class StepClock(TrainerCallback):
    """Notes when each step ended; batch making between two steps counts, as it does for a user."""

    ends: list[float] = field(default_factory=list)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.ends.append(time.perf_counter())

    def seconds_per_step(self) -> float:
        counted = self.ends[WARMUP - 1 :]  # from the end of the last warm-up step
        return (counted[-1] - counted[0]) / (len(counted) - 1)


class SampledTrainer(Trainer):
    """The HF Trainer on an even sample of the batches that its sampler makes of the whole training set."""

    def _get_train_sampler(self, train_dataset: Any = None) -> list[int]:
        order, size = list(super()._get_train_sampler(train_dataset)), self.args.train_batch_size
        batches = [order[start : start + size] for start in range(0, len(order) - size + 1, size)]
        counted = even_sample(batches, self.args.max_steps - WARMUP)
        return [row for batch in random.sample(batches, WARMUP) + counted for row in batch]


def even_sample(batches: list[list[int]], count: int) -> list[list[int]]:
    """`count` batches at equal strides from a random start, in random order; all of them when there are no more."""
    stride = max(1.0, len(batches) / count)
    start = random.random() * stride
    chosen = [batches[int(start + stride * place) % len(batches)] for place in range(min(count, len(batches)))]
    random.shuffle(chosen)
    return chosen


def rows_of(args: argparse.Namespace) -> list[dict[str, Any]]:
    """RTE's training rows as token ids, cut at --max-length."""
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows = [json.loads(line) for line in (args.data / "train.jsonl").read_text().splitlines()]
    classes = sorted({row["label"] for row in rows})
    encoded = []
    for row in rows:
        ids = tokenizer(row["premise"], row["hypothesis"], truncation=True, max_length=args.max_length)
        encoded.append({**ids, "labels": classes.index(row["label"])})
    return encoded


def seconds_per_step_peft(
    args: argparse.Namespace, rows: list[dict[str, Any]], *, bf16: bool = False, sampling: str = "random"
) -> float:
    """PEFT prefix tuning under the HF Trainer with dynamic padding, weights in fp32, bf16 by autocast."""
    torch.manual_seed(args.seed)
    backbone = AutoModelForSequenceClassification.from_pretrained(args.model, num_labels=2, dtype=torch.float32)
    config = PrefixTuningConfig(task_type=TaskType.SEQ_CLS, num_virtual_tokens=args.length)
    clock = StepClock()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            max_steps=WARMUP + args.steps,
            per_device_train_batch_size=args.batch_size,
            learning_rate=5e-3,
            bf16=bf16,
            use_cpu=True,
            train_sampling_strategy=sampling,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=args.seed,
        )
        trainer = SampledTrainer(
            model=get_peft_model(backbone, config),
            args=settings,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(AutoTokenizer.from_pretrained(args.model)),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.seconds_per_step()


def seconds_per_step_ours(args: argparse.Namespace, precision: Precision = "bf16") -> float:
    """tuning-bench's loop on random batches: method ptv2, same rows, prompt length and batch size.

    The backbone's own dropout is off, as is the default of every tuning-bench method; the Trainer runs it.
    """
    task = Task(
        name="rte",
        kind="classification",
        source=Source(local=("{split}.jsonl",)),
        plain="{premise}[SEP]{hypothesis}",
        classes=("entailment", "not_entailment"),
        metrics=("accuracy",),
    )
    method = build(find_method("ptv2"), {"length": args.length})
    backbone = load_backbone(find_model(args.model), torch.device("cpu"), precision, frozen=True)
    texts = read_examples(task, "train", args.data).examples
    known = special(backbone.tokenizer, backbone.reader)
    rows = encode(task, LayoutSpec(known, TokenStore(), method.slots(), False, args.max_length), texts)
    few, few_texts = rows[: args.batch_size], texts[: args.batch_size]  # evaluated once, at the end; not timed
    data = LaneData(rows, few, few, texts, few_texts, few_texts)
    suite = Suite(name="perf", tasks=(task,))
    resolved = ResolvedCell(_cell(args, task, method, precision), task, method, suite)
    lane = Lane.alone(resolved, backbone, data)
    seconds: list[float] = []
    fit(
        backbone,
        [lane],
        default_token_budget(backbone.geometry.hidden, backbone.device),
        lambda progress: seconds.append(progress.seconds),
    )
    if lane.status != "done":
        raise SystemExit(f"the lane ended as {lane.status}: {lane.reason}")
    return statistics.mean(seconds[WARMUP:])


def _cell(args: argparse.Namespace, task: Task, method: Method, precision: Precision) -> Cell:
    return Cell(
        suite="perf",
        task=task.name,
        task_version=task.version,
        data_fingerprint="",
        model=Path(args.model).name,
        model_fingerprint="",
        method=method.name,
        settings=method.model_dump(mode="json"),
        seed=args.seed,
        budget=Budget(steps=WARMUP + args.steps, batch_size=args.batch_size, max_length=args.max_length, evaluations=1),
        protocol="holdout",
        precision=precision,
    )


def arms(args: argparse.Namespace) -> dict[str, Callable[[], float]]:
    """What is compared, by the name of its line in the table."""
    rows = rows_of(args)
    peft: dict[str, Callable[[], float]] = {
        "PEFT + Trainer, fp32": lambda: seconds_per_step_peft(args, rows),
        "PEFT + Trainer, bf16": lambda: seconds_per_step_peft(args, rows, bf16=True),
        "PEFT + Trainer, bf16, group_by_length": lambda: seconds_per_step_peft(
            args, rows, bf16=True, sampling="group_by_length"
        ),
    }
    ours: dict[str, Callable[[], float]] = {
        "tuning-bench ptv2, fp32": lambda: seconds_per_step_ours(args, "fp32"),
        "tuning-bench ptv2, bf16": lambda: seconds_per_step_ours(args),
    }
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
    table = Table(title=f"{Path(args.model).name}, batch {args.batch_size}, {torch.get_num_threads()} threads")
    for heading in ("", "seconds/step", "lowest–highest round", "× fastest"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, values in seconds.items():
        spread = f"{min(values):.2f}–{max(values):.2f}"
        table.add_row(name, f"{medians[name]:.2f}", spread, f"{medians[name] / fastest:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
