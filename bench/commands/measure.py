"""The last stage of `bench run`: what is left of a grid becomes records."""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import replace
from functools import partial

from rich.console import Console

from bench.cell import Plan
from bench.commands.answer import conclude
from bench.commands.grid import Grid
from bench.commands.lines import WarningsOnce
from bench.commands.preview import print_plan, print_skips
from bench.commands.progress import progress
from bench.commands.screen import in_brief, say_on
from bench.commands.submit import Sending
from bench.commands.tally import Tally
from bench.ending import ending_on_request
from bench.errors import DeviceLost, DiskError, UsageError, overheard
from bench.execute.devices import most_on_one, sharing_gpu
from bench.execute.job import Job
from bench.execute.left_out import checked
from bench.execute.pool import Pool
from bench.execute.worker import Seat, check_grid, work
from bench.model.compile_price import RATES
from bench.plan.selection import Outstanding, choose, outstanding
from bench.registry import find_suite, is_declared
from bench.resolved import resolve
from bench.store.claims import clear_up
from bench.store.declarations import keep_suite
from bench.store.healing import set_aside
from bench.store.provenance import command
from bench.store.record import Record
from bench.store.store import Store
from bench.store.workers import Watch, new_identity
from bench.track.tracked import tracked
from bench.train.compiling import Place, planned_tokens
from bench.train.memory import check_memory
from bench.train.options import Options
from bench.train.prepare import prepare, unloaded_models
from bench.train.run_data import RunData

LOST = ("trial", "diverged")


def measure(console: Console, grid: Grid, dry_run: bool = False, probing: bool = True) -> int:
    """Measure what a grid's store lacks of it, or have a queue's jobs do so; with `dry_run` show what they would be
    given; without `probing` nothing is measured alone. The exit code of a command: 1 where a cell failed.
    """
    with in_brief(console):
        print_plan(console, grid.plan, grid.left, grid.folder)
    sending = Sending.of(grid.queue, grid.request.devices, grid.plan, grid.left, grid.folder) if grid.queue else None
    if sending and (dry_run or sending.is_enough):
        sending.show(console)
        return 0
    watch = Watch(grid.folder)
    check_grid(grid.plan, grid.folder, watch)
    before = grid.store.done() if grid.store else set()
    num_skips, begun = len(grid.plan.skips), time.perf_counter()
    with overheard() as told:
        grid, data = _read(grid)
    print_skips(console, grid.plan.skips[num_skips:])
    _print_encoded(console, data, time.perf_counter() - begun)
    job = _job(grid, data)
    if grid.store:
        set_aside(grid.store, {cell.id for cell in grid.left.every}, partial(say_on, console))
    if not grid.left.every and grid.store:
        with suppress(DiskError):  # a folder that can only be read has all that was asked for
            _keep_suites(grid)
            _note(grid, grid.store)
            clear_up(grid.store, watch)
    else:
        is_new, store = grid.store is None, Store.create(grid.folder)
        _keep_suites(grid)
        if sending and sending.num_jobs:  # before the grid is noted: SLURM may refuse
            sending.submit(console, job, is_new)
        _note(grid, store)
        if sending and sending.num_jobs:
            return 0
    records = _measured(job, grid, data, before, console, WarningsOnce(partial(say_on, console), told))
    code = _close(console, job, grid.left, before, records)
    conclude(console, job, records, grid.options if grid.executor.is_here and probing else None, data)
    return code


def _keep_suites(grid: Grid) -> None:
    for suite in dict.fromkeys(cell.suite for cell in grid.plan.cells):
        keep_suite(grid.folder, find_suite(suite))


def _note(grid: Grid, store: Store) -> None:
    choice = grid.left.choice
    store.write_plan([*grid.plan.trials, *choice.cells, *choice.waiting])


def _read(grid: Grid) -> tuple[Grid, RunData]:
    """What is outstanding, read and encoded, before anything is written: bad input leaves no folder behind.

    The grid comes back without what does not fit the memory, or a tokenizer.
    """
    whole, options, data = grid.plan, grid.options, RunData()
    if grid.executor.is_here:  # before minutes of reading; of another machine its own workers know
        fits = partial(
            check_memory, device=options.device, max_lanes=options.max_lanes, token_budget=options.token_budget,
            checkpointing=options.checkpointing, others=options.others,
            workers=most_on_one(grid.seats),
        )  # fmt: skip
        whole = checked(whole, grid.left.ahead(whole), fits, UsageError)
    left = grid.left if whole is grid.plan else outstanding(whole, grid.store)
    whole = checked(whole, left.every, partial(prepare, data=data))
    if whole is not grid.plan:
        grid = replace(grid, plan=whole, left=outstanding(whole, grid.store))
    return grid, data


def _job(grid: Grid, data: RunData) -> Job:
    options, request = grid.options, grid.request
    return Job(
        plan=grid.plan,
        folder=grid.folder,
        run=new_identity().worker,
        max_lanes=options.max_lanes,
        workers=max(1, len(grid.seats)),
        token_budget=options.token_budget,
        save_tuned=options.save_tuned,
        checkpointing=options.checkpointing,
        compile=options.compile,
        trust_remote_code=request.trust_remote_code,
        shard=request.shard,
        plugins=request.plugin,
        suites=tuple(
            find_suite(name) for name in dict.fromkeys(cell.suite for cell in grid.plan.cells) if is_declared(name)
        ),
        command=command(),
        track=request.track,
        failures=grid.store.failures() if grid.store else {},
        tokens=_tokens(grid.left, options, data),
        compiled=_compiled(grid.plan, grid.store),
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
    job: Job, grid: Grid, data: RunData, before: Set[str], console: Console, say: Callable[[str], None]
) -> list[Record]:
    """The records of what was outstanding, by one process here or several, or by those of a cluster; `before` are ids
    of cells that were done when the command began.
    """
    num_cells, executor = len(grid.left.every), grid.executor
    if not num_cells:
        return []
    counts = sharing_gpu(grid.seats)
    seats = [Seat(devices, workers=count) for devices, count in zip(grid.seats, counts, strict=True)]
    cells = [*job.plan.trials, *job.plan.cells]
    tally = Tally(num_cells, Store.open(job.folder).done, before)
    with progress(console, tally) as shown, tracked(shown, job.track, job.folder, cells) as audience:
        if not executor.is_here:
            from bench.execute.ray import dispatch

            return dispatch(job, executor, audience, say)
        if len(seats) > 1:
            return Pool(job, seats, audience, say).run()
        try:
            with ending_on_request():
                return work(job, seats[0], audience, data)
        except DeviceLost as lost:
            say(f"{lost}; what is left goes on in another one")
            return [*lost.records, *Pool(job, seats, audience, say).run()]


def _close(console: Console, job: Job, left: Outstanding, before: Set[str], records: list[Record]) -> int:
    """Say what came of a run, as the store has it; the exit code. A trial that diverged has lost, and nothing went
    wrong.

    What other processes made of the same grid meanwhile counts, and is named; `before` are ids of cells that were done
    when it began.
    """
    store = Store.open(job.folder)
    attempted = {cell_id for cell_id, mark in store.failures().items() if mark != job.failures.get(cell_id)}
    choice, done = choose(job.plan, store, attempted), store.done()
    cells = {cell.id for cell in (*job.plan.trials, *choice.cells)}
    ended = {record.id for record in records} | (attempted & cells)
    failures = [record for record in store.records_of(ended - done).values() if record.status != "done"]
    failed = [record for record in failures if (record.cell.stage, record.status) != LOST]
    if failed:
        console.print(f"{len(failed)} of {len(ended)} cells failed; they are tried again next time", style="red")
    own = {record.id: record.cell.stage for record in records if record.status == "done" and record.id in done}
    stages = [*own.values()]
    trials = f"{stages.count('trial')} trials and " if "trial" in stages else ""
    known = cells | {cell.id for cell in (*left.trials, *left.cells)}
    theirs = len((known & done) - before - own.keys())
    more = f", {theirs} by other processes" if theirs else ""
    line = f"{trials}{stages.count('score')} cells written to {job.folder}{more}; next: bench report {job.folder}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
    faults = [skip for skip in job.plan.skips if skip.fault]
    print_skips(console, faults)
    return 1 if failed or choice.skips or faults else 0


def _print_encoded(console: Console, data: RunData, seconds: float) -> None:
    items, tokenised = data.num_items, data.tokens.num_tokenised
    texts = f"{tokenised} texts tokenised" if tokenised else "no text tokenised again"
    console.print(f"{items} items read and encoded in {seconds:.1f} s, {texts}", highlight=False)
