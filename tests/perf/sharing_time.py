"""Tokens a second that one GPU does with one process at work, with two, …, as `--devices 0`, `0,0`, … have them.

    python -m tests.perf.sharing_time --data DIR --tokenizer DIR [--device cuda] [--processes 1,2,4] [--lanes 4]
        [--model 110m] [--method lora] [--repeat 3] [--seconds 6] [--profile]

Each process has a loop of its own over the rows of RTE's train.jsonl, its premises `--repeat` times as long as they
are, on a model with random weights. All warm up first, one beside the other; then so many work for `--seconds` while
the others wait, at the end once more as many as at first, which says how steady the machine is. With `--profile` the
first one alone says at last in which kernels the time goes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from bench.cell import Budget
from bench.model.device import choose_precision, device_name
from bench.train.loop import Progress
from bench.train.options import Options
from tests.perf.own_lanes import Bench, Enough
from tests.perf.random_models import write_model

TOGETHER = 8  # steps between two looks at whose turn it is, at each of which the device is waited for
PROFILED = 4  # times as many
ROWS = 30  # kernels that are shown
OVER, PROFILE = -1, -2  # what `at_work` says when all is measured
POLL = 0.005  # seconds


@dataclass
class Shared:
    """What the processes tell each other: how many may work, how many are warm, and of each its tokens and the time of
    its last look.
    """

    at_work: Any
    warm: Any
    looks: Any  # of each process two numbers

    def look(self, number: int) -> tuple[float, float]:
        with self.looks.get_lock():
            return self.looks[2 * number], self.looks[2 * number + 1]


class Turns:
    """Hears of each step of one process's loop, counts its tokens, and waits while it is not its turn."""

    def __init__(self, number: int, shared: Shared, device: torch.device, warmup: int) -> None:
        self._number, self._shared, self._device, self._warmup = number, shared, device, warmup
        self._steps = self._tokens = 0
        self._profile: Any = None
        self._profile_until = 0

    def tell(self, progress: Progress) -> None:
        """After a step. Enough when all is measured."""
        self._steps += 1
        self._tokens += progress.tokens
        if self._steps < self._warmup or self._steps % TOGETHER:
            return
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        if self._steps < self._warmup + TOGETHER:
            with self._shared.warm.get_lock():
                self._shared.warm.value += 1
        while 0 <= self._shared.at_work.value <= self._number:
            time.sleep(POLL)
        place = 2 * self._number
        with self._shared.looks.get_lock():
            self._shared.looks[place], self._shared.looks[place + 1] = self._tokens, time.monotonic()
        if self._shared.at_work.value == PROFILE and self._number == 0:
            self._look_closer()
        elif self._shared.at_work.value < 0:
            raise Enough

    def _look_closer(self) -> None:
        if self._profile is None:
            kinds = [ProfilerActivity.CUDA if self._device.type == "cuda" else ProfilerActivity.CPU]
            self._profile, self._profile_until = profile(activities=kinds), self._steps + PROFILED * TOGETHER
            self._profile.start()
        elif self._steps >= self._profile_until:
            self._profile.stop()
            of = "self_device_time_total" if self._device.type == "cuda" else "self_cpu_time_total"
            print(f"{PROFILED * TOGETHER} steps of one process alone")
            print(self._profile.key_averages().table(sort_by=of, row_limit=ROWS, max_name_column_width=110), flush=True)
            raise Enough


def work(number: int, shared: Shared, chosen: argparse.Namespace, folder: Path, rows: Path) -> None:
    """One process."""
    torch.set_num_threads(1)
    device = torch.device(chosen.device)
    budget = Budget(steps=1_000_000, batch_size=chosen.batch_size, max_length=chosen.max_length, evaluations=1)
    options = Options(device, chosen.lanes, compile="off" if device.type == "cpu" else "on")
    bench = Bench(folder, rows, options, choose_precision("auto", device), budget)
    cells = bench.cells(chosen.method, {}, chosen.lanes, first_seed=number * chosen.lanes)
    backbone = bench.load(cells)
    bench.train(cells, backbone, Turns(number, shared, device, chosen.warmup).tell)


def measure(shared: Shared, counts: list[int], seconds: float) -> list[float]:
    """Tokens a second of so many processes together, for each count."""
    rates = []
    for count in counts:
        shared.at_work.value = count
        time.sleep(seconds / 4)  # until those that were asked to wait do, and the others are at it
        before = [shared.look(number) for number in range(count)]
        time.sleep(seconds)
        rate = 0.0
        for number, (tokens, at) in enumerate(before):
            now, then = shared.look(number)
            rate += (now - tokens) / (then - at) if then > at else 0.0
        rates.append(rate)
    return rates


def longer_rows(file: Path, repeat: int, folder: Path) -> Path:
    """A folder with the rows of a file whose premises are so many times as long."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    lines = [json.dumps({**row, "premise": " ".join([row["premise"]] * repeat)}) for row in rows]
    (folder / file.name).write_text("\n".join(lines) + "\n")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder with RTE's train.jsonl")
    parser.add_argument("--tokenizer", required=True, type=Path, help="folder with the files of a tokenizer")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--processes", default="1,2,4", help="how many at a time")
    parser.add_argument("--model", default="110m")
    parser.add_argument("--method", default="lora")
    parser.add_argument("--lanes", type=int, default=4, help="cells of each process's loop")
    parser.add_argument("--repeat", type=int, default=3, help="times that a premise stands in its text")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--max-length", type=int, default=384)
    parser.add_argument("--warmup", type=int, default=120, help="steps, in which shapes are captured as they come")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--profile", action="store_true")
    chosen = parser.parse_args()
    counts = [int(count) for count in chosen.processes.split(",")]
    counts.append(counts[0])
    context = multiprocessing.get_context("spawn")
    shared = Shared(context.Value("i", max(counts)), context.Value("i", 0), context.Array("d", 2 * max(counts)))
    with tempfile.TemporaryDirectory() as scratch:
        rows = longer_rows(chosen.data / "train.jsonl", chosen.repeat, Path(scratch))
        folder = write_model(chosen.model, chosen.tokenizer, Path(scratch), torch.device(chosen.device))
        processes = [
            context.Process(target=work, args=(number, shared, chosen, folder, rows)) for number in range(max(counts))
        ]
        begun = time.perf_counter()
        for process in processes:
            process.start()
        while shared.warm.value < len(processes):
            if not all(process.is_alive() for process in processes):
                raise SystemExit("a process ended before it was warm")
            time.sleep(POLL)
        print(f"{device_name(torch.device(chosen.device))}, {chosen.model}, {chosen.method}: "
              f"{chosen.lanes} lanes each; warm after {time.perf_counter() - begun:.0f} s")  # fmt: skip
        rates = measure(shared, counts, chosen.seconds)
        print("| processes | tokens/s | beside the first |\n| ---: | ---: | ---: |")
        for count, rate in zip(counts, rates, strict=True):
            print(f"| {count} | {rate:,.0f} | {rate / rates[0]:.2f} |", flush=True)
        shared.at_work.value = PROFILE if chosen.profile else OVER
        for process in processes:
            process.join()


if __name__ == "__main__":
    main()
