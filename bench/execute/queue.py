"""`--slurm KEY=VALUE`: what each job of an array asks SLURM for, and how many jobs there are. No torch here."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.errors import UsageError, unknown
from bench.installed import is_installed
from bench.request import RunRequest

DEFAULT_MINUTES = 60
CLUSTERS = ("slurm", "local")
OWN = {"array", "error", "output"}  # options of sbatch that submitit sets for the harness


@dataclass(frozen=True)
class Queue:
    """What is asked of SLURM for every job. `options` are those of sbatch that need no reading (partition, account, …),
    `further` whatever else it is to be given, by its names for them with `_` for `-`.

    `cluster` "local" is submitit's own stand-in: processes of this machine, to try it out.
    """

    cluster: Literal["slurm", "local"] = "slurm"
    array: int = 1
    minutes: int = DEFAULT_MINUTES
    gpus: str = "1"  # how many, or with their kind: a100:2
    shard: int = 1  # GPUs to a worker
    cpus: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def num_gpus(self) -> int:
        return int(self.gpus.rpartition(":")[2])

    @property
    def device(self) -> str:
        """The kind of device that jobs train on."""
        return "cuda" if self.num_gpus else "cpu"


def queue_of(request: RunRequest) -> Queue | None:
    """What a request asks of SLURM; None where it asks nothing. UsageError for what cannot be asked."""
    if request.executor != "slurm":
        if request.slurm and "executor" not in request.model_fields_set:
            raise UsageError("--slurm says how jobs are submitted; add --executor slurm, or leave it out")
        return None
    read = {key: _read(key, text) for key, text in request.slurm.items()}
    further = {key: value for key, value in read.items() if key.startswith(FURTHER)}
    queue = {name: read[name] for name in ("cluster", "array", "cpus") if name in read}
    on_cpu = request.devices.startswith("cpu") or read.get("cluster") == "local"
    found = Queue(
        **queue,
        minutes=read.get("time", DEFAULT_MINUTES),
        gpus=read.get("gpus", "0" if on_cpu else str(request.shard)),
        shard=request.shard,
        options={name: read[name] for name in TEXTS if name in read},
        further={key.removeprefix(FURTHER).replace("-", "_"): value for key, value in further.items()},
    )
    _check_devices(request, found)
    return found


def _check_devices(request: RunRequest, queue: Queue) -> None:
    if queue.shard > max(1, queue.num_gpus):
        raise UsageError(
            f"--shard {queue.shard}: a worker would need more GPUs than a job has; give --slurm gpus={queue.shard}"
        )
    if request.devices not in ("all", "auto") and not request.devices.startswith("cpu"):
        raise UsageError(
            f"--devices {request.devices}: a job uses all GPUs that SLURM gives it; leave --devices out, and say how "
            "many these are with --slurm gpus=2"
        )


def check_precision(queue: Queue, precision: str) -> None:
    """UsageError where it would be left to a machine that is not the jobs': nodes and this one may differ, and cells of
    two precisions are two grids.
    """
    if queue.cluster == "slurm" and precision == "auto":
        raise UsageError(
            "--precision auto: this machine cannot tell what the jobs' devices multiply in, and it is part of what is "
            "measured; say --precision bf16 (NVIDIA GPUs from the A100 on) or --precision fp32"
        )


def check_tools(queue: Queue) -> None:
    """UsageError where jobs cannot be submitted from this machine."""
    if not is_installed("submitit"):
        raise UsageError("--executor slurm needs the package submitit: pip install 'tuning-bench[slurm]'")
    lacking = [name for name in ("sbatch", "srun") if shutil.which(name) is None]
    if queue.cluster == "slurm" and lacking:
        raise UsageError(
            f"--executor slurm: there is no {lacking[0]} on this machine; run it where jobs are submitted from, or try "
            "it on this machine with --slurm cluster=local"
        )


def num_workers(queue: Queue, devices: str) -> int:
    """How many workers a job has."""
    return int(devices.partition(":")[2] or 1) if devices.startswith("cpu") else max(1, queue.num_gpus // queue.shard)


def check_array(queue: Queue, devices: str, num_cells: int) -> None:
    """UsageError for jobs that no cell of a plan would keep busy."""
    each = num_workers(queue, devices)
    if queue.array * each > num_cells and queue.array > 1:
        raise UsageError(
            f"--slurm array={queue.array}: {queue.array * each} workers are more than the {num_cells} cells of this "
            f"grid; use array={max(1, num_cells // each)} or fewer"
        )


def _read(key: str, text: str) -> Any:
    """The value of a key, read. UsageError for a key or value that cannot be."""
    own = key.startswith(FURTHER)
    if not own and key not in READERS:
        raise unknown("key of --slurm", key, READERS, "What else sbatch takes is written sbatch.NAME=VALUE.")
    name = key.removeprefix(FURTHER)
    if own and name.replace("_", "-") in {*READERS, *OWN}:
        why = f"write it without {FURTHER}" if name in READERS else "it is set for you"
        raise UsageError(f"--slurm {key}={text}: {why}")
    try:
        return _switch(text) if own else READERS[key](text)
    except ValueError as error:
        raise UsageError(f"--slurm {key}={text} is not possible: {error}") from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("it must be a number, at least 1")
    return int(text)


def _cluster(text: str) -> str:
    if text not in CLUSTERS:
        raise ValueError("use slurm, or local to try it on this machine")
    return text


def _minutes(text: str) -> int:
    """Minutes, rounded up, of a time as sbatch has it: minutes, hours:minutes:seconds, days-hours:minutes:seconds."""
    form = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", text)
    if form is None and not text.isdecimal():
        raise ValueError("use minutes (90), hours:minutes:seconds (1:30:00) or days-hours:minutes:seconds (2-00:00:00)")
    days, hours, minutes, seconds = (int(part or 0) for part in form.groups()) if form else (0, 0, int(text), 0)
    total = math.ceil(((days * 24 + hours) * 60 + minutes) + seconds / 60)
    if total < 1:
        raise ValueError("it must be a minute or more")
    return total


def _gpus(text: str) -> str:
    if not re.fullmatch(r"([A-Za-z][\w.-]*:)?\d+", text):
        raise ValueError("use a number, or a kind of GPU and a number, like a100:2")
    return text


def _memory(text: str) -> str:
    """sbatch takes a bare number for megabytes, which nobody means."""
    if not re.fullmatch(r"\d+[KMGT]B?", text):
        raise ValueError("use a number with its unit, like 64G")
    return text


def _switch(text: str) -> str | bool:
    return True if text == "true" else text


FURTHER = "sbatch."
TEXTS = ("partition", "account", "qos", "constraint", "mem")
READERS: dict[str, Callable[[str], Any]] = {
    "cluster": _cluster,
    "array": _count,
    "time": _minutes,
    "gpus": _gpus,
    "cpus": _count,
    "mem": _memory,
    **dict.fromkeys(("partition", "account", "qos", "constraint"), str),
}
