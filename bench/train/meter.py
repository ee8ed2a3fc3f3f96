"""What a loop costs: seconds, tokens, the peak of memory."""

from __future__ import annotations

import ctypes
import gc
import resource
from contextlib import suppress
from pathlib import Path

import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak(*devices: torch.device) -> None:
    """Start a new peak where the platform can; elsewhere the peak is that of the process so far."""
    if devices[0].type == "cuda":
        for device in devices:
            torch.cuda.reset_peak_memory_stats(device)
        return
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc: what earlier loops freed is not this one's
    with suppress(OSError):
        _CLEAR.write_text("5")  # Linux: resets VmHWM, the high-water mark of resident memory


def resident_bytes(device: torch.device) -> int:
    """What the process holds now, on a CPU; 0 on a GPU, whose allocator has nothing but the model and its training."""
    if device.type == "cuda":
        return 0
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return 0


def release(device: torch.device) -> None:
    """Give what torch holds unused of a GPU's memory back to other processes."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def peak_bytes(*devices: torch.device) -> int:
    """Most memory since `reset_peak`: the allocator's on a GPU, of several on the one that had most; resident memory
    of the process on a CPU.
    """
    if devices[0].type == "cuda":
        return max(int(torch.cuda.max_memory_allocated(device)) for device in devices)
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
