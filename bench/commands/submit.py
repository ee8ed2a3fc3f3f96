"""`bench run --executor slurm` where jobs are submitted: what SLURM is to be given, and what it has already."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bench.cell import Plan
from bench.commands.array import ArrayTask
from bench.errors import UsageError
from bench.execute.job import Job
from bench.execute.queue import Queue, num_workers
from bench.execute.slurm import script, submit
from bench.execute.submissions import Submission, covering, forget, keep, pending, place_of
from bench.plan.selection import Outstanding

MADE_BEFORE = {"store.json", "suites", "slurm", ".partial"}  # what a results folder has before a job is submitted


@dataclass(frozen=True)
class Sending:
    """Jobs that are to be submitted for a results folder: as many as were asked for, less those that are in the queue
    with the same plan or a larger one (`queued`, their states by number), and no more than have a cell to train.
    """

    queue: Queue
    devices: str
    folder: Path
    num_left: int
    queued: Mapping[str, str]

    @classmethod
    def of(cls, queue: Queue, devices: str, whole: Plan, left: Outstanding, folder: Path) -> Sending:
        """UsageError where SLURM does not say what is in its queue."""
        num_left = len(left.every)
        ids = [cell.id for cell in (*whole.trials, *whole.cells)]
        return cls(queue, devices, folder, num_left, covering(pending(folder), ids))

    @property
    def num_jobs(self) -> int:
        most = math.ceil(self.num_left / num_workers(self.queue, self.devices))
        return max(0, min(self.queue.array, most) - len(self.queued))

    @property
    def is_enough(self) -> bool:
        """Whether those in the queue are as many as can be used."""
        return self.num_left > 0 and not self.num_jobs

    @property
    def num_workers(self) -> int:
        """Of all jobs together."""
        return (self.num_jobs + len(self.queued)) * num_workers(self.queue, self.devices)

    def show(self, console: Console) -> None:
        """What would be submitted, to the letter, or why nothing is."""
        self._say_queued(console)
        if not self.num_jobs:
            _say(console, "no more jobs are needed" if self.is_enough else "nothing is left to be run")
            return
        _say(console, f"would submit {self._jobs}")
        if self.queue.cluster == "slurm":
            _say(console, script(self.queue, self.folder, self.num_jobs))

    def submit(self, console: Console, job: Job, is_new: bool) -> None:
        """Submit the jobs, and say where they are to be found. UsageError where they are refused; of a folder that
        `is_new` then nothing is left.
        """
        submission = Submission(
            replace(job, folder=self.folder.absolute(), plugins=tuple(path.absolute() for path in job.plugins),
                    workers=self.num_workers),
            self.devices, self.queue.num_gpus, self.queue.cluster,
        )  # fmt: skip
        keep(submission)
        try:
            numbers = submit(self.queue, self.folder, ArrayTask(str(submission.job.folder), job.run), self.num_jobs)
        except UsageError:
            forget(submission)
            if is_new and {path.name for path in self.folder.iterdir()} <= MADE_BEFORE:
                shutil.rmtree(self.folder)
            raise
        keep(replace(submission, numbers=tuple(numbers)))
        self._say_queued(console)
        _say(console, f"submitted {self._jobs}: {_listed(numbers)}")
        logs = f"{place_of(self.folder)}/{numbers[0]}_0_log.out"
        _say(console, f"what they say: {logs}" + (" and so on" if len(numbers) > 1 else ""))
        _say(console, f"how far they are: bench status {self.folder}")
        _say(console, "when they are over, the same command looks after what they have left")

    def _say_queued(self, console: Console) -> None:
        if self.queued:
            states = ", ".join(f"{count} {state.lower()}" for state, count in Counter(self.queued.values()).items())
            _say(console, f"in the queue for this grid: {_listed(list(self.queued))} ({states})")

    @property
    def _jobs(self) -> str:
        """ "2 jobs in an array to partition gpu, each with 1 GPU for 2:00:00"."""
        queue = self.queue
        count = "1 job" if self.num_jobs == 1 else f"{self.num_jobs} jobs"
        where = f" to partition {queue.options['partition']}" if "partition" in queue.options else ""
        where = " as processes of this machine" if queue.cluster == "local" else where
        gpus = f"{queue.gpus} GPU{'s' if queue.num_gpus > 1 else ''}" if queue.num_gpus else "no GPU"
        hours, minutes = divmod(queue.minutes, 60)
        return f"{count}{where}, {'each ' if self.num_jobs > 1 else ''}with {gpus} for {hours}:{minutes:02}:00"


def _listed(numbers: list[str]) -> str:
    return ", ".join(numbers) if len(numbers) < 5 else f"{numbers[0]}, {numbers[1]}, … {numbers[-1]}"


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
