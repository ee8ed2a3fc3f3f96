"""A short run to learn what cells cost, where no earlier run tells: a few steps, of which nothing is kept."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from itertools import count, islice

from bench.cell import Budget, Cell
from bench.data.hub import prepared
from bench.errors import UsageError
from bench.model.peak import peak_flops
from bench.model.sizes import model_sizes
from bench.model.source import find_model, is_fetched
from bench.plan.amounts import Rows
from bench.resolved import ResolvedCell
from bench.runner import Runner
from bench.store.record import Costs, Record
from bench.store.store import Store
from bench.train.groups import Group
from bench.train.loop import Progress
from bench.train.options import Options
from bench.train.run_data import RunData
from bench.writing import scratch

SECONDS = 3.0  # of a probe's steps, about, and of what is scored after them
FEWEST_STEPS, MOST_STEPS = 3, 12
FEWEST_ROWS, ROWS = 8, 256  # of a data set, those that a probe trains on and is scored on
SETTING_UP = {"steps": 2, "scored_rows": FEWEST_ROWS}  # first: what a process begins with builds kernels, takes memory
FORWARD = 0.5  # of what a token takes in training, that of one that is scored, or less
USE = 0.3  # of the peak rate, what a step is taken to do before one has been seen
SEEDS_APART = 100_003


class Probe:
    """Runs short cells on a device and counts rows, from data and models that are on this machine.

    Records go to a folder that is deleted. A loop of the same cells goes before the one that is measured: of few steps
    most of the time would be what a process pays once. Layers run as they are unless compiling was asked for, so that
    what `auto` would compile is told too slow rather than too fast.
    """

    def __init__(self, options: Options) -> None:
        as_asked = replace(options, save_tuned=False)
        self._options = as_asked if options.compile == "on" else replace(as_asked, compile="off")
        self._data = RunData()

    def measure(self, group: Group) -> list[Record]:
        """Records of a few steps of these cells, put on one task; none where data or model are not here, or unfit."""
        cells = self._short(_on_one_task(group.cells))
        if not cells:
            return []
        with suppress(UsageError), warnings.catch_warnings(), scratch("bench-probe-") as folder:
            warnings.simplefilter("ignore")  # what data and model are like is told when they run
            runner = Runner(Store.create(folder / "probe"), self._options, Nobody(), self._data)
            first = [_setting_up(resolved) for resolved in cells]
            written = runner.run(replace(group, cells=tuple(each)) for each in (first, cells))
            records = {record.id: record for record in written}
            pairs = (
                (records.get(own.cell.id), records.get(before.cell.id))
                for own, before in zip(cells, first, strict=True)
            )
            return [_with_once(own, before) for own, before in pairs if own and before]
        return []

    def count(self, resolved: ResolvedCell) -> Rows | None:
        """The rows of a cell, by reading its data; None where they are not here, or unfit."""
        if not _is_here(resolved):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                parts = self._data.parts(resolved.cell, resolved.task)
            except UsageError:
                return None
        return Rows(len(parts.train), len(parts.selection), len(parts.scored))

    def _short(self, cells: Sequence[ResolvedCell]) -> list[ResolvedCell]:
        """The cells with a budget of a few steps and rows, on a processor with one seed of each method alone."""
        cells = [resolved for resolved in cells if not resolved.cell.joint]
        if self._options.device.type == "cpu":  # where lanes share nothing
            cells = list({resolved.cell.method: resolved for resolved in cells}.values())
        if not cells:
            return []
        budget = _little(cells[0].cell.budget, self._row_seconds(cells))
        return [replace(resolved, cell=resolved.cell.changed(budget=budget)) for resolved in cells]

    def _row_seconds(self, cells: Sequence[ResolvedCell]) -> float:
        """About what a row of each of the cells takes in a step; 0.0 where nobody knows."""
        flops = sum(token_flops(resolved) for resolved in cells) * cells[0].cell.budget.max_length
        rate = USE * peak_flops(self._options.device, cells[0].cell.precision)
        return flops / rate if rate else 0.0


def token_flops(resolved: ResolvedCell) -> float:
    """About what a token takes while a cell trains, by the model's matrices: 2 forward, 2 back through the states, and
    2 more where weights train. 0.0 where the model's size is unknown.
    """
    sizes = model_sizes(find_model(resolved.cell.model_path))
    if sizes is None:
        return 0.0
    parameters = sizes.matrices or sizes.parameters - sizes.largest
    return (6.0 if resolved.method.changes_weights else 4.0) * parameters


def _little(budget: Budget, row_seconds: float) -> Budget:
    """A few steps, a smaller batch where that would still take too long, and as many rows to score as soon are."""
    batch_size, steps, scored = budget.batch_size, MOST_STEPS, min(ROWS, budget.scored_rows or ROWS)
    if row_seconds:
        steps = max(FEWEST_STEPS, min(MOST_STEPS, int(SECONDS / (row_seconds * batch_size))))
        batch_size = max(1, min(batch_size, int(SECONDS / (row_seconds * steps))))
        scored = min(scored, max(FEWEST_ROWS, int(SECONDS / (row_seconds * FORWARD))))
    return budget.model_copy(
        update={
            "steps": steps,
            "evaluations": 1,
            "batch_size": batch_size,
            "train_rows": min(ROWS, budget.train_rows or ROWS),
            "scored_rows": scored,
        }
    )


def _setting_up(resolved: ResolvedCell) -> ResolvedCell:
    cell = resolved.cell
    return replace(resolved, cell=cell.changed(budget=cell.budget.model_copy(update=SETTING_UP)))


def _with_once(record: Record, before: Record) -> Record:
    """A record with what had been paid when its loop began, in the one before: loading a model that is not changed,
    reading data, compiling.
    """
    own, paid = record.costs, before.costs
    costs = own.model_copy(
        update={
            "load_seconds": own.load_seconds or paid.load_seconds,
            "encode_seconds": (own.encode_seconds or 0.0) + (paid.encode_seconds or 0.0),
            "compile_seconds": (own.compile_seconds or 0.0) + (paid.compile_seconds or 0.0),
        }
    )
    costs.seconds += sum(_once(costs)) - sum(_once(own))
    return record.model_copy(update={"costs": costs})


def _once(costs: Costs) -> tuple[float, ...]:
    return costs.load_seconds or 0.0, costs.encode_seconds or 0.0, costs.own_compile_seconds or 0.0


def _on_one_task(cells: Sequence[ResolvedCell]) -> list[ResolvedCell]:
    """As many cells as can be, all of the task with the fewest rows whose data are here, since it is read whole.

    They are that task's own, again and again at other seeds: a loop of so many takes what theirs takes.
    """
    here = [resolved for resolved in cells if _is_here(resolved)]
    if not here:
        return []
    least = min(here, key=lambda resolved: sum(resolved.task.sizes.values())).cell
    place = (least.task, least.budget)
    own = [resolved for resolved in here if (resolved.cell.task, resolved.cell.budget) == place]
    turns = ((resolved, turn) for turn in count() for resolved in own)
    return [
        replace(resolved, cell=resolved.cell.changed(seed=resolved.cell.seed + SEEDS_APART * turn))
        if turn
        else resolved
        for resolved, turn in islice(turns, len(here))
    ]


def _is_here(resolved: ResolvedCell) -> bool:
    """Whether nothing has to be fetched for a cell."""
    cell, source = resolved.cell, resolved.task.source
    if not is_fetched(find_model(cell.model_path)):
        return False
    if source.generate is not None or cell.data_path:
        return True
    return bool(source.hub and cell.data_revision and prepared(source.hub, cell.data_revision, source.config))


class Nobody:
    """An audience that listens to nothing."""

    def loop(self, cells: Sequence[Cell]) -> AbstractContextManager[object]:
        return nullcontext()

    def step(self, progress: Progress) -> None: ...

    def finished(self, record: Record) -> None: ...

    def chosen(self, choice: object) -> None: ...
