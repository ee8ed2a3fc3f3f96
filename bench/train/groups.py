"""Which cells train in one loop."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
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


def kind_of(resolved: ResolvedCell) -> tuple[bool, Hashable]:
    """Cells of one model and precision that have the same may share a loop, if the first part says that they share any:
    their weights are frozen, and the backbone's dropout is alike.
    """
    frozen = not resolved.method.changes_weights
    return frozen, resolved.cell.budget.backbone_dropout if frozen else resolved.cell.id


def loop_share(num_alike: int, max_lanes: int, workers: int) -> int:
    """How many of these cells go into one loop, so that every worker has some."""
    return max(1, min(max_lanes, math.ceil(num_alike / workers)))


def groups(cells: Iterable[ResolvedCell], max_lanes: int, workers: int = 1) -> Iterator[Group]:
    """Cells that may share a loop, divided among workers; of each model those that share come first, so that its
    backbone is loaded for them once.
    """
    for _, same_model in groupby(cells, key=lambda resolved: (resolved.cell.model_path, resolved.cell.precision)):
        together: dict[tuple[bool, Hashable], list[ResolvedCell]] = {}
        for resolved in same_model:
            together.setdefault(kind_of(resolved), []).append(resolved)
        for (shared, _), alike in sorted(together.items(), key=lambda entry: not entry[0][0]):
            share = loop_share(len(alike), max_lanes, workers)
            for start in range(0, len(alike), share):
                yield Group(tuple(alike[start : start + share]), shared)
