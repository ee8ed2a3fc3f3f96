"""What a precision is: the numbers that matrices are kept and multiplied in. No torch here."""

from __future__ import annotations

from typing import Literal

from bench.cell import Precision
from bench.errors import UsageError
from bench.installed import is_installed
from bench.model.families.config import family_of
from bench.model.source import ModelSource, read_config

QUANTIZED: dict[Precision, float] = {"int8": 1, "nf4": (4 + 8 / 64 + 32 / 64 / 256) / 8}
"""Precisions in which a model's layers have their matrices in few bits (bench.model.quantized), and the bytes of a
number there: of NF4's 64 share a scale of 8 bits, and 256 of these one of 32. int8 has one for a row.
"""


def computed_in(precision: Precision) -> Literal["bf16", "fp32"]:
    """The type of matrix products."""
    return "fp32" if precision == "fp32" else "bf16"


def check_installed(precision: Precision) -> None:
    """UsageError where a precision wants a package that is not here."""
    if precision in QUANTIZED and not is_installed("bitsandbytes"):
        raise UsageError(
            f"--precision {precision} needs the package bitsandbytes: pip install 'tuning-bench[large]'; bf16 and fp32 "
            "need none"
        )


def cannot_be(precision: Precision, model: ModelSource, changes_weights: bool, method: str) -> str | None:
    """Why a method on a model cannot be measured in a precision, or None."""
    if precision not in QUANTIZED:
        return None
    if changes_weights:
        return f"--precision {precision} is for frozen weights, and method {method!r} changes them; take bf16 or fp32"
    if family_of(read_config(model)).conv1d:
        return f"model {model.name!r} has no linear layers that --precision {precision} could quantise (Conv1D)"
    return None
