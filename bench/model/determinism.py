"""Kernels that give the same bits each time, on devices that have others.

On a GPU the backward pass of fused attention adds in whatever order its blocks finish (fp32 with more than 128 keys;
bf16 with several hundred), unless torch is told otherwise. A processor's kernels have a fixed order anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# torch asks for it before it lets matrix products run as deterministic; it is also their default size on Hopper chips
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def deterministic(device: torch.device, wanted: bool = True) -> Iterator[None]:
    """Within the block a GPU's kernels have a fixed order; RuntimeError (see `lacks_kernel`) where torch has none."""
    if device.type != "cuda" or not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def lacks_kernel(error: Exception) -> bool:
    """Whether an error says that an operation has no deterministic kernel."""
    return "deterministic" in str(error)
