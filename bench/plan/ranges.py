"""A number that is not known exactly: the least, the likely and the most that was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """`low` ≤ `likely` ≤ `high`."""

    low: float
    likely: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Range:
        return cls(value, value, value)

    @classmethod
    def seen(cls, values: Iterable[tuple[float, float]]) -> Range:
        """Of (amount, per) pairs the lowest and highest ratio, and likely that of their sums; 0 where there is none."""
        pairs = [(amount, per) for amount, per in values if per > 0]
        if not pairs:
            return NONE
        ratios = [amount / per for amount, per in pairs]
        likely = sum(amount for amount, _ in pairs) / sum(per for _, per in pairs)
        return cls(min(ratios), min(max(likely, min(ratios)), max(ratios)), max(ratios))

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, other: Range) -> Range:
        return Range(self.low * other.low, self.likely * other.likely, self.high * other.high)

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)


NONE = Range(0.0, 0.0, 0.0)


def total(ranges: Iterable[Range]) -> Range:
    """The sum: of the lows, of the likely ones and of the highs."""
    result = NONE
    for each in ranges:
        result = result + each
    return result
