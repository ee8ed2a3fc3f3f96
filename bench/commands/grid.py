"""A grid that is about to be measured: its plan by what its models show of themselves, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from bench.cell import Plan
from bench.commands.forecast import print_forecast
from bench.commands.preview import print_cells, print_plan
from bench.errors import UsageError
from bench.execute.executor import Devices, Executor, Here, Jobs
from bench.execute.queue import Queue, check_array
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.plan.models import unproved_notes
from bench.plan.selection import Outstanding, outstanding
from bench.registry import stays_here
from bench.request import RunRequest
from bench.resolved import resolve
from bench.store.files import check_writable
from bench.store.store import Store
from bench.train.options import Options, default_lanes


@dataclass(frozen=True)
class Grid:
    """What a request comes to on the devices it has. `store` is None where none has been made yet, `queue` where no
    jobs are to be submitted.
    """

    request: RunRequest
    folder: Path
    store: Store | None
    plan: Plan
    left: Outstanding
    executor: Executor
    queue: Queue | None
    options: Options

    @property
    def seats(self) -> Sequence[Devices]:
        """The devices of each worker that has something to do."""
        return self.executor.seats[: len(self.left.every)]


def executor_of(
    request: RunRequest, queue: Queue | None, say: Callable[[str], None]
) -> AbstractContextManager[Executor]:  # fmt: skip
    """Where a request has its cells trained. UsageError where that is not there."""
    if queue is not None:
        return nullcontext(Jobs(queue))
    if request.executor == "ray":
        from bench.execute.cluster import Cluster

        return Cluster(request.address, request.devices, say)
    return nullcontext(Here(request.devices, request.shard))


def proved_grid(
    request: RunRequest, whole: Plan, folder: Path, executor: Executor, queue: Queue | None, fetch: bool
) -> Grid:  # fmt: skip
    """The grid of a plan, made anew where a model still to be run shows that it lacks something; `whole` may have
    assumed a precision for `auto`. Models that are not on this machine are fetched and proved where `fetch` says so.
    """
    store = Store.find(folder)
    if store:
        store.verify()
    whole = _proved(request, whole, folder, executor, store, fetch)
    _check_workers(request, whole, executor, queue)
    left = outstanding(whole, store)
    return Grid(request, folder, store, whole, left, executor, queue, _options(request, executor))


def show_grid(console: Console, grid: Grid, probing: bool) -> None:
    """Show a plan, its cells and how long they take; with `probing` a few steps are run where no earlier run tells."""
    left = grid.left
    print_plan(console, grid.plan, left, grid.folder)
    print_cells(console, [*grid.plan.trials, *left.choice.cells], {cell.id for cell in [*left.trials, *left.cells]})
    foretell(console, grid, probing)


def foretell(console: Console, grid: Grid, probing: bool) -> None:
    """How long what is left of a grid takes, and how much memory."""
    left, executor = grid.left, grid.executor
    if executor.is_here:  # what another machine's devices take, that machine can tell
        print_forecast(console, left, grid.folder, grid.options, executor.seats, probing)


def _options(request: RunRequest, executor: Executor) -> Options:
    device, *others = executor.seats[0]
    lanes = request.lanes or default_lanes(device)
    return Options(
        device, lanes, request.token_budget, request.save_tuned, request.checkpointing, request.compile, tuple(others)
    )  # fmt: skip


def _check_workers(request: RunRequest, whole: Plan, executor: Executor, queue: Queue | None) -> None:
    """UsageError for processes that no cell of the plan would keep busy."""
    most, count = max(len(whole.cells), len(whole.trials)), len(executor.seats)
    if count > 1 or not executor.is_here or queue is not None or request.shard > 1:
        _check_travels(whole)
    if queue is not None:
        check_array(queue, request.devices, most)
    if ":" in request.devices and executor.seats[0][0].type == "cpu" and count > most:
        raise UsageError(
            f"--devices {request.devices}: {count} workers are more than the {most} cells of this grid; "
            f"use cpu:{most} or fewer"
        )


def _check_travels(whole: Plan) -> None:
    """UsageError for code that the running program alone has."""
    for resolved in {(cell.suite, cell.method): resolve(cell) for cell in whole.cells}.values():
        staying = stays_here(resolved.method, resolved.suite)
        if staying:
            raise UsageError(
                f"{staying} is code of this program, which other processes do not have; put it into a file and give "
                "--plugin FILE.py, or let one process do all with --devices cpu"
            )


def _proved(
    request: RunRequest, whole: Plan, folder: Path, executor: Executor, store: Store | None, fetch: bool
) -> Plan:  # fmt: skip
    """The plan at the devices' precision, made anew where a model still to be run shows that it lacks something."""
    precision = executor.precision(request.precision)
    if any(cell.precision != precision for cell in whole.cells):
        whole = plan(request, precision)
    left = outstanding(whole, store)
    if fetch and left.every:  # before minutes of fetching, proving and reading
        check_writable(folder)
    models = [find_model(cell.model_path) for cell in left.every]
    proofs = executor.proofs_of(models, fetch)
    if any(proof.limits for proof in proofs.values()):
        whole = plan(request, precision, proofs)
    notes = (*whole.notes, *unproved_notes(models, proofs), *executor.notes(precision))
    return replace(whole, notes=notes)
