"""`--devices`: which devices of this machine the workers have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

import torch

from bench.errors import UsageError
from bench.execute.queue import Queue


def chosen_devices(text: str) -> list[torch.device]:
    """A device for each worker: `auto` and `all` are every GPU, or one process on the CPU where there is none; `cpu:4`
    are four processes that share the cores; `0,2` and `cuda:1` are these GPUs; `0,0,1,1` are two workers on each of
    two. UsageError for one that is not there.
    """
    if text in ("auto", "all"):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return [torch.device("cuda", number) for number in range(count)] or [torch.device("cpu")]
    if text.startswith("cpu"):
        return [torch.device("cpu")] * int(text.partition(":")[2] or 1)
    numbers = [int(part.partition(":")[2] or (0 if part == "cuda" else part)) for part in text.split(",")]
    if not torch.cuda.is_available():
        raise UsageError(f"--devices {text}: torch sees no GPU here; use --devices cpu")
    count = torch.cuda.device_count()
    if max(numbers) >= count:
        there = "GPU that torch sees here is 0" if count == 1 else f"GPUs that torch sees here are 0 to {count - 1}"
        raise UsageError(f"--devices {text}: the {there}")
    rounds = [numbers[:at].count(number) for at, number in enumerate(numbers)]  # where work is short, one on each first
    return [torch.device("cuda", number) for _, number in sorted(zip(rounds, numbers, strict=True), key=itemgetter(0))]


def seats_of(devices: Sequence[torch.device], shard: int) -> list[tuple[torch.device, ...]]:
    """The devices of each worker, so many to one. UsageError where there are too few of them, or no GPUs, or one is
    named twice.
    """
    if shard == 1:
        return [(device,) for device in devices]
    if devices[0].type != "cuda":
        raise UsageError(f"--shard {shard} divides a model over GPUs, and --devices are processors; give --shard 1")
    if len(set(devices)) < len(devices):
        raise UsageError(f"--shard {shard} divides a model over different GPUs; name each of --devices once")
    if shard > len(devices):
        raise UsageError(f"--shard {shard}: a worker would need more GPUs than the {len(devices)} that are here")
    return [tuple(devices[first : first + shard]) for first in range(0, len(devices) - shard + 1, shard)]


def sharing_gpu(seats: Sequence[tuple[torch.device, ...]]) -> list[int]:
    """How many workers each one's GPU has, itself among them; a processor's share cores, and that is not told here."""
    counts = Counter(devices[0] for devices in seats)
    return [counts[devices[0]] if devices[0].type == "cuda" else 1 for devices in seats]


def most_on_one(seats: Sequence[tuple[torch.device, ...]]) -> int:
    """How many workers share a device, at most."""
    return max(Counter(device for devices in seats for device in devices).values(), default=1)


def job_device(queue: Queue) -> torch.device:
    """What the jobs of a queue train on, by its kind. UsageError where that is this machine, and has no such device."""
    return torch.device(queue.device) if queue.cluster == "slurm" else chosen_devices(queue.device)[0]


def proving_device(queue: Queue) -> torch.device:
    """Where models prove themselves before jobs are submitted: of another machine's jobs, on the processor here."""
    return torch.device("cpu") if queue.cluster == "slurm" else job_device(queue)
