"""The most that a device does: the rate of its matrix products, measured here and now."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch import Tensor

from bench.cell import Precision
from bench.model.precisions import computed_in

SIZES = {"cuda": (1024, 2048, 4096, 8192), "cpu": (128, 256, 512, 1024)}  # of the square matrices
BLOCK = 0.02  # seconds of products between two looks at the clock, where one product is shorter
LIMIT = {"cuda": 0.3, "cpu": 0.12}  # seconds; no size is begun that would pass it


@cache
def peak_flops(device: torch.device, precision: Precision) -> float:
    """Floating-point operations a second of the best matrix product of some sizes, with torch's threads as they are.

    Measured once in a process, in 0.1 to 0.3 s. It is what a kernel reaches in a short burst on this machine as busy
    as it is, neither the data sheet's number nor what a clock under long load allows. 0.0 where no product fits the
    memory. Draws from no generator of torch's own.
    """
    best, spent = 0.0, 0.0
    for size in SIZES[device.type]:
        try:
            seconds, taken = _product_seconds(size, device, precision)
        except RuntimeError:  # no memory, for the matrices or for what multiplies them; a record must not end here
            break
        best, spent = max(best, 2 * size**3 / seconds), spent + taken
        if spent + 2 * max(8 * seconds, BLOCK) > LIMIT[device.type]:  # twice the size is eight times the work
            break
    return best


@torch.no_grad()
def _product_seconds(size: int, device: torch.device, precision: Precision) -> tuple[float, float]:
    """Seconds of one product of square matrices, and of all that was tried. The first one, which sets up, is left out.

    Random values: a GPU multiplies zeros faster, since they take less power.
    """
    generator = torch.Generator(device).manual_seed(0)
    dtype = torch.bfloat16 if computed_in(precision) == "bf16" else torch.float32
    left, right = (torch.randn(size, size, generator=generator, device=device).to(dtype) for _ in range(2))
    product = torch.empty_like(left)
    first = _seconds(left, right, product, 1)
    number = min(50, max(1, round(BLOCK / first)))
    block = _seconds(left, right, product, number)
    return block / number, first + block


def _seconds(left: Tensor, right: Tensor, product: Tensor, number: int) -> float:
    """Seconds of so many products, one after the other."""
    _wait(left.device)
    begun = time.perf_counter()
    for _ in range(number):
        torch.mm(left, right, out=product)
    _wait(left.device)
    return time.perf_counter() - begun


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
