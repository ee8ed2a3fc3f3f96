"""Is it worth compiling? What a model's compiled layers save against what they cost. No torch here.

All constants of that question stand here, so that a new device is a new line.
"""

from __future__ import annotations

from dataclasses import dataclass

TIMES = 2  # the expected saving must be so many times the price: both are estimates, and the price is paid first


@dataclass(frozen=True)
class Rate:
    """What compiling does on a kind of device.

    `price` in seconds, once for a model in a process; `flops` that are done a second as the layers are; `saved`, the
    share of that time that compiled layers save.
    """

    price: float
    flops: float
    saved: float


RATES = {
    # one H200 in bf16, steps captured as graphs: 13 s for 6 layers and 30 for 24, the same code but more to try; a step
    # of twenty cells did real tokens at 4 to 30 % of 700 TFLOP/s, and a fifth less time compiled
    "cuda": Rate(price=25.0, flops=0.2 * 700e12, saved=1 / 5),
    # no line for "cpu": on two cores with AVX2 a step of a MiniLM-L6 (fp32, one thread, prefix 20) took 0.93 to 1.22
    # times as long as it was, and code took minutes to make
}
FLOPS = 4  # a parameter and token: forward, and back through the states; training weights takes two more


def worth_compiling(device: str, parameters: int, tokens: int) -> bool:
    """Whether a plan that has so many tokens left to run on a model, whose layers have so many parameters, gains by
    compiling them on this kind of device ("cuda", "cpu").
    """
    rate = RATES.get(device)
    if rate is None:
        return False
    return FLOPS * parameters * tokens / rate.flops * rate.saved > TIMES * rate.price
