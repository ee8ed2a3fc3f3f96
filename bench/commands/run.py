"""`bench run`: a request becomes a plan, the plan records. A wrong request is answered before torch comes in."""

from __future__ import annotations

import gc

from bench.collecting import not_collecting
from bench.commands.folders import RESULTS
from bench.plan.cells import plan
from bench.registry import load_plugin
from bench.request import RunRequest


def run_grid(request: RunRequest, only_plan: bool, probing: bool = True) -> int:
    """Measure what is missing of a grid, or show its plan. 0 when all of it is done, 1 when a cell failed or diverged.

    UsageError for what cannot be run.
    """
    for path in request.plugin:
        load_plugin(path)
    whole = plan(request, "fp32" if request.precision == "auto" else request.precision)  # what `auto` is, torch knows
    folder = request.out or RESULTS / request.suite
    from bench.store.store import Store

    store = Store.find(folder)
    with not_collecting():
        from bench.commands.measure import finish_run  # torch comes in here
    gc.freeze()  # modules stay to the end

    return finish_run(request, whole, folder, store, only_plan, probing)
