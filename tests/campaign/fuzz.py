"""Fuzz: made and mutated input of every kind; the program answers with a result, or refuses it in one line.

    python -m tests.campaign.fuzz [--short] [--cases N] [--seconds S] [--targets NAME,…] [--seed N] [--save]

A case is one input as a user could give it: flags, a file, a folder. It runs in a process of its own, and breaks where
it ends in anything else than a result or a UsageError, takes over 20 s, or over 2 GB, or makes a data set smaller
without a word. What once broke (corpus/TARGET/*.json) runs first. `--save` makes each new failure as small as it can
be and adds it there. It prints one line of figures; on standard error, for each way of breaking, the case and its seed.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.campaign.fuzzing import cases
from tests.campaign.fuzzing.finding import Failure, Tally, explore, replay, shrunk
from tests.campaign.fuzzing.target import Target, targets

SHORT_CASES, FULL_CASES = 300, 10_000
SHOWN = 3000  # characters of a case


# Of a fork of half a gigabyte most is the copying of its page tables: in huge pages it takes a third of the time.
FORKS = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def main() -> int:
    arguments = _arguments()
    if not FORKS.keys() <= os.environ.keys():
        module = [sys.executable, "-m", "tests.campaign.fuzz", *sys.argv[1:]]
        os.execve(sys.executable, module, {**FORKS, **os.environ})
    chosen = _chosen(arguments.targets.split(",") if arguments.targets else [])
    begun = time.monotonic()
    number = arguments.cases or (SHORT_CASES if arguments.short else FULL_CASES)
    seconds = arguments.seconds or float("inf")  # with none the same cases run on any machine
    workers, names = arguments.workers, [target.name for target in chosen]
    with tempfile.TemporaryDirectory(prefix="tuning-bench-fuzz-") as place:
        _keep_in(place)
        for target in chosen:
            target.prepare()
        until = time.monotonic() + seconds
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
            parts = [pool.submit(_work, names, number, arguments.seed, at, workers, until) for at in range(workers)]
            tally = _joined([part.result() for part in parts])
        for failure in tally.failures.values():
            _tell(failure)
            if arguments.save:
                _save(failure, chosen)
    print(_line(tally, time.monotonic() - begun))
    return 1 if tally.failures else 0


def _keep_in(place: str) -> None:
    """All that is made lies in one folder, tokens and proofs too; no network, and one thread, which forks need."""
    tempfile.tempdir = place
    os.environ.update(
        TUNING_BENCH_CACHE=f"{place}/cache", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1",
        ARROW_DEFAULT_MEMORY_POOL="system",  # others reserve address space, which is bounded
    )  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="a minute on two cores")
    parser.add_argument("--cases", "--number", type=int, help="over all targets together")
    parser.add_argument("--seconds", type=float, help="no new case after so many; default: none")
    parser.add_argument("--targets", default="", help="some of them; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="add what breaks to the corpus")
    return parser.parse_args()


def _chosen(names: Sequence[str]) -> list[Target]:
    known = targets()
    return [known[name] for name in names] or [*known.values()]


def _work(names: Sequence[str], number: int, seed: int, worker: int, workers: int, until: float) -> Tally:
    """A worker's part of the cases: of the corpus that of some targets, of the new ones a part of each target's."""
    chosen = _chosen(names)
    tally, whole = Tally(), sum(target.share for target in chosen)
    with tempfile.TemporaryDirectory() as folder:
        gc.freeze()
        for at, target in enumerate(chosen):
            if at % workers == worker:
                replay(target, tally, Path(folder))
        for at, target in enumerate(chosen):
            left = until - time.monotonic()
            enough = time.monotonic() + left / (len(chosen) - at)  # no target takes the time of those after it
            count = _part(round(number * target.share / whole), worker, workers)
            explore(target, count, _seed(seed, target.name, worker), tally, Path(folder), enough)
    return tally


def _part(number: int, worker: int, workers: int) -> int:
    return number // workers + (worker < number % workers)


def _seed(seed: int, *names: object) -> int:
    return int.from_bytes(hashlib.sha256(repr((seed, *names)).encode()).digest()[:6], "big")


def _joined(tallies: Sequence[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        for name in ("kinds", "cases", "seconds"):
            getattr(whole, name).update(getattr(tally, name))
        for key, failure in tally.failures.items():
            known = whole.failures.setdefault(key, failure)
            known.times += failure.times if known is not failure else 0
    return whole


def _tell(failure: Failure) -> None:
    case = cases.written(failure.case)
    shown = case if len(case) <= SHOWN else case[:SHOWN] + "…"
    print(f"{failure.target}: {failure.outcome.key}, {failure.times} times; first: {failure.made}", file=sys.stderr)
    print(f"{failure.outcome.said}\n{shown}", file=sys.stderr)


def _save(failure: Failure, chosen: Sequence[Target]) -> None:
    target = next(target for target in chosen if target.name == failure.target)
    case = failure.case
    if failure.number:
        with tempfile.TemporaryDirectory() as folder:
            case = shrunk(target, failure, Path(folder))
    text = cases.written(case)
    path = cases.CORPUS / target.name / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"saved {path}:\n{text[:SHOWN]}", file=sys.stderr)


def _line(tally: Tally, seconds: float) -> str:
    kinds, number = tally.kinds, tally.cases.total()
    names = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.cases.items()))
    failing = Counter(failure.target for failure in tally.failures.values())
    broken = f"{kinds['broken']:,} broken" + (f" in {failing.total()} ways" if failing else "")
    return (
        f"fuzz: {number:,} cases of {len(tally.cases)} targets ({names}) in {seconds:,.0f} s: "
        f"{kinds['result']:,} results, {kinds['refusal']:,} refusals, {broken}"
    )


if __name__ == "__main__":
    sys.exit(main())
