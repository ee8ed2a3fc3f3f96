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
    cells: Sequence[ResolvedCell], costs: Sequence[float], most: int, share: float
) -> list[Sequence[ResolvedCell]]:
    """Cells as parts that go into one loop each: the next ones until they cost a `share` of the work, `most` of them
    at the most.
    """
    parts: list[Sequence[ResolvedCell]] = []
    start, cost = 0, 0.0
    for place, of_cell in enumerate(costs, start=1):
        cost += of_cell
        # sums of costs that are alike may differ from their multiples by rounding
        if place == len(cells) or place - start == most or cost >= share * (1 - 1e-9):
            parts.append(cells[start:place])
            start, cost = place, 0.0
    return parts


def groups(
    cells: Iterable[ResolvedCell], max_lanes: int, workers: int = 1, cost: Callable[[ResolvedCell], float] | None = None
) -> Iterator[Group]:
    """Cells that may share a loop, divided among workers so that the parts cost alike, with `cost` the longest first;
    of each model those that share come first, so that its backbone is loaded for them once. Without it all cost alike.
    """
    for _, same_model in groupby(cells, key=lambda resolved: (resolved.cell.model_path, resolved.cell.precision)):
        together: dict[tuple[bool, Hashable], list[ResolvedCell]] = {}
        for resolved in same_model:
            together.setdefault(kind_of(resolved), []).append(resolved)
        for (shared, _), alike in sorted(together.items(), key=lambda entry: not entry[0][0]):
            if cost is not None:
                alike.sort(key=lambda resolved: -cost(resolved))
            costs = [cost(resolved) if cost is not None else 1.0 for resolved in alike]
            for part in divided(alike, costs, max_lanes, sum(costs) / workers):
                yield Group(tuple(part), shared)
