"""When a process of a team breaks off, or its worker does: the others end, and the cell's record says why."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bench.registry import load_plugin
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import Group
from bench.train.loop import Progress
from bench.train.options import Options
from tests.conftest import Quiet, Workshop

CPU = torch.device("cpu")
ENDLESS = {"steps": 100_000, "evaluations": 1}
SPOILED = '''
"""Fine-tuning in which the second process breaks."""
import torch.distributed as dist
from bench import Method, method
from bench.model.attachment import Weights

class Breaking(Weights):
    def after_step(self, step):
        if step == 2 and dist.get_rank() == 1:
            raise ArithmeticError("no more numbers")

@method("breaking")
class BreakingMethod(Method):
    @property
    def changes_weights(self):
        return True
    def attach(self, backbone, task):
        return Breaking(backbone, task, False)
'''
WORKER = """
import sys
from pathlib import Path
import torch
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.store import Store
from bench.train.groups import Group
from bench.train.options import Options
from tests.conftest import Quiet, Workshop

class Telling(Quiet):
    def step(self, progress):
        print(*runner._team.pids, flush=True)

model, data, out = map(Path, sys.argv[1:])
cell, = Workshop(model, data).cells("finetune", budget={"steps": 100_000, "evaluations": 1})
runner = Runner(Store.create(out), Options(torch.device("cpu"), others=(torch.device("cpu"),)), Telling())
list(runner.measure(Group((resolve(cell),), shared=False)))
"""


class Acting(Quiet):
    """An audience that does something at the first step it is told of."""

    def __init__(self) -> None:
        self.pids: list[int] = []
        self.act = lambda: None
        self.runner: Runner | None = None

    def step(self, progress: Progress) -> None:
        assert self.runner is not None
        if not self.pids:
            self.pids = self.runner._team.pids
            self.act()


def is_there(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def measured(workshop: Workshop, folder: Path, audience: Acting, method: str = "finetune") -> Record:
    (cell,) = workshop.cells(method, budget=ENDLESS)
    audience.runner = Runner(Store.create(folder), Options(CPU, others=(CPU,)), audience)
    (record,) = audience.runner.measure(Group((resolve(cell),), shared=False))
    assert Store(folder).record(cell.id).reason == record.reason
    return record


def test_a_process_that_raises_ends_the_others_with_its_reason(workshop, tmp_path, bench):
    plugin = tmp_path / "spoiled.py"
    plugin.write_text(SPOILED)
    load_plugin(plugin)
    record = measured(workshop, tmp_path / "out", Acting(), "breaking")
    assert record.status == "failed"
    assert record.reason == "ArithmeticError: no more numbers (spoiled.py:10)"
    assert "after_step" in str(record.traceback)


def test_a_process_that_is_killed_ends_the_others(workshop, tmp_path):
    audience = Acting()
    audience.act = lambda: os.kill(audience.pids[1], signal.SIGKILL)
    record = measured(workshop, tmp_path / "out", audience)
    assert record.status == "failed"
    assert "process 1 was killed by SIGKILL" in str(record.reason)
    assert "the other processes of --shard 2 were ended" in str(record.reason)
    assert not any(map(is_there, audience.pids))


@pytest.mark.slow
def test_ctrl_c_ends_all(workshop, tmp_path):
    def interrupt() -> None:
        raise KeyboardInterrupt

    audience = Acting()
    audience.act = interrupt
    with pytest.raises(KeyboardInterrupt):
        measured(workshop, tmp_path / "out", audience)
    assert len(audience.pids) == 2
    assert not any(map(is_there, audience.pids))


def test_they_end_with_a_worker_that_is_killed(workshop, tmp_path):
    arguments = [workshop.model, workshop.data, tmp_path / "out"]
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert worker.stdout is not None
    pids = list(map(int, worker.stdout.readline().split()))
    assert len(pids) == 2
    worker.kill()
    worker.wait()
    worker.stdout.close()
    until = time.monotonic() + 60
    while any(map(is_there, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_there, pids))
