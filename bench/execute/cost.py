"""What cells cost beside each other, before anything is read: so that the longest are trained first. No torch here."""

from __future__ import annotations

from bench.cell import Budget
from bench.model.sizes import model_sizes
from bench.model.source import find_model
from bench.resolved import ResolvedCell


def cost_of(resolved: ResolvedCell) -> float:
    """What training a cell costs beside others, in arbitrary units: rows times their length times parameters."""
    cell = resolved.cell
    sizes = model_sizes(find_model(cell.model_path))
    parameters = sizes.parameters if sizes else 1
    passes = 1.5 if resolved.method.changes_weights else 1.0  # gradients of weights beside those of states
    return num_rows(resolved) * cell.budget.max_length * parameters * passes * resolved.method.passes_per_step


def num_rows(resolved: ResolvedCell) -> int:
    """About how many rows a cell trains on, each time counted."""
    budget: Budget = resolved.cell.budget
    if budget.steps is not None:
        return budget.steps * budget.batch_size
    rows = resolved.task.sizes.get("train", 1000)
    return budget.epochs * min(rows, budget.train_rows or rows)
