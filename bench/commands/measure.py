"""The later stages of `bench run`: what the models show of themselves, the plan in words, the records."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from bench.cell import Plan
from bench.commands.forecast import print_forecast
from bench.commands.preview import print_cells, print_plan
from bench.commands.progress import progress
from bench.commands.submit import Sending
from bench.errors import DeviceLost, UsageError
from bench.execute.executor import Executor, Here, Jobs
from bench.execute.job import Job
from bench.execute.pool import Pool
from bench.execute.queue import Queue, check_array
from bench.execute.worker import Seat, check_grid, ending_on_request, work
from bench.model.compile_price import RATES
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.plan.models import unproved_notes
from bench.plan.selection import Outstanding, choose, outstanding
from bench.registry import find_suite, is_declared
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

LOST = ("trial", "diverged")


@dataclass(frozen=True)
class Asked:
    """What a command is to do with a plan: have a queue's jobs run it, only show it, with a few steps run where no
    earlier run tells how long they take (`probing`), or show what the queue would be given.
    """

    queue: Queue | None = None
    only_plan: bool = False
    probing: bool = True
    dry_run: bool = False


def executor_of(request: RunRequest, queue: Queue | None) -> AbstractContextManager[Executor]:
    """Where a request has its cells trained. UsageError where that is not there."""
    if queue is not None:
        return nullcontext(Jobs(queue))
    if request.executor == "ray":
        from bench.execute.cluster import Cluster

        return Cluster(request.address, request.devices, partial(_say, Console()))
    return nullcontext(Here(request.devices, request.shard))


def finish_run(
    request: RunRequest, whole: Plan, path: Path, store: Store | None, executor: Executor, asked: Asked
) -> int:  # fmt: skip
    """Show a plan and measure what the store at `path` lacks of it, or have that done; the exit code.

    `whole` may have assumed a precision for `auto`; `store` is None where none has been made yet.
    """
    console = Console()
    options = _options(request, executor)
    whole = _proved(request, whole, executor, store, fetch=not (asked.only_plan or asked.dry_run))
    _check_workers(request, whole, executor, asked.queue)
    left = outstanding(whole, store)
    print_plan(console, whole, left, path)
    if asked.only_plan:
        print_cells(console, [*whole.trials, *left.choice.cells], {cell.id for cell in [*left.trials, *left.cells]})
        if executor.is_here:  # what another machine's devices take, that machine can tell
            print_forecast(console, left, path, options, num_workers=len(executor.seats), probing=asked.probing)
        return 0
    sending = Sending.of(asked.queue, request.devices, whole, left, path) if asked.queue else None
    if sending and (asked.dry_run or sending.is_enough):
        sending.show(console)
        return 0
    data = _read(console, left, whole, executor, options)
    job = _job(request, whole, left, path, options, data)
    check_grid(job, Watch(path))
    is_new, store = store is None, Store.create(path)
    for suite in dict.fromkeys(cell.suite for cell in whole.cells):
        keep_suite(path, find_suite(suite))
    if sending and sending.num_jobs:  # before the grid is noted: SLURM may refuse
        sending.submit(console, job, is_new)
    store.write_plan([*whole.trials, *left.choice.cells, *left.choice.waiting])
    if sending and sending.num_jobs:
        return 0
    return _close(console, job, left, _measured(console, job, left, executor, data))


def _options(request: RunRequest, executor: Executor) -> Options:
    device, *others = executor.seats[0]
    lanes = request.lanes or default_lanes(device)
    return Options(
        device, lanes, request.token_budget, request.save_tuned, request.checkpointing, request.compile, tuple(others)
    )  # fmt: skip


def _check_workers(request: RunRequest, whole: Plan, executor: Executor, queue: Queue | None) -> None:
    """UsageError for processes that no cell of the plan would keep busy."""
    most, count = max(len(whole.cells), len(whole.trials)), len(executor.seats)
    if queue is not None:
        check_array(queue, request.devices, most)
    if ":" in request.devices and executor.seats[0][0].type == "cpu" and count > most:
        raise UsageError(
            f"--devices {request.devices}: {count} workers are more than the {most} cells of this grid; "
            f"use cpu:{most} or fewer"
        )


def _proved(request: RunRequest, whole: Plan, executor: Executor, store: Store | None, fetch: bool) -> Plan:
    """The plan at the devices' precision, made anew where a model still to be run shows that it lacks something."""
    precision = executor.precision(request.precision)
    if any(cell.precision != precision for cell in whole.cells):
        whole = plan(request, precision)
    left = outstanding(whole, store)
    models = [find_model(cell.model_path) for cell in left.every]
    proofs = executor.proofs_of(models, fetch)
    if any(proof.limits for proof in proofs.values()):
        whole = plan(request, precision, proofs)
    notes = (*whole.notes, *unproved_notes(models, proofs), *executor.notes(precision))
    return replace(whole, notes=notes)


def _read(console: Console, left: Outstanding, whole: Plan, executor: Executor, options: Options) -> RunData:
    """What is outstanding, read and encoded, before anything is written: bad input leaves no folder behind."""
    ahead = [resolve(cell) for cell in left.ahead(whole)]
    if executor.is_here:  # before minutes of reading; of another machine its own workers know
        check_memory(
            ahead, options.device, options.max_lanes, options.token_budget, options.checkpointing,
            others=options.others,
        )  # fmt: skip
    data, begun = RunData(), time.perf_counter()
    prepare([resolve(cell) for cell in left.every], data)
    _print_encoded(console, data.num_items, data.tokens.num_tokenised, time.perf_counter() - begun)
    return data


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
        shard=request.shard,
        plugins=request.plugin,
        suites=tuple(
            find_suite(name) for name in dict.fromkeys(cell.suite for cell in whole.cells) if is_declared(name)
        ),
        failures=store.failures() if store else {},
        tokens=_tokens(left, options, data),
        compiled=_compiled(whole, store),
    )


def _tokens(left: Outstanding, options: Options, data: RunData) -> dict[Place, int]:
    """What the outstanding cells put through each model, where it may be worth compiling for."""
    cells = [resolve(cell) for cell in left.every]
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
    console: Console, job: Job, left: Outstanding, executor: Executor, data: RunData
) -> list[Record]:  # fmt: skip
    """The records of what was outstanding, by one process here or several, or by those of a cluster."""
    num_cells = len(left.every)
    if not num_cells:
        return []
    seats = [Seat(devices) for devices in executor.seats[:num_cells]]
    shared, say = replace(job, workers=len(seats)), partial(_say, console)
    with progress(console, num_cells) as audience:
        if not executor.is_here:
            from bench.execute.ray import dispatch

            return dispatch(shared, executor, audience, say)
        if len(seats) > 1:
            return Pool(shared, seats, audience, say).run()
        try:
            with ending_on_request():
                return work(job, seats[0], audience, data)
        except DeviceLost as lost:
            say(f"{lost}; what is left goes on in another one")
            return [*lost.records, *Pool(shared, seats, audience, say).run()]


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
