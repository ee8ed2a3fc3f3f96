"""A short run to learn what cells cost, where no earlier run tells: a few steps, of which nothing is kept."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count, islice

from bench.cell import Budget
from bench.data.hub import prepared
from bench.data.split import HELD_OUT_SHARE
from bench.errors import UsageError
from bench.execute.pace import Pace, Steps
from bench.execute.settled import FORWARD, Pair, settled
from bench.model.peak import peak_flops
from bench.model.sizes import model_sizes
from bench.model.source import find_model, is_fetched
from bench.plan.amounts import Rows
from bench.resolved import ResolvedCell
from bench.runner import Runner
from bench.store.record import Record
from bench.store.store import Store
from bench.train.groups import Group
from bench.train.options import Options
from bench.train.prepare import UnloadedModel, unloaded_models
from bench.train.run_data import RunData
from bench.writing import scratch

SECONDS = 3.0  # of a probe's steps, about, and of what is scored after them
SETTLED, MOST_STEPS = 2, 12  # steps: the fewest that are settled, the most of all
FEWEST_ROWS, ROWS = 8, 256  # of a data set, those that a probe is scored on
FILLING = 8  # rows of a cell's step on a GPU, with fewer of which those of a few cells fill no micro-batch
SETTING_UP = {"steps": 2, "scored_rows": FEWEST_ROWS}  # first: what a process begins with builds kernels, takes memory
USE = 0.3  # of the peak rate, what a step is taken to do before one has been seen
SEEDS_APART = 100_003


class Probe:
    """Runs short cells on a device and counts rows, from data and models that are on this machine.

    Records go to a folder that is deleted. A loop of the same cells goes before the one that is measured, for what a
    process pays once, and each step has the same rows, so that its shapes soon are old ones and the last steps take
    what those of a long run do. Layers run as they are unless compiling was asked for, so that what `auto` would
    compile is told too slow rather than too fast.
    """

    def __init__(self, options: Options) -> None:
        as_asked = replace(options, save_tuned=False)
        self._options = as_asked if options.compile == "on" else replace(as_asked, compile="off")
        self._data = RunData()
        self._models: dict[str, UnloadedModel] = {}  # by path: a plan may have thousands of cells of one

    def measure(self, group: Group) -> list[Record]:
        """Records of a few steps of these cells, put on one task; none where data or model are not here, or unfit."""
        pace = Pace(self._options.devices)
        cells = self._short(_on_one_task(group.cells), pace.settling + SETTLED)
        if not cells:
            return []
        with _quietly(), scratch("bench-probe-") as folder:
            runner = Runner(Store.create(folder / "probe"), self._options, pace, self._data)
            first = [_setting_up(resolved) for resolved in cells]
            written = runner.run(replace(group, cells=tuple(each)) for each in (first, cells))
            records = {record.id: record for record in written}
            pairs = [
                Pair(own, records[own.cell.id], records[before.cell.id])
                for own, before in zip(cells, first, strict=True)
                if {own.cell.id, before.cell.id} <= records.keys()
            ]
            before, steps = pace.loops if len(pace.loops) == 2 else (Steps(0), Steps(0))
            return settled(pairs, before, steps, pace.captures)
        return []

    def count(self, resolved: ResolvedCell) -> Rows | None:
        """The rows of a cell, by reading its data; None where they are not here, or unfit."""
        if not _is_here(resolved):
            return None
        with _quietly():
            parts = self._data.parts(resolved.cell, resolved.task)
            return Rows(len(parts.train), len(parts.selection), len(parts.scored))
        return None

    def tokens(self, resolved: ResolvedCell) -> float | None:
        """Of an item that a cell trains on, prompt and all its sequences counted, by some rows; None as for `count`."""
        if not _is_here(resolved):
            return None
        budget = resolved.cell.budget.model_copy(
            update={"train_rows": min(ROWS, resolved.cell.budget.train_rows or ROWS), "scored_rows": FEWEST_ROWS}
        )
        some, path = replace(resolved, cell=resolved.cell.changed(budget=budget)), resolved.cell.model_path
        with _quietly():
            if path not in self._models:
                self._models |= unloaded_models([path], self._options.devices)
            items = self._data.of(some, self._models[path]).train
            return sum(item.num_tokens for item in items) / len(items) if items else None
        return None

    def _short(self, cells: Sequence[ResolvedCell], fewest: int) -> list[ResolvedCell]:
        """The cells with a budget of a few steps and rows, on a processor with one seed of each method alone.

        Trials too are scored on rows of the scored split, whose time is all that anybody sees of it.
        """
        cells = [resolved for resolved in cells if not resolved.cell.joint]
        if self._options.device.type == "cpu":  # where lanes share nothing
            cells = list({resolved.cell.method: resolved for resolved in cells}.values())
        if not cells:
            return []
        budget = self._little(cells, fewest)
        return [replace(resolved, cell=resolved.cell.changed(budget=budget, stage="score")) for resolved in cells]

    def _little(self, cells: Sequence[ResolvedCell], fewest: int) -> Budget:
        """A few steps, a smaller batch where that would still take too long, and as many rows to score as soon are."""
        budget, row_seconds = cells[0].cell.budget, self._row_seconds(cells)
        batch_size, steps, scored = budget.batch_size, MOST_STEPS, min(ROWS, budget.scored_rows or ROWS)
        if row_seconds:
            steps = max(fewest, min(MOST_STEPS, int(SECONDS / (row_seconds * batch_size))))
            least = min(batch_size, FILLING if self._options.device.type == "cuda" else 1)
            batch_size = max(least, min(batch_size, int(SECONDS / (row_seconds * steps))))
            scored = min(scored, max(FEWEST_ROWS, int(SECONDS / (row_seconds * FORWARD[False]))))
        demonstrated = any(resolved.method.demonstrations() for resolved in cells)
        rows = ROWS if demonstrated else _rows_of_one_batch(cells[0], batch_size)
        return budget.model_copy(
            update={
                "steps": steps,
                "evaluations": 1,
                "batch_size": batch_size,
                "train_rows": min(rows, budget.train_rows or rows),
                "scored_rows": scored,
            }
        )

    def _row_seconds(self, cells: Sequence[ResolvedCell]) -> float:
        """About what a row of each of the cells takes in a step; 0.0 where nobody knows."""
        flops = sum(token_flops(resolved) for resolved in cells) * cells[0].cell.budget.max_length
        rate = USE * peak_flops(self._options.device, cells[0].cell.precision)
        return flops / rate if rate else 0.0


@contextmanager
def _quietly() -> Iterator[None]:
    """What data and model are like is told when they run; what is unfit is left out."""
    with suppress(UsageError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def token_flops(resolved: ResolvedCell) -> float:
    """About what a token takes while a cell trains, by the model's matrices: 2 forward, 2 back through the states, and
    2 more where weights train (`FORWARD`). 0.0 where the model's size is unknown.
    """
    sizes = model_sizes(find_model(resolved.cell.model_path))
    if sizes is None:
        return 0.0
    parameters = sizes.matrices or sizes.parameters - sizes.largest
    return 2.0 * parameters / FORWARD[resolved.method.changes_weights]


def _rows_of_one_batch(resolved: ResolvedCell, batch_size: int) -> int:
    """Train rows of which, after what is held out, about a batch is left, so that every step has the same rows."""
    share = 1 - HELD_OUT_SHARE if resolved.cell.protocol == "holdout" else 1.0
    return max(2, int(batch_size / share))


def _setting_up(resolved: ResolvedCell) -> ResolvedCell:
    cell = resolved.cell
    return replace(resolved, cell=cell.changed(budget=cell.budget.model_copy(update=SETTING_UP)))


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
