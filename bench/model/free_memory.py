"""Memory that can still be had, of a GPU or of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def available_bytes(device: torch.device) -> int:
    """Memory that can still be had: of a GPU with what torch holds unused, of the machine within its cgroup's limit."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min([_machine_bytes(), *_cgroup_bytes()])


def _machine_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _cgroup_bytes(root: Path = Path("/sys/fs/cgroup"), cgroup_file: Path = Path("/proc/self/cgroup")) -> list[int]:
    """What is left of each memory limit above this process (cgroups v1 and v2); file caches count as free."""
    try:
        entries = [line.split(":", 2) for line in cgroup_file.read_text().splitlines()]
    except OSError:
        return []
    free_bytes: list[int] = []
    for _, controllers, path in entries:
        if controllers not in ("", "memory"):
            continue
        limit_name, used_name = ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else (
            "memory.max", "memory.current")  # fmt: skip
        top = root / controllers
        folder = top / path.strip("/")
        for level in (folder, *(parent for parent in folder.parents if parent == top or top in parent.parents)):
            try:
                limit, used = int((level / limit_name).read_text()), int((level / used_name).read_text())
                stat = dict(line.split() for line in (level / "memory.stat").read_text().splitlines())
            except (OSError, ValueError):  # no such level, or "max"
                continue
            caches = int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
            free_bytes.append(max(0, limit - used + caches))
    return free_bytes
