"""Which device and which precision a run uses."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.cell import AskedPrecision, Precision
from bench.errors import UsageError


def choose_device(name: str) -> torch.device:
    """The device of a request; `auto` is the first GPU when there is one. UsageError when the device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch sees no GPU here; use --device cpu")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device {name}: the GPUs that torch sees here are 0 to {torch.cuda.device_count() - 1}")
    return torch.device(name)


def choose_precision(name: AskedPrecision, device: torch.device) -> Precision:
    """The precision of a request; `auto` is bf16 where the processor multiplies it natively, else fp32."""
    if name == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    return name


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
