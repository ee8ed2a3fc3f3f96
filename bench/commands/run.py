"""`bench run`: a request becomes a plan, the plan records. A wrong request is answered before torch comes in."""

from __future__ import annotations

import gc
from importlib.util import find_spec

from bench.collecting import not_collecting
from bench.commands.folders import RESULTS
from bench.errors import UsageError
from bench.plan.cells import plan
from bench.registry import load_plugin
from bench.request import RunRequest


def run_grid(request: RunRequest, only_plan: bool, probing: bool = True) -> int:
    """Measure what is missing of a grid, or show its plan. 0 when all of it is done, 1 when a cell failed or diverged.

    UsageError for what cannot be run.
    """
    check_executor(request)
    for path in request.plugin:
        load_plugin(path)
    whole = plan(request, "fp32" if request.precision == "auto" else request.precision)  # what `auto` is, torch knows
    folder = request.out or RESULTS / request.suite
    from bench.store.store import Store

    store = Store.find(folder)
    with not_collecting():
        from bench.commands.measure import cluster_of, finish_run  # torch comes in here
    gc.freeze()  # modules stay to the end

    with cluster_of(request) as cluster:
        return finish_run(request, whole, folder, store, only_plan, probing, cluster)


def check_executor(request: RunRequest) -> None:
    """UsageError for an executor that is not installed, and for a flag of one that was not asked for."""
    if request.address is not None and request.executor != "ray":
        raise UsageError(f"--address {request.address}: it is Ray's; give --executor ray too")
    if request.executor == "ray" and find_spec("ray") is None:
        raise UsageError("--executor ray: Ray is not installed; pip install 'tuning-bench[ray]'")
