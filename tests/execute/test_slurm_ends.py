"""What ends a SLURM job before its work is done, and who goes on with that."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.commands.array import Log
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import workers_of
from tests.execute.slurm_cluster import Cluster, results, run_job

pytest.importorskip("submitit")
Bench = Any
SLURM = ["--executor", "slurm", "--lanes", "1", "--seeds", "3"]
Warned = Callable[[int, int], None]


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> Warned:
    """warned(number, seed): the process gets this signal, once, in training of the cell with that seed."""
    told: list[int] = []

    def when(number: int, seed: int) -> None:
        def step(self: Log, progress: Any) -> None:
            if progress.lanes[0].cell.seed == seed and number not in told:
                told.append(number)
                os.kill(os.getpid(), number)

        monkeypatch.setattr(Log, "step", step)

    return when


def seeds() -> list[int]:
    """Of the finished cells; none has failed, and none is claimed."""
    assert [list(Path("out").glob(part)) for part in ("claims/*", "workers/*", "failed/*", ".partial/*")] == [[]] * 4
    return sorted(record.cell.seed for record in Store.open(Path("out")).records())


def test_a_job_whose_time_is_up_goes_back_into_the_queue_and_then_goes_on(
    bench: Bench, cluster: Cluster, warned: Warned
) -> None:
    assert bench.run("--seeds", "3", "--out", "plain")[0] == 0
    assert bench.run(*SLURM)[0] == 0
    warned(signal.SIGUSR2, 1)
    assert run_job("4711", Path("out/slurm")) != 0
    assert (cluster.got("requeued"), seeds()) == ("requeue 4711\n", [0])
    first = (Path("out/cells") / next(iter(Store.open(Path("out")).done())) / "record.json").stat().st_mtime_ns
    assert run_job("4711", Path("out/slurm")) == 0
    assert (cluster.got("requeued"), seeds()) == ("requeue 4711\n", [0, 1, 2])
    assert first in {path.stat().st_mtime_ns for path in Path("out").glob("cells/*/record.json")}
    assert results("out") == results("plain")


def test_a_time_too_short_for_one_cell_is_not_asked_for_again(bench: Bench, cluster: Cluster, warned: Warned) -> None:
    assert bench.run(*SLURM)[0] == 0
    warned(signal.SIGUSR2, 0)
    assert run_job("4711", Path("out/slurm")) == 128 + signal.SIGTERM
    assert (cluster.got("requeued"), seeds()) == ("", [])


def test_a_queue_that_takes_no_job_back_costs_no_cell(
    bench: Bench, cluster: Cluster, warned: Warned, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run(*SLURM)[0] == 0
    cluster.put("forbidden")
    warned(signal.SIGUSR2, 1)
    assert run_job("4711", Path("out/slurm")) == 128 + signal.SIGTERM
    assert "not put back into the queue: " in capsys.readouterr().err
    assert seeds() == [0]


def test_scancel_lets_go_of_what_is_claimed(bench: Bench, cluster: Cluster, warned: Warned) -> None:
    assert bench.run(*SLURM)[0] == 0
    warned(signal.SIGTERM, 1)
    assert run_job("4711", Path("out/slurm")) == 128 + signal.SIGTERM
    assert seeds() == [0]
    code, out, _ = bench.run(*SLURM)
    assert (code, "3 seeds; 2 to run" in out, cluster.num_submitted) == (0, True, 2)
    assert run_job("4712", Path("out/slurm")) == 0
    assert seeds() == [0, 1, 2]


def test_the_warning_that_every_process_of_a_job_gets_costs_no_claim(
    bench: Bench, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM sends it to the workers of a job's devices too, and these are to end as the job asks them to."""
    told: list[Record] = []

    def finished(self: Log, record: Record) -> None:
        self.num_finished += 1
        if not told:
            for worker in multiprocessing.active_children():
                os.kill(int(worker.pid or 0), signal.SIGUSR2)
            os.kill(os.getpid(), signal.SIGUSR2)
        told.append(record)

    monkeypatch.setattr(Log, "finished", finished)
    many = [*SLURM, "--device", "cpu:2", "--seeds", "20", "--steps", "20"]
    assert bench.run(*many)[0] == 0
    assert run_job("4711", Path("out/slurm")) != 0
    assert cluster.got("requeued") == "requeue 4711\n"
    assert 0 < len(seeds()) < 20


# --- a second run


def test_jobs_in_the_queue_are_not_submitted_twice(bench: Bench, cluster: Cluster) -> None:
    two = ["--slurm", "array=2"]
    assert bench.run(*SLURM, *two)[0] == 0
    cluster.put("queue", "4711_0 RUNNING\n4711_1 PENDING\n99 RUNNING\n")
    code, out, _ = bench.run(*SLURM, *two)
    assert (code, cluster.num_submitted) == (0, 1)
    assert out.endswith("in the queue for this grid: 4711_0, 4711_1 (1 running, 1 pending)\nno more jobs are needed\n")
    assert "--noheader --array" in cluster.got("asked")
    assert bench.run(*SLURM, "--slurm", "array=3")[0] == 0  # one more
    assert (cluster.num_submitted, "--array" in cluster.got("script")) == (2, False)
    assert bench.run(*SLURM, *two, "--seeds", "4")[0] == 0  # a larger grid is none of theirs
    assert (cluster.num_submitted, "#SBATCH --array=0-1%2" in cluster.got("script")) == (3, True)
    cluster.put("queue", "")
    assert bench.run(*SLURM, *two)[0] == 0
    assert cluster.num_submitted == 4


def test_a_queue_that_does_not_answer_is_said(bench: Bench, cluster: Cluster) -> None:
    assert bench.run(*SLURM)[0] == 0
    cluster.put("dead")
    said = bench.refuses(*SLURM)
    assert said == "error: squeue does not say which jobs are in the queue: Unable to contact slurm controller"
    assert cluster.num_submitted == 1


# --- submitit's local executor: processes of this machine


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, f"no sign of {what}"
        time.sleep(0.01)


def test_a_job_that_is_killed_in_training_leaves_the_rest_to_another_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes as submitit starts them, of which one is killed; then the command again."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    grid = ["--methods", "ptv2,ptuning_v1", "--seeds", "6", "--steps", "30", "--lanes", "1"]
    local = [*grid, "--executor", "slurm", "--slurm", "cluster=local", "--slurm", "array=2"]
    assert bench.run(*grid, "--out", "plain")[0] == 0
    code, out, _ = bench.run(*local)
    assert (code, "submitted 2 jobs as processes of this machine, each with no GPU for 1:00:00: " in out) == (0, True)
    wait_until(lambda: list(Path("out").glob("cells/*/record.json")), "a finished cell")
    victim = next(worker for worker in workers_of(Path("out")) if worker.doing)
    os.kill(victim.identity.process, signal.SIGKILL)
    wait_until(lambda: not any(Path(f"/proc/{w.identity.process}").exists() for w in workers_of(Path("out"))), "an end")
    before = {path: path.stat().st_mtime_ns for path in Path("out").glob("cells/*/record.json")}
    assert bench.run(*grid)[0] == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert results("out") == results("plain")
    assert len(results("out")) == 12
    shutil.rmtree("out/slurm")
