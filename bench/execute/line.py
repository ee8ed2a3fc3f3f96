"""Cells of a job that may share a loop. No torch here."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from bench.resolved import ResolvedCell
from bench.train.groups import divided


@dataclass
class Line:
    """Cells that may share a loop, those of the method that the others are compared with first, then the longest, and
    `tokens` that each trains on. `cost` is that of the longest beside other lines, in arbitrary units. Of lines that
    cost the same each worker has a `turn` of its own, so that they do not all want one first. `reference`: whether any
    of them is of the method that the others are compared with.
    """

    model: Hashable
    shares: bool
    turn: int
    cost: float = 0.0
    reference: bool = False
    cells: dict[str, ResolvedCell] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)

    def add(self, resolved: ResolvedCell, tokens: float) -> None:
        self.cells[resolved.cell.id], self.tokens[resolved.cell.id] = resolved, tokens
        self.reference |= resolved.method.reference

    def sort(self) -> None:
        names = sorted(self.cells, key=lambda name: (not self.cells[name].method.reference, -self.tokens[name]))
        self.cells = {name: self.cells[name] for name in names}

    @property
    def longest(self) -> ResolvedCell:
        return self.cells[max(self.cells, key=self.tokens.__getitem__)]

    def divided(self, free: Sequence[ResolvedCell], max_lanes: int, workers: int) -> list[Sequence[ResolvedCell]]:
        """Those of its cells that nobody has, as groups that cost a worker's share of all that is left."""
        share = sum(self.tokens[name] for name in self.cells) / workers
        return divided(free, lambda resolved: self.tokens[resolved.cell.id], max_lanes if self.shares else 1, share)
