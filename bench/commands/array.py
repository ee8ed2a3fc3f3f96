"""What a job of a SLURM array does: it works on the shared results folder, as every other worker."""

from __future__ import annotations

import platform
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console

from bench.commands.lines import WarningsOnce
from bench.commands.progress import PlainProgress
from bench.commands.record_line import summary
from bench.commands.streams import tell
from bench.commands.tally import Tally
from bench.ending import TERMINATED, end, ending_on_request
from bench.errors import UsageError
from bench.escaping.terminal import Screen
from bench.execute.devices import chosen_devices, most_on_one, seats_of
from bench.execute.job import declare_suites
from bench.execute.pool import Pool
from bench.execute.submissions import Submission, read
from bench.execute.worker import Seat, work
from bench.model.trust import trusting
from bench.plan.selection import outstanding
from bench.registry import load_plugin
from bench.resolved import resolve
from bench.store.provenance import asked_by
from bench.store.record import Record
from bench.store.store import Store
from bench.track.tracked import tracked
from bench.train.memory import check_memory

if TYPE_CHECKING:
    import torch
    from submitit.helpers import DelayedSubmission


class ArrayTask:
    """What SLURM calls on the node, once for every job of an array. submitit keeps it by the name of this class and
    these two texts.
    """

    def __init__(self, folder: str, run: str) -> None:
        self.folder, self.run = folder, run
        self.log = Log(Screen())

    def __reduce__(self) -> tuple[type[ArrayTask], tuple[str, str]]:
        return ArrayTask, (self.folder, self.run)

    def __call__(self) -> None:
        """SystemExit, as `bench run` ends: 1 when a cell failed, 2 with a line for what the user can mend."""
        warnings.showwarning = lambda message, *_, **__: self.log.say(f"warning: {message}")
        try:
            with _put_back_in_time():
                submission = read(Path(self.folder), self.run)
                with trusting(submission.job.trust_remote_code):
                    records = run_job(submission, self.log)
        except UsageError as error:
            tell("error", str(error))
            raise SystemExit(2) from None
        if any(record.status == "failed" for record in records):
            raise SystemExit(1)

    def checkpoint(self) -> DelayedSubmission | None:
        """What submitit puts into the queue in place of a job whose time is up: the same again, which goes on with what
        is left; None where the time was too short for a single cell, and would be again.
        """
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self) if self.log.num_finished else None


class Log(PlainProgress):
    """Lines in a job's log; how many cells there are in all is not for one job to say."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, Tally(0))
        self.num_finished = 0

    def finished(self, record: Record) -> None:
        self.num_finished += 1
        self.say(f"[{self.num_finished}] {summary(record)}")

    def say(self, line: str) -> None:
        self._say(line)


def run_job(submission: Submission, log: Log) -> list[Record]:
    """Work on a submission on this machine; the records that were written here.

    UsageError where the machine is not as it should be, and as bench.execute.worker.work.
    """
    job = submission.job
    for path in job.plugins:
        load_plugin(path)
    declare_suites(job)
    devices = _devices(submission)
    left = outstanding(job.plan, Store.open(job.folder))
    num_left = len(left.every)
    log.say(f"on {platform.node()}: {', '.join(map(str, devices))}; {num_left} cells without a record")
    if not num_left:
        return []
    ahead = [resolve(cell) for cell in left.ahead(job.plan)]
    seats = [Seat(of_worker, wait=False) for of_worker in seats_of(devices, job.shard)[:num_left]]
    first, *others = seats[0].devices
    workers = most_on_one([seat.devices for seat in seats])
    check_memory(
        ahead, first, job.max_lanes, job.token_budget, job.checkpointing, others=tuple(others), workers=workers
    )
    with tracked(log, job.track, job.folder, [*job.plan.trials, *job.plan.cells]) as audience:
        if len(seats) > 1:
            return Pool(job, seats, audience, WarningsOnce(log.say)).run()
        with ending_on_request(), asked_by(job.command):
            return work(job, seats[0], audience)


def _devices(submission: Submission) -> list[torch.device]:
    """The devices of a job. UsageError where it lacks a GPU: nobody wants a cluster's grid on a node's processor."""
    devices = chosen_devices(submission.devices)
    found = sum(device.type == "cuda" for device in devices)
    if found < submission.num_gpus:
        raise UsageError(
            f"torch sees {found} GPUs on {platform.node()}, and the job asked for {submission.num_gpus}; does the "
            "partition have them, and is this torch built for them?"
        )
    return devices


@contextmanager
def _put_back_in_time() -> Iterator[None]:
    """Within the block the warning that the time is up ends the process, after submitit has put the job back into the
    queue. It is not to raise an error of its own where it does not: that would look like one of the cell in training.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGUSR1, signal.SIGUSR2)}

    def put_back_and_end(number: int, frame: FrameType | None) -> None:
        for later in (signal.SIGTERM, *before):  # the queue's next word is not to disturb the end
            signal.signal(later, signal.SIG_IGN)
        put_back, code = before[signal.Signals(number)], int(TERMINATED)
        try:
            if callable(put_back):
                put_back(number, frame)
        except SystemExit as left:  # so submitit ends the process itself
            code = left.code if isinstance(left.code, int) else code
        except Exception as error:
            tell("warning", f"not put back into the queue: {error}")
        end(number, frame, code)

    for number in before:
        signal.signal(number, put_back_and_end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
