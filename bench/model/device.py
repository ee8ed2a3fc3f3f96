"""Which device and which precision a run uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from bench.cell import AskedPrecision, Precision
from bench.errors import UsageError
from bench.model.precisions import QUANTIZED, computed_in
from bench.model.quantized import check_kernels

CPUINFO = Path("/proc/cpuinfo")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and Arm processors, as Linux names them


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
    """The precision of a request; `auto` is bf16 where the processor multiplies it natively, else fp32. UsageError for
    one that this device has no kernels for.
    """
    if name == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    if name in QUANTIZED:
        check_kernels(name, device)
    return name


def has_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products run in hardware: of a processor as torch or Linux says, False where neither does."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(check() for check in checks if check is not None) or not BF16_FLAGS.isdisjoint(_processor_flags())


def _processor_flags() -> set[str]:
    """The features that Linux lists of the first processor; nothing on other systems."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return set()
    line = next((line for line in lines if line.startswith(("flags", "Features"))), "")  # of x86, of Arm
    return set(line.partition(":")[2].split())


def precision_notes(precision: Precision, device: torch.device) -> Iterator[str]:
    """What somebody should know who asks for a precision that the device has not."""
    if computed_in(precision) == "bf16" and not has_bf16(device):
        yield (
            f"--precision {precision}: {device_name(device)} has no bf16 in hardware; there bf16 has been measured "
            "about 350 times slower than fp32, which `--precision auto` takes here"
        )


def is_lost(device: torch.device) -> bool:
    """Whether a GPU's driver has failed, so that this process can do nothing on it any more."""
    if device.type != "cuda":
        return False
    try:
        torch.cuda.synchronize(device)
    except torch.OutOfMemoryError:
        return False
    except RuntimeError:
        return True
    return False


def device_name(device: torch.device) -> str:
    """The accelerator's or the processor's name."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        lines = CPUINFO.read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = device.type
    return f"{model}, {torch.get_num_threads()} threads"
