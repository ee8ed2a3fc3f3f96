"""A text of the pretraining corpus."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """One part, or two of which the second follows from or goes with the first; and what it is about."""

    parts: tuple[str] | tuple[str, str]
    topic: str
