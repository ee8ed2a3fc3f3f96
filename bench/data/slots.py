"""Where a method wants prompt slots. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Slots:
    """`count` in front of the sequence, or shared out over the `[P]` marks of the task's pattern."""

    count: int = 0
    place: Literal["front", "pattern"] = "front"
