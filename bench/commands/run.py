"""`bench run`: a request becomes a plan, the plan records. A wrong request is answered before torch comes in.

The command and `bench.run()` in Python (bench.notebook) both go this way.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.collecting import not_collecting
from bench.commands.folders import RESULTS
from bench.commands.interrupts import raise_it
from bench.commands.own_data import show_own_data
from bench.commands.screen import plain_screen, say_on
from bench.errors import UsageError
from bench.execute.queue import Queue, check_precision, check_tools, queue_of
from bench.installed import is_installed
from bench.model.trust import trusting
from bench.plan.cells import plan
from bench.registry import load_plugin
from bench.request import RunRequest
from bench.store.store import Store
from bench.track.known import check_trackers

if TYPE_CHECKING:
    from bench.commands.grid import Grid


@dataclass(frozen=True)
class Ended:
    """What came of a run: its results folder, and the exit code of a command, 0 when all of the grid is done, submitted
    or was only to be shown, 1 when a cell failed or diverged.
    """

    folder: Path
    code: int


def run_grid(request: RunRequest, only_plan: bool = False, probing: bool = True, dry_run: bool = False) -> Ended:
    """Measure what is missing of a grid, or show its plan, or what a queue would be given.

    UsageError for what cannot be run.
    """
    with planned(request, only_plan, dry_run) as grid:
        from bench.commands.grid import show_grid
        from bench.commands.measure import measure

        if not only_plan:
            return Ended(grid.folder, measure(plain_screen(), grid, dry_run, probing))
        show_grid(plain_screen(), grid, probing)
        return Ended(grid.folder, 0)


@contextmanager
def planned(request: RunRequest, only_plan: bool = False, dry_run: bool = False) -> Iterator[Grid]:
    """The grid that a request asks for, on its devices; with `only_plan` and `dry_run` no model is fetched for it.
    UsageError for what cannot be run.
    """
    with trusting(request.trust_remote_code), _grid(request, only_plan, dry_run) as grid:
        yield grid


@contextmanager
def _grid(request: RunRequest, only_plan: bool, dry_run: bool) -> Iterator[Grid]:
    queue = queue_of(request)
    check_executor(request, queue, only_plan, dry_run)
    for path in request.plugin:
        load_plugin(path)
    check_trackers(request.track)
    request = show_own_data(request)
    whole = plan(request, "fp32" if request.precision == "auto" else request.precision)  # what `auto` is, torch knows
    folder = request.out or RESULTS / request.suite
    Store.find(folder)
    with not_collecting():
        from bench.commands.grid import executor_of, proved_grid  # torch comes in here
    raise_it()
    gc.freeze()  # modules stay to the end
    try:
        with executor_of(request, queue, partial(say_on, plain_screen())) as executor:
            yield proved_grid(request, whole, folder, executor, queue, fetch=not (only_plan or dry_run))
    finally:
        gc.unfreeze()  # of a notebook's own objects some are garbage one day


def check_executor(request: RunRequest, queue: Queue | None, only_plan: bool, dry_run: bool) -> None:
    """UsageError for an executor that is not installed or not there, and for a flag of one that was not asked for."""
    if dry_run and queue is None:
        raise UsageError("--dry-run shows what --executor slurm would submit; --plan shows what would run")
    if queue is not None:
        if not only_plan:
            check_tools(queue)
        check_precision(queue, request.precision)
    if request.address is not None and request.executor != "ray":
        raise UsageError(f"--address {request.address}: it is Ray's; give --executor ray too")
    if request.executor == "ray" and not is_installed("ray"):
        raise UsageError("--executor ray: Ray is not installed; pip install 'tuning-bench[ray]'")
    if request.executor == "ray" and request.shard > 1:
        raise UsageError(
            f"--shard {request.shard}: a Ray worker has one GPU; a model over several is trained with --executor local "
            "or slurm"
        )
