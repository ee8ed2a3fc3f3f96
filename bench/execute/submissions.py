"""Jobs that were submitted for a results folder: a file of what they do, and which of them are still to come or at it.

    NAME/slurm/<run>.json     the plan and how it is measured, for the jobs to read; their numbers, once they have them

A plan goes to the jobs as a file, so that all have the same, whatever a machine's own device or hub would make of the
request.
"""

from __future__ import annotations

import getpass
import json
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bench.errors import UsageError
from bench.execute.job import Job
from bench.store import aside
from bench.store.aside import write_in
from bench.store.files import on_disk, read_json
from bench.store.workers import Watch
from bench.writing import write_text

PLACES = ("tokens", "compiled")  # fields of a job that go by a model and a precision, which no key of JSON can be


@dataclass(frozen=True)
class Submission:
    """What every job of an array does: a run's job, on which devices of its machine, of which it is to have so many
    GPUs.
    """

    job: Job
    devices: str
    num_gpus: int
    cluster: str
    numbers: tuple[str, ...] = ()  # of the jobs, as SLURM gave them: 4711_0


@dataclass(frozen=True)
class Pending:
    """A submission that has jobs in the queue: its cells, and the state of each of these jobs by its number."""

    run: str
    cells: frozenset[str]
    states: Mapping[str, str] = field(default_factory=dict)


def place_of(folder: Path) -> Path:
    """Where jobs have their files, and write what they say."""
    return folder / "slurm"


def keep(submission: Submission) -> None:
    """Write a submission into its results folder, in place of what was known of it before. DiskError: it cannot be."""
    job = submission.job
    raw = TypeAdapter(Submission).dump_python(submission, mode="json")
    for name in PLACES:
        raw["job"][name] = [[*place, value] for place, value in getattr(job, name).items()]
    raw["cells"] = sorted(cell.id for cell in (*job.plan.trials, *job.plan.cells))
    text = json.dumps(raw, indent=1) + "\n"
    with on_disk(job.folder):
        write_in(aside.place_of(job.folder), partial(write_text, _file(job.folder, job.run), text))


def forget(submission: Submission) -> None:
    """Remove a submission of which nothing came."""
    _file(submission.job.folder, submission.job.run).unlink(missing_ok=True)
    with suppress(OSError):  # there are others
        place_of(submission.job.folder).rmdir()


def read(folder: Path, run: str) -> Submission:
    """A submission, for one of its jobs. UsageError where it is not there or cannot be read."""
    raw = read_json(_file(folder, run), dict)
    del raw["cells"]
    for name in PLACES:
        raw["job"][name] = {(model, precision): value for model, precision, value in raw["job"][name]}
    return TypeAdapter(Submission).validate_python(raw)


def pending(folder: Path) -> list[Pending]:
    """The submissions for a folder that have jobs in the queue; of processes of this machine, those that are at work.

    UsageError where the queue does not answer.
    """
    found = []
    queued: Mapping[str, str] | None = None
    for path in sorted(place_of(folder).glob("*.json")):
        raw: dict[str, Any] = read_json(path, dict)
        run, numbers = raw["job"]["run"], raw["numbers"]
        if raw["cluster"] == "slurm":
            queued = in_queue() if queued is None else queued
            states = {number: queued[number] for number in numbers if number in queued}
        else:
            alive = [worker for worker in Watch(folder).alive() if worker.identity.run == run]
            states = {str(worker.identity.process): "RUNNING" for worker in alive}
        if states:
            found.append(Pending(run, frozenset(raw["cells"]), states))
    return found


def in_queue() -> dict[str, str]:
    """The state of every job of this user that SLURM has in its queue, by number; those of an array one by one."""
    command = ["squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%i %T"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        raise UsageError(f"squeue does not say which jobs are in the queue: {said}") from None
    lines = (line.split() for line in done.stdout.splitlines())
    return {line[0]: line[1] for line in lines if len(line) == 2}


def covering(found: Collection[Pending], cells: Collection[str]) -> dict[str, str]:
    """The jobs of those submissions that have all these cells in their plan."""
    return {
        number: state for each in found if each.cells.issuperset(cells) for number, state in each.states.items()
    }  # fmt: skip


def _file(folder: Path, run: str) -> Path:
    return place_of(folder) / f"{run}.json"
