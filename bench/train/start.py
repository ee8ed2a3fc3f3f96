"""What a lane begins with where its values are not drawn: those that an earlier stage has trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Trouble = tuple[Literal["failed", "diverged"], str]  # a lane's status, and the reason


@dataclass(frozen=True)
class Start:
    """Trained values, and what they took: steps, tokens and seconds that are not the lane's own.

    Without a `head` the lane's is drawn as ever. With `trouble` there is nothing to go on with, and the lane ends so.
    """

    attachment: dict[str, Tensor]
    head: dict[str, Tensor] | None
    steps: int
    tokens: int
    seconds: float
    trouble: Trouble | None = None
