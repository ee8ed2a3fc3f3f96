"""The later stages of `bench run`: what the models show of themselves, the plan in words, the records."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console

from bench.cell import Plan
from bench.commands.forecast import print_forecast
from bench.commands.preview import print_cells, print_plan
from bench.commands.progress import progress
from bench.errors import UsageError
from bench.execute.devices import chosen_devices
from bench.execute.job import Job
from bench.execute.pool import Pool
from bench.execute.worker import Seat, check_grid, ending_on_request, work
from bench.model.compile_price import RATES
from bench.model.device import choose_precision, precision_notes
from bench.model.proofs import proofs_of
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.plan.models import unproved_notes
from bench.plan.selection import Outstanding, choose, outstanding, possible
from bench.registry import find_suite
from bench.request import RunRequest
from bench.resolved import resolve
from bench.store.declarations import keep_suite
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Watch, new_identity
from bench.train.compiling import Place, planned_tokens
from bench.train.memory import check_memory
from bench.train.options import Options, default_lanes
from bench.train.prepare import prepare, unloaded_models
from bench.train.run_data import RunData

if TYPE_CHECKING:
    from bench.execute.cluster import Cluster

LOST = ("trial", "diverged")


def cluster_of(request: RunRequest) -> AbstractContextManager[Cluster | None]:
    """The connection to the cluster that a request names, if it names one. UsageError where none is there."""
    if request.executor != "ray":
        return nullcontext()
    from bench.execute.cluster import Cluster

    return Cluster(request.address, request.devices, partial(_say, Console()))


def finish_run(
    request: RunRequest,
    whole: Plan,
    path: Path,
    store: Store | None,
    only_plan: bool,
    probing: bool = True,
    cluster: Cluster | None = None,
) -> int:
    """Show a plan and measure what the store at `path` lacks of it; the exit code.

    `whole` may have assumed a precision for `auto`; `store` is None where none has been made yet. With `probing` a plan
    runs a few steps where no earlier run tells how long they take. Where there is a `cluster`, its devices do the work.
    """
    console = Console()
    devices = cluster.devices if cluster else chosen_devices(request.devices)
    device = devices[0]
    lanes = request.lanes or default_lanes(device)
    options = Options(device, lanes, request.token_budget, request.save_tuned, request.checkpointing, request.compile)
    whole = _proved(request, whole, options, store, not only_plan, cluster)
    _check_workers(request, whole, devices)
    left = outstanding(whole, store)
    print_plan(console, whole, left, path)
    if only_plan:
        print_cells(console, [*whole.trials, *left.choice.cells], {cell.id for cell in [*left.trials, *left.cells]})
        if cluster is None:  # of other machines no record here tells
            print_forecast(console, left, path, options, num_workers=len(devices), probing=probing)
        return 0
    ahead = [resolve(cell) for cell in (*left.trials, *left.cells, *possible(whole, left.choice.waiting))]
    if cluster is None:  # a node's memory is looked at there; before minutes of reading
        check_memory(ahead, device, options.max_lanes, options.token_budget, options.checkpointing)
    data = RunData()
    begun = time.perf_counter()
    # before anything is written: bad input leaves no folder behind
    prepare([resolve(cell) for cell in (*left.trials, *left.cells, *left.choice.waiting)], data)
    _print_encoded(console, data.num_items, data.tokens.num_tokenised, time.perf_counter() - begun)
    job = _job(request, whole, left, path, options, data)
    check_grid(job, Watch(path))
    store = Store.create(path)
    for suite in dict.fromkeys(cell.suite for cell in whole.cells):
        keep_suite(path, find_suite(suite))
    store.write_plan([*whole.trials, *left.choice.cells, *left.choice.waiting])
    return _close(console, job, left, _measured(console, job, left, devices, data, cluster))


def _check_workers(request: RunRequest, whole: Plan, devices: list[torch.device]) -> None:
    """UsageError for processes that no cell of the plan would keep busy."""
    most = max(len(whole.cells), len(whole.trials))
    if devices[0].type == "cpu" and ":" in request.devices and len(devices) > most:
        raise UsageError(
            f"--devices {request.devices}: {len(devices)} workers are more than the {most} cells of this grid; "
            f"use cpu:{most} or fewer"
        )


def _proved(
    request: RunRequest, whole: Plan, options: Options, store: Store | None, fetch: bool, cluster: Cluster | None
) -> Plan:
    """The plan at the device's precision, made anew where a model still to be run shows that it lacks something."""
    asked, device = request.precision, options.device
    precision = cluster.precision(asked) if cluster else choose_precision(asked, device)
    if any(cell.precision != precision for cell in whole.cells):
        whole = plan(request, precision)
    left = outstanding(whole, store)
    models = [find_model(cell.model_path) for cell in [*left.trials, *left.cells, *left.choice.waiting]]
    proofs = cluster.proofs_of(models, fetch) if cluster else proofs_of(models, device, fetch)
    if any(proof.limits for proof in proofs.values()):
        whole = plan(request, precision, proofs)
    of_device = () if cluster else precision_notes(precision, device)
    notes = (*whole.notes, *unproved_notes(models, proofs), *of_device)
    return replace(whole, notes=notes)


def _job(
    request: RunRequest, whole: Plan, left: Outstanding, path: Path, options: Options, data: RunData
) -> Job:  # fmt: skip
    store = Store.find(path)
    return Job(
        plan=whole,
        folder=path,
        run=new_identity().worker,
        max_lanes=options.max_lanes,
        token_budget=options.token_budget,
        save_tuned=options.save_tuned,
        checkpointing=options.checkpointing,
        compile=options.compile,
        plugins=request.plugin,
        failures=store.failures() if store else {},
        tokens=_tokens(left, options, data),
        compiled=_compiled(whole, store),
    )


def _tokens(left: Outstanding, options: Options, data: RunData) -> dict[Place, int]:
    """What the outstanding cells put through each model, where it may be worth compiling for."""
    cells = [resolve(cell) for cell in (*left.trials, *left.cells, *left.choice.waiting)]
    if options.compile != "auto" or options.device.type not in RATES:
        return {}
    return planned_tokens(cells, data, unloaded_models({resolved.cell.model_path for resolved in cells}))


def _compiled(whole: Plan, store: Store | None) -> dict[Place, bool]:
    """Whether the plan's finished cells ran on compiled layers, by one record of each model and precision."""
    found: dict[Place, bool] = {}
    done = store.done() if store else set()
    for cell in (*whole.trials, *whole.cells):
        place = (cell.model_path, cell.precision)
        if store and place not in found and cell.id in done:
            found[place] = bool(store.records_of([cell.id])[cell.id].provenance.get("compiled"))
    return found


def _measured(
    console: Console,
    job: Job,
    left: Outstanding,
    devices: list[torch.device],
    data: RunData,
    cluster: Cluster | None,
) -> list[Record]:
    """The records of what was outstanding, by one process here or several, or by those of a cluster."""
    num_cells = len(left.trials) + len(left.cells) + len(left.choice.waiting)
    if not num_cells:
        return []
    seats = [Seat((device,)) for device in devices[:num_cells]]
    say = partial(_say, console)
    with progress(console, num_cells) as audience:
        if cluster is not None:
            from bench.execute.ray import Dispatch

            return Dispatch(replace(job, workers=len(seats)), cluster, audience, say).run()
        if len(seats) == 1:
            with ending_on_request():
                return work(job, seats[0], audience, data)
        return Pool(replace(job, workers=len(seats)), seats, audience, say).run()


def _say(console: Console, line: str) -> None:
    """Something that the user should read."""
    console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _close(console: Console, job: Job, left: Outstanding, records: list[Record]) -> int:
    """Say what came of a run; the exit code. A trial that diverged has lost, and nothing went wrong.

    What other processes made of the same grid meanwhile counts, and is named.
    """
    store = Store.open(job.folder)
    own = {record.id for record in records}
    marks = store.failures()
    attempted = {cell_id for cell_id, mark in marks.items() if mark != job.failures.get(cell_id)}
    choice = choose(job.plan, store, attempted)
    cells = {cell.id for cell in (*job.plan.trials, *choice.cells)}
    others = store.records_of((attempted & cells) - own).values()
    every = [*records, *others]
    failed = [record for record in every if record.status != "done" and (record.cell.stage, record.status) != LOST]
    if failed:
        console.print(f"{len(failed)} of {len(every)} cells failed; they are tried again next time", style="red")
    done = [record.cell.stage for record in records if record.status == "done"]
    trials = f"{done.count('trial')} trials and " if "trial" in done else ""
    known = {cell.id for cell in (*left.trials, *left.cells)} | (cells - {cell.id for cell in left.choice.cells})
    theirs = len((known & store.done()) - own)
    more = f", {theirs} by other processes" if theirs else ""
    line = f"{trials}{done.count('score')} cells written to {job.folder}{more}; next: bench report {job.folder}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if failed or choice.skips else 0


def _print_encoded(console: Console, items: int, tokenised: int, seconds: float) -> None:
    texts = f"{tokenised} texts tokenised" if tokenised else "no text tokenised again"
    console.print(f"{items} items read and encoded in {seconds:.1f} s, {texts}", highlight=False)
