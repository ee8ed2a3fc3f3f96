"""What training a cell costs beside others, so that the longest come first and work is divided alike. No torch here."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from bench.cell import Cell
from bench.model.sizes import model_sizes
from bench.model.source import find_model
from bench.plan.amounts import ASSUMED, amount
from bench.plan.seen import Seen
from bench.resolved import ResolvedCell

ROWS = 1000  # of train, where nobody says how many there are


class Costs:
    """Tokens that cells put through their model, by finished cells of the same data, where there are any: rows of one
    task are many times as long as those of another, however long both may be.
    """

    def __init__(self, seen: Iterable[Seen] = ()) -> None:
        self._seen: dict[Hashable, dict[str, Seen]] = {}
        self._tokens: dict[Hashable, float] = {}  # of all seeds
        self.learn(seen)

    def lacks(self, cell: Cell) -> bool:
        """Whether nothing has been learned from a cell like it (`likeness`)."""
        return cell.method not in self._seen.get(_data(cell), {})

    def learn(self, seen: Iterable[Seen]) -> None:
        for each in seen:
            cell = each.record.cell
            if self.lacks(cell):
                self._seen.setdefault(_data(cell), {})[cell.method] = each
                self._tokens = {}

    def tokens(self, resolved: ResolvedCell) -> float:
        """About how many tokens a cell puts through its model."""
        cell = resolved.cell
        key = (_data(cell), cell.method, repr(cell.settings), cell.stage)
        if key not in self._tokens:
            self._tokens[key] = max(1.0, self._counted(resolved))  # of nothing nothing could be shared out
        return self._tokens[key]

    def of(self, resolved: ResolvedCell) -> float:
        """What a cell costs beside cells of other models too, in arbitrary units: tokens times parameters."""
        sizes = model_sizes(find_model(resolved.cell.model_path))
        passes = 1.5 if resolved.method.changes_weights else 1.0  # gradients of weights beside those of states
        return self.tokens(resolved) * (sizes.parameters if sizes else 1) * passes

    def _counted(self, resolved: ResolvedCell) -> float:
        cell, method = resolved.cell, resolved.method
        work = amount(resolved, list(self._seen.get(_data(cell), {}).values()))
        if work is not None:
            return work.tokens.likely or ASSUMED.likely * cell.budget.max_length * work.evaluated
        budget = cell.budget
        rows = (budget.steps or 0) * budget.batch_size or budget.epochs * min(ROWS, budget.train_rows or ROWS)
        return ASSUMED.likely * rows * budget.max_length * method.passes_per_step


def likeness(cell: Cell) -> Hashable:
    """What cells have in common that differ in seeds and settings alone."""
    return (*_data(cell), cell.method)


def _data(cell: Cell) -> tuple[Hashable, ...]:
    return (cell.task, cell.data_fingerprint, cell.model_fingerprint, cell.budget)
