"""Which cells train in one loop."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
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


def divided(
    cells: Sequence[ResolvedCell], cost: Callable[[ResolvedCell], float], most: int, share: float
) -> list[Sequence[ResolvedCell]]:
    """Cells as parts that go into one loop each: the next ones until they cost a `share` of the work, `most` of them
    at the most.
    """
    parts: list[Sequence[ResolvedCell]] = []
    start, costs = 0, 0.0
    for end, resolved in enumerate(cells, start=1):
        costs += cost(resolved)
        # sums of costs that are alike may differ from their multiples by rounding
        if end == len(cells) or end - start == most or costs >= share * (1 - 1e-9):
            parts.append(cells[start:end])
            start, costs = end, 0.0
    return parts


def groups(
    cells: Iterable[ResolvedCell],
    max_lanes: int,
    workers: int = 1,
    cost: Callable[[ResolvedCell], float] = lambda _: 1.0,
) -> Iterator[Group]:
    """Cells that may share a loop, divided among workers so that the parts cost alike, the longest first; of each model
    those that share come first, so that its backbone is loaded for them once.
    """
    for _, same_model in groupby(cells, key=lambda resolved: (resolved.cell.model_path, resolved.cell.precision)):
        together: dict[tuple[bool, Hashable], list[ResolvedCell]] = {}
        for resolved in same_model:
            together.setdefault(kind_of(resolved), []).append(resolved)
        for (shared, _), alike in sorted(together.items(), key=lambda entry: not entry[0][0]):
            longest_first = sorted(alike, key=cost, reverse=True)
            for part in divided(longest_first, cost, max_lanes, sum(map(cost, alike)) / workers):
                yield Group(tuple(part), shared)
