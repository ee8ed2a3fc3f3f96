"""Which cells train in one loop."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from bench.resolved import ResolvedCell


@dataclass(frozen=True)
class Group:
    """Cells that share a backbone and a loop: one piece of work, done and written together.

    Without `shared` it is one cell, which may change the backbone.
    """

    cells: tuple[ResolvedCell, ...]
    shared: bool = True

    def __len__(self) -> int:
        return len(self.cells)


def groups(cells: Iterable[ResolvedCell], max_lanes: int, workers: int = 1) -> Iterator[Group]:
    """Cells that may share a loop: same model, precision and backbone dropout, weights frozen; else one by one.

    Frozen cells of a model come first, so that its backbone is loaded for them once. They are divided so that each of
    so many workers gets a group of them, if there are enough.
    """
    for _, same_model in groupby(cells, key=lambda resolved: (resolved.cell.model_path, resolved.cell.precision)):
        alone: list[ResolvedCell] = []
        together: dict[bool, list[ResolvedCell]] = {}
        for resolved in same_model:
            dropout = resolved.cell.budget.backbone_dropout
            (alone if resolved.method.changes_weights else together.setdefault(dropout, [])).append(resolved)
        for alike in together.values():
            share = min(max_lanes, math.ceil(len(alike) / workers))
            for start in range(0, len(alike), share):
                yield Group(tuple(alike[start : start + share]))
        yield from (Group((resolved,), shared=False) for resolved in alone)
