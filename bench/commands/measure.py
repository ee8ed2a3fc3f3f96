"""The later stages of `bench run`: what the models show of themselves, the plan in words, the records."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.cell import Plan
from bench.commands.preview import print_cells, print_choice, print_plan
from bench.commands.progress import progress
from bench.model.device import choose_device, choose_precision, further_devices, precision_notes
from bench.model.proofs import proofs_of
from bench.model.source import find_model
from bench.plan.cells import plan
from bench.plan.models import unproved_notes
from bench.plan.selection import Choice, Outstanding, choose, outstanding, possible
from bench.registry import find_suite
from bench.request import RunRequest
from bench.resolved import resolve
from bench.runner import Runner
from bench.store.declarations import keep_suite
from bench.store.record import Record
from bench.store.store import Store
from bench.train.backbones import Backbones
from bench.train.memory import check_memory
from bench.train.options import Options, default_lanes
from bench.train.prepare import prepare
from bench.train.run_data import RunData

LOST = ("trial", "diverged")


def finish_run(request: RunRequest, whole: Plan, path: Path, store: Store | None, only_plan: bool) -> int:
    """Show a plan and measure what the store at `path` lacks of it; the exit code.

    `whole` may have assumed a precision for `auto`; `store` is None where none has been made yet.
    """
    console = Console()
    device = choose_device(request.device)
    lanes = request.lanes or default_lanes(device)
    options = Options(
        device, lanes, request.token_budget, request.save_tuned, request.checkpointing, request.compile,
        further_devices(device, request.shard),
    )  # fmt: skip
    whole = _proved(request, whole, options, store, fetch=not only_plan)
    left = outstanding(whole, store)
    print_plan(console, whole, left, path)
    if only_plan:
        print_cells(console, [*whole.trials, *left.choice.cells], {cell.id for cell in [*left.trials, *left.cells]})
        return 0
    ahead = [resolve(cell) for cell in (*left.trials, *left.cells, *possible(whole, left.choice.waiting))]
    # before minutes of reading
    check_memory(ahead, device, options.max_lanes, options.token_budget, options.checkpointing, others=options.others)
    records, choice = _measured(console, whole, left, path, options)
    return _close(console, records, choice, path)


def _proved(request: RunRequest, whole: Plan, options: Options, store: Store | None, fetch: bool) -> Plan:
    """The plan at the device's precision, made anew where a model still to be run shows that it lacks something."""
    precision = choose_precision(request.precision, options.device)
    if any(cell.precision != precision for cell in whole.cells):
        whole = plan(request, precision)
    left = outstanding(whole, store)
    models = [find_model(cell.model_path) for cell in [*left.trials, *left.cells, *left.choice.waiting]]
    proofs = proofs_of(models, options.device, fetch, options.others)
    if any(proof.limits for proof in proofs.values()):
        whole = plan(request, precision, proofs)
    notes = (*whole.notes, *unproved_notes(models, proofs), *precision_notes(precision, options.device))
    return replace(whole, notes=notes)


def _measured(
    console: Console, whole: Plan, left: Outstanding, path: Path, options: Options
) -> tuple[list[Record], Choice]:
    """The records of what was outstanding, trials first, and what the trials chose."""
    data = RunData()
    begun = time.perf_counter()
    # before anything is written: bad input leaves no folder behind
    prepare([resolve(cell) for cell in (*left.trials, *left.cells, *left.choice.waiting)], data)
    _print_encoded(console, data.num_items, data.tokens.num_tokenised, time.perf_counter() - begun)
    store, choice, backbones = Store.create(path), left.choice, Backbones(options)
    with store.writing():
        for suite in dict.fromkeys(cell.suite for cell in whole.cells):
            keep_suite(path, find_suite(suite))
        store.write_plan([*whole.trials, *choice.cells, *choice.waiting])
        records: list[Record] = []
        if left.trials:
            with progress(console, len(left.trials)) as audience:
                records = Runner(store, options, audience, data, backbones).run(left.trials)
            choice = choose(whole, store, {record.id for record in records})
            store.write_plan([*whole.trials, *choice.cells, *choice.waiting])
            print_choice(console, choice)
        missing = store.missing(choice.cells)
        with progress(console, len(missing)) as audience:
            records += Runner(store, options, audience, data, backbones).run(missing)
    return records, choice


def _close(console: Console, records: list[Record], choice: Choice, path: Path) -> int:
    """Say what came of a run; the exit code. A trial that diverged has lost, and nothing went wrong."""
    failed = [record for record in records if record.status != "done" and (record.cell.stage, record.status) != LOST]
    if failed:
        console.print(f"{len(failed)} of {len(records)} cells failed; they are tried again next time", style="red")
    done = [record.cell.stage for record in records if record.status == "done"]
    trials = f"{done.count('trial')} trials and " if "trial" in done else ""
    line = f"{trials}{done.count('score')} cells written to {path}; next: bench report {path}"
    console.print(line, highlight=False, soft_wrap=True)
    return 1 if failed or choice.skips else 0


def _print_encoded(console: Console, items: int, tokenised: int, seconds: float) -> None:
    texts = f"{tokenised} texts tokenised" if tokenised else "no text tokenised again"
    console.print(f"{items} items read and encoded in {seconds:.1f} s, {texts}", highlight=False)
