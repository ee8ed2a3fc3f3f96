"""Numbers that can be calculated with: what settings, budgets and flags may be. No torch here."""

from __future__ import annotations

from typing import Any

MOST = 2**31 - 1  # of a count: steps, rows, tokens, widths
MOST_SEED = 2**63 - 1
LARGEST, SMALLEST = 3.4028234e38, 1.1754944e-38  # of single precision, in which everything trains; smaller ones are 0


def in_range(value: Any, most: int = MOST) -> Any:
    """The value, in which every number is one that can be calculated with: also those of lists and of tables.

    ValueError where a whole number is beyond `most`, or another one is not finite, or none of single precision.
    """
    if isinstance(value, dict):
        return {name: in_range(part, most) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(in_range(part, most) for part in value)
    if isinstance(value, float) and not (value == 0 or SMALLEST <= abs(value) <= LARGEST):
        raise ValueError(f"it must be 0, or from {SMALLEST:.2g} to {LARGEST:.2g}, as single precision has it")
    if isinstance(value, int) and abs(value) > most:
        raise ValueError(f"it must be at most {most:,}")
    return value
