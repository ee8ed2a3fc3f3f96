"""Runs with several processes, each the real command: killed, stopped, short of disk, and side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from safetensors.torch import load_file

from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import workers_of
from tests.conftest import Bench
from tests.execute.forked_runs import Nursery
from tests.store.conftest import ROOT

PLUGIN = """
import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path

import torch

from bench.data.slots import Slots
from bench.model.attachment import SlotPrompts
from bench.registry import method
from bench.seeds import derive
from bench import runner
from bench.store import store
from bench.tuning import Method


class Waiting(SlotPrompts):
    def make(self):
        while Path("hold").exists():
            Path(f"held-{os.getpid()}").touch()
            time.sleep(0.01)
        return super().make()


@method("waiting")
class WaitingMethod(Method):
    "Trains on when ./hold is gone; where ./deadly is, seed 1 brings down its process."
    learning_rate: float = 0.01

    def slots(self):
        return Slots(2)

    def attach(self, backbone, task):
        if Path("fatal").exists() and torch.initial_seed() == derive("init", 1, "attachment"):
            runner.is_lost = lambda device: True
            raise RuntimeError("an illegal memory access")
        if Path("deadly").exists() and torch.initial_seed() == derive("init", 1, "attachment"):
            os.kill(os.getpid(), signal.SIGKILL)
        return Waiting(torch.randn(2, backbone.geometry.hidden))


if Path("broken").exists() and multiprocessing.parent_process():
    with open("starts", "a") as starts:
        starts.write("x")
    os._exit(3)

flush = store.flush


def flush_where_there_is_room(path):
    if Path("full").exists() and "partial" in str(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    flush(path)


store.flush = flush_where_there_is_room
"""
WAITING = ("--plugin", "mine.py", "--methods", "waiting")


def hears_ctrl_c() -> None:
    """A shell's background job ignores SIGINT, and so does all that it starts: these tests may be of one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """A `bench run` in a process, and a session, of its own: a fork of one with all imports, or a fresh Python."""

    def __init__(self, nursery: Nursery, flags: Sequence[object], said: Path, fresh: bool) -> None:
        self._said, self._popen = said, None
        if not fresh:
            self.process = nursery.start(["run", *flags], said)
            return
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        with open(f"{said}.out", "w") as out, open(f"{said}.err", "w") as err:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "bench", "run", *map(str, flags)], env=environment, stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True, preexec_fn=hears_ctrl_c,
            )  # fmt: skip
        self.process = self._popen.pid

    def end(self) -> tuple[int, str, str]:
        """(exit code, standard output, errors but no warnings), when all its processes are gone."""
        ended = Path(f"{self._said}.code")
        if self._popen:
            code = self._popen.wait(timeout=400)
        else:
            wait_for(ended.exists, "its end")
            code = int(ended.read_text())
        wait_for(lambda: not self.processes(), "the end of its processes")
        out, said = (Path(f"{self._said}.{stream}").read_text() for stream in ("out", "err"))
        err = "".join(line for line in said.splitlines(keepends=True) if not line.startswith("warning: "))
        assert "Traceback" not in err
        return code, out, err

    def processes(self) -> list[int]:
        """The living processes of its session."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session, *_ = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found += [int(path.parent.name)] if int(session) == self.process and state != "Z" else []
        return found

    def close(self) -> None:
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        if self._popen:
            self._popen.wait()


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def start(bench: Bench, nursery: Nursery, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Start the small grid in a process of its own: start(flags)."""
    Path("mine.py").write_text(PLUGIN)
    runs: list[Run] = []

    def begin(*flags: object, fresh: bool = False) -> Run:
        runs.append(Run(nursery, [*bench.base, *flags], tmp_path / f"run-{len(runs)}", fresh))
        return runs[-1]

    yield begin
    for run in runs:
        run.close()


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert time.monotonic() < deadline, f"no sign of {what}"
        time.sleep(0.01)


def in_training(number: int) -> list[int]:
    """The processes that are held amid their training, when there are so many."""
    wait_for(lambda: len(list(Path().glob("held-*"))) >= number, f"{number} that train")
    return [int(path.name.removeprefix("held-")) for path in Path().glob("held-*")]


def by_seed(folder: str = "out") -> dict[int, Record]:
    records = Store.open(Path(folder)).records()
    assert len({record.cell.seed for record in records}) == len(records)
    return {record.cell.seed: record for record in records}


def left_behind() -> list[Path]:
    return [path for room in ("claims", "workers", ".partial") for path in Path("out").glob(f"{room}/*")]


@pytest.mark.parametrize("fresh", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_worker_that_is_killed_is_replaced_and_its_cells_are_taken_over(
    start: Callable[..., Run], fresh: bool
) -> None:
    Path("hold").touch()
    run = start(*WAITING, "--devices", "cpu:2", "--seeds", "5", "--lanes", "2", fresh=fresh)
    victim, _ = in_training(2)
    (cells,) = (worker.doing[0].cells for worker in workers_of(Path("out")) if worker.identity.process == victim)
    os.kill(victim, signal.SIGKILL)
    Path("hold").unlink()
    code, out, _ = run.end()
    assert (code, {seed: record.status for seed, record in by_seed().items()}) == (0, dict.fromkeys(range(5), "done"))
    assert "the worker on cpu ended (signal 9); what it was training is taken over" in out
    assert {line.split(",")[0] for line in out.splitlines() if line.startswith("[")} == {f"[{n}/5" for n in range(1, 6)}
    assert set(cells) <= {record.id for record in by_seed().values()}
    assert left_behind() == []


def test_a_cell_that_brings_down_every_worker_fails_alone(start: Callable[..., Run], bench: Bench) -> None:
    Path("deadly").touch()
    code, out, _ = start(*WAITING, "--devices", "cpu:2", "--seeds", "4", "--lanes", "2").end()
    found = by_seed()
    statuses = {seed: record.status for seed, record in found.items()}
    assert (code, statuses) == (1, {0: "done", 1: "failed", 2: "done", 3: "done"})
    assert str(found[1].reason).startswith("3 workers ended while they trained it, the last on ")
    assert "1 of 4 cells failed; they are tried again next time" in out
    assert left_behind() == []
    Path("deadly").unlink()
    assert bench.run(*WAITING, "--seeds", "4")[0] == 0
    assert {record.status for record in by_seed().values()} == {"done"}


@pytest.mark.slow
def test_where_no_worker_stays_alive_the_run_ends_with_one_line(start: Callable[..., Run]) -> None:
    Path("broken").touch()
    code, out, err = start(*WAITING, "--devices", "cpu:2", "--seeds", "4", fresh=True).end()
    assert (code, err) == (2, "error: no worker stays alive here: each ended 3 times before it trained anything\n")
    assert Path("starts").read_text() == "xxxxxx"
    assert out.count("the worker on cpu ended (exit code 3) before it trained anything; it is started again") == 4
    assert left_behind() == []


ENDINGS = {
    "Ctrl-C": (lambda run: os.killpg(run.process, signal.SIGINT), 130),  # a terminal tells every process
    "SIGTERM": (lambda run: os.kill(run.process, signal.SIGTERM), 143),
    "killed": (lambda run: os.kill(run.process, signal.SIGKILL), -signal.SIGKILL),
}


@pytest.mark.parametrize(
    ("end", "expected"),
    [pytest.param(*ENDINGS[name], id=name, marks=[pytest.mark.slow] * (name != "Ctrl-C")) for name in ENDINGS],
)
def test_when_the_first_process_is_told_to_end_all_end_and_hold_nothing(
    start: Callable[..., Run], end: Callable[[Run], None], expected: int
) -> None:
    Path("hold").touch()
    run = start(*WAITING, "--devices", "cpu:2", "--seeds", "4")
    in_training(2)
    end(run)
    code, _, err = run.end()
    assert (code, left_behind(), by_seed()) == (expected, [], {})
    stopped = "stopped; finished cells are kept, the same command goes on from there\n"
    assert err == (stopped if expected == 130 else "")


def test_a_full_disk_ends_all_with_one_line(start: Callable[..., Run]) -> None:
    Path("hold").touch()
    run = start(*WAITING, "--devices", "cpu:2", "--seeds", "4")
    in_training(2)
    Path("full").touch()
    Path("hold").unlink()
    said = "error: no space left on the disk of out; finished cells are kept: free space and run again\n"
    code, _, err = run.end()
    assert (code, err, left_behind(), by_seed()) == (2, said, [], {})


def test_while_one_grid_is_measured_another_is_refused_and_the_same_one_is_joined(
    start: Callable[..., Run], bench: Bench
) -> None:
    Path("hold").touch()
    first = start(*WAITING, "--seeds", "3", "--lanes", "1")
    in_training(1)
    assert "measures superglue/rte into out with " in bench.refuses(*WAITING, "--steps", "3")
    second = start(*WAITING, "--seeds", "3", "--lanes", "1")
    in_training(2)
    Path("hold").unlink()
    ends = [first.end(), second.end()]
    assert [code for code, _, _ in ends] == [0, 0]
    assert sum(out.count("\n[") for _, out, _ in ends) == 3  # each cell was somebody's, and nobody else's
    assert {seed: record.status for seed, record in by_seed().items()} == dict.fromkeys(range(3), "done")
    assert left_behind() == []


@pytest.mark.parametrize("devices", ["cpu", pytest.param("cpu:2", marks=pytest.mark.slow)])
def test_a_device_that_is_lost_costs_the_cell_that_lost_it_alone(start: Callable[..., Run], devices: str) -> None:
    """As after an error of a GPU's driver: the process can go on with nothing, and another one does."""
    Path("fatal").touch()
    code, out, _ = start(*WAITING, "--devices", devices, "--seeds", "3", "--lanes", "1").end()
    assert "cpu runs nothing more in this process: RuntimeError: an illegal memory access" in out
    records = by_seed()
    assert {seed: record.status for seed, record in records.items()} == {0: "done", 1: "failed", 2: "done"}
    assert str(records[1].reason).startswith("3 workers ended while they trained it, the last on ")
    assert (code, left_behind()) == (1, [])
    assert "2 cells written to out; next" in out


@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 4, 8])
def test_many_processes_on_one_folder_measure_every_cell_once(start: Callable[..., Run], number: int) -> None:
    flags = ["--methods", "ptv2,prompt_tuning,finetune", "--set", "prompt_tuning.length=4", "--lanes", "2"]
    ends = [run.end() for run in [start(*flags, "--seeds", "8") for _ in range(number)]]
    assert [code for code, _, _ in ends] == [0] * number
    assert sum(out.count("\n[") for _, out, _ in ends) == 24
    records = Store.open(Path("out")).records()
    assert (len(records), {record.status for record in records}) == (24, {"done"})
    assert left_behind() == []


MEASURED = ("scores", "trivial", "selection_score", "selected_step", "curve", "counts", "parameters")


def numbers(folder: str) -> dict[str, list[object]]:
    """By cell everything that was measured, to the bit."""
    found = {}
    for record in Store.open(Path(folder)).records():
        cell = Path(folder) / "cells" / record.id
        rows = pq.read_table(cell / "predictions.parquet").to_pylist()
        tensors = {name: tensor.tolist() for name, tensor in load_file(cell / "tuned.safetensors").items()}
        measured = record.model_dump(mode="json", include=set(MEASURED))
        found[record.id] = [json.dumps(measured, sort_keys=True), rows, tensors]
    return found


def test_the_number_of_workers_and_of_lanes_changes_no_bit(
    start: Callable[..., Run], bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--methods", "ptv2,linear_probe", "--seeds", "3", "--steps", "4", "--evaluations", "2"]
    splits = {"one": ["--lanes", "8"], "two": ["--devices", "cpu:2"], "alone": ["--devices", "cpu:2", "--lanes", "1"]}
    for out, split in splits.items():
        assert start(*flags, *split, "--out", out).end()[0] == 0
    expected = numbers("one")
    assert len(expected) == 6
    assert numbers("two") == expected
    assert numbers("alone") == expected
