"""`bench run`: a request becomes a plan, the plan records. A wrong request is answered before torch comes in."""

from __future__ import annotations

import gc

from bench.collecting import not_collecting
from bench.commands.folders import RESULTS
from bench.commands.own_data import show_own_data
from bench.errors import UsageError
from bench.execute.queue import Queue, check_precision, check_tools, queue_of
from bench.installed import is_installed
from bench.plan.cells import plan
from bench.registry import load_plugin
from bench.request import RunRequest


def run_grid(request: RunRequest, only_plan: bool, probing: bool = True, dry_run: bool = False) -> int:
    """Measure what is missing of a grid, or show its plan, or what a queue would be given. 0 when all of it is done or
    submitted, 1 when a cell failed or diverged.

    UsageError for what cannot be run.
    """
    queue = queue_of(request)
    check_executor(request, queue, only_plan, dry_run)
    for path in request.plugin:
        load_plugin(path)
    request = show_own_data(request)
    whole = plan(request, "fp32" if request.precision == "auto" else request.precision)  # what `auto` is, torch knows
    folder = request.out or RESULTS / request.suite
    from bench.store.store import Store

    store = Store.find(folder)
    with not_collecting():
        from bench.commands.measure import Asked, executor_of, finish_run  # torch comes in here
    gc.freeze()  # modules stay to the end

    with executor_of(request, queue) as executor:
        return finish_run(request, whole, folder, store, executor, Asked(queue, only_plan, probing, dry_run))


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
