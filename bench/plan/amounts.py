"""How much a cell has to do: tokens that it trains on, rows that it is evaluated on. No torch here.

What finished cells counted goes before what a task declares; what neither says is assumed, and said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.cell import Cell
from bench.data.split import HELD_OUT_MOST, HELD_OUT_SHARE
from bench.plan.ranges import Range
from bench.plan.seen import Seen
from bench.plan.trained import items_of_steps, read_once, rows_of_steps
from bench.resolved import ResolvedCell

ASSUMED = Range(0.25, 0.5, 1.0)  # of max_length, the tokens of a row of which nothing is known


@dataclass(frozen=True)
class Rows:
    """Items that a cell trains on (a long context is several), rows that steps are chosen on and scores are from."""

    train: int
    selection: int
    scored: int


@dataclass(frozen=True)
class Amount:
    """Tokens through the model while training, and rows evaluated, those of every evaluation counted.

    `once`: the tokens where every item goes through it once, whatever the steps. `assumed` says what is neither counted
    nor declared.
    """

    tokens: Range
    once: Range
    evaluated: int
    steps: int
    assumed: str = ""


Count = Callable[[ResolvedCell], Rows | None]  # reads the data of a cell, where that is possible
Lengths = Callable[[ResolvedCell], float | None]  # encodes some of them: tokens of an item, prompt and all


def nobody_reads(resolved: ResolvedCell) -> None:
    """Where data are not read for a forecast."""


def amount(
    resolved: ResolvedCell, of_task: Sequence[Seen], count: Count = nobody_reads, lengths: Lengths = nobody_reads
) -> Amount | None:
    """What a cell has to do, by finished ones `of_task` and data; None where nobody knows how many rows there are."""
    cell, method = resolved.cell, resolved.method
    rows = _rows(resolved, of_task, count)
    if rows is None:
        return None
    per_epoch = max(1, math.ceil(rows.train / cell.budget.batch_size))
    steps = (cell.budget.steps or cell.budget.epochs * per_epoch) if method.trains else 0
    tokens, assumed = _tokens_per_row(resolved, [each for each in of_task if _has_counted(each)], lengths)
    trained = rows_of_steps(steps, rows.train, cell.budget.batch_size)
    evaluated = num_evaluations(cell, steps) * rows.selection + rows.scored
    once = tokens.times(rows.train if steps else 0)
    return Amount(tokens.times(trained), once, evaluated, steps, assumed if steps else "")


def num_evaluations(cell: Cell, steps: int) -> int:
    """Times that a cell is evaluated on its selection slice; 1 without training."""
    budget = cell.budget
    if not steps:
        return 1
    return min(budget.evaluations or (10 if budget.steps else budget.epochs), steps)


def _rows(resolved: ResolvedCell, of_task: Sequence[Seen], count: Count) -> Rows | None:
    """Counted by records of the same cut of the data; else as the task declares them; else by reading."""
    cell = resolved.cell
    alike = [each.record for each in of_task if _cut(each.record.cell) == _cut(cell)]
    trained = next((record.counts for record in alike if record.counts.train_items), None)
    scored = next((record.counts.scored for record in alike if record.counts.scored), 0)
    is_scored = cell.stage == "score"
    if trained and (scored or not is_scored):
        return Rows(trained.train_items, trained.selection, scored if is_scored else 0)
    return _declared(resolved, of_task) or count(resolved)


def _cut(cell: Cell) -> tuple[object, ...]:
    return (cell.protocol, cell.budget.train_rows, cell.budget.scored_rows)


def _declared(resolved: ResolvedCell, of_task: Sequence[Seen]) -> Rows | None:
    """By the official sizes. Items in a row are as many as in the records of another cut, else one."""
    cell, task = resolved.cell, resolved.task
    budget, sizes = cell.budget, task.sizes
    if "train" not in sizes or task.scored not in sizes or task.sizes_of != "rows":
        return None
    train = min(sizes["train"], budget.train_rows or sizes["train"])
    scored = min(sizes[task.scored], budget.scored_rows or sizes[task.scored])
    held = min(max(1, round(HELD_OUT_SHARE * train)), HELD_OUT_MOST)
    selection = held if cell.protocol == "holdout" else min(sizes.get("dev", scored), budget.scored_rows or scored)
    train -= held if cell.protocol == "holdout" else 0
    counts = [each.record.counts for each in of_task]
    windows = Range.seen((count.train_items, count.train) for count in counts).likely or 1.0
    return Rows(round(train * windows), selection, scored if cell.stage == "score" else 0)


def _has_counted(each: Seen) -> bool:
    """Whether a record has counts of all that tokens are divided by: those of others may lack some."""
    costs, counts = each.record.costs, each.record.counts
    return min(costs.tokens, costs.forward_passes, costs.steps, counts.train_items) > 0


def _tokens_per_row(resolved: ResolvedCell, of_task: Sequence[Seen], lengths: Lengths) -> tuple[Range, str]:
    """Tokens that an item puts through the model in a step, all its sequences and passes counted; what is assumed."""
    cell, method = resolved.cell, resolved.method
    slots, passes = method.slots().count, method.passes_per_step
    known = [each for each in of_task if each.record.cell.budget.max_length == cell.budget.max_length]
    if all(each.probed for each in known) and (read := lengths(resolved)):  # a probe has a batch of rows
        return Range.exactly(read * passes), ""
    if not known:
        length = ASSUMED.times(cell.budget.max_length * (1 + method.demonstrations()))
        return (length + Range.exactly(slots)).times(passes), "rows of a quarter to all of --max-length"
    likest = max(known, key=lambda each: _likeness(cell, each.record.cell))
    costs = likest.record.costs
    items = likest.record.counts.train_items if read_once(likest.record) else items_of_steps(likest.record)
    sequences = costs.forward_passes / items / likest.method.passes_per_step
    length_seen = costs.tokens / costs.forward_passes - likest.method.slots().count
    return Range.exactly((length_seen + slots) * sequences * passes), ""


def _likeness(cell: Cell, other: Cell) -> tuple[bool, ...]:
    """What decides how long the rows of a task are, the most telling first."""
    return (
        (other.method, other.settings) == (cell.method, cell.settings),
        other.settings.get("head") == cell.settings.get("head"),
        other.model_fingerprint == cell.model_fingerprint,
        other.method == cell.method,
    )
