"""Which device and which precision a run uses."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import torch

from bench.cell import Precision
from bench.errors import UsageError, unknown


def choose_device(name: str) -> torch.device:
    """`auto` is the first GPU when there is one. UsageError when the device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name}: no such kind of device; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch sees no GPU here; use --device cpu")
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device {name}: only cpu and cuda are supported")
    return device


def choose_precision(name: str, device: torch.device) -> Precision:
    """`auto` is bf16 where the processor multiplies it natively, else fp32."""
    if name == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    if name not in get_args(Precision):
        raise unknown("precision", name, ("auto", *get_args(Precision)))
    return "bf16" if name == "bf16" else "fp32"


def has_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products run in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check is not None)


def device_name(device: torch.device) -> str:
    """The accelerator's or the processor's name."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = device.type
    return f"{model}, {torch.get_num_threads()} threads"
