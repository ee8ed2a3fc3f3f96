"""How many items went through a model while a cell trained and was evaluated. No torch here."""

from __future__ import annotations

import math

from bench.store.record import Record


def rows_of_steps(steps: int, num_items: int, batch_size: int) -> int:
    """Items in so many batches, the last one of each epoch being short."""
    epochs, rest = divmod(steps, max(1, math.ceil(num_items / batch_size)))
    return epochs * num_items + min(rest * batch_size, num_items)


def items_of_steps(record: Record) -> int:
    """Items in the batches of a cell that has finished."""
    return rows_of_steps(record.costs.steps, record.counts.train_items, record.cell.budget.batch_size)


def rows_evaluated(record: Record) -> int:
    """Rows that it was evaluated on, those of every evaluation counted."""
    return len(record.curve) * record.counts.selection + record.counts.scored


def read_once(record: Record) -> bool:
    """Whether items went through the model once and not at every step: states that no lane changes are kept."""
    return 0 < record.costs.forward_passes < items_of_steps(record)
