"""What is counted while a split is read, by the reason, to be told once and kept in the record."""

from __future__ import annotations

from collections import Counter


class Tally:
    """How often each reason was noted, and where first."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def note(self, reason: str, place: str, times: int = 1) -> None:
        """Count `reason`; `place` is told of its first time only."""
        self.counts[reason] += times
        self._first.setdefault(reason, place)

    @property
    def total(self) -> int:
        return self.counts.total()

    def listed(self, with_places: bool = False) -> str:
        """`2 × a reason, 1 × another`, by the reasons; behind each where it was first, if asked for."""
        places = {reason: f" (first at {place})" if with_places else "" for reason, place in self._first.items()}
        return ", ".join(f"{count} × {reason}{places[reason]}" for reason, count in sorted(self.counts.items()))
