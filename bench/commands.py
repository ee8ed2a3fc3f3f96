"""What the commands do: flags and files become a grid, the grid a plan, the plan records or a report."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.table import Table

from bench import settings
from bench.cell import Cell, Plan, Protocol
from bench.errors import UsageError, unknown
from bench.lineup import unproved_notes
from bench.model.scales import SCALES, expand, listed_size
from bench.model.source import find_model, weight_shapes
from bench.plan import Grid, plan
from bench.preview import print_cells, print_choice, print_plan
from bench.registry import load_plugin, methods, suites
from bench.report.tables.trials import trials_table
from bench.selection import Choice, choose, possible, trials_to_run
from bench.store.record import Record
from bench.store.store import Store
from bench.task import Task

RESULTS = Path("results")
LISTING_WIDTH = 200  # columns of `bench list` where no terminal says how many there are
LOST = ("trial", "diverged")
BUDGET_KEYS = (
    "epochs", "steps", "batch_size", "max_length", "evaluations", "train_rows", "scored_rows", "backbone_dropout",
)  # fmt: skip


def run_grid(flags: dict[str, Any]) -> int:
    """Measure what is missing of a grid. 0 when all of it is done, 1 when a cell failed or diverged."""
    console = Console()
    file = settings.read_grid_file(flags["config"]) if "config" in flags else {}
    own = {key: value for key, value in flags.items() if key not in ("set_", "config", "plan")}
    asked = {**file, **settings.with_home(own)}
    for path in asked.get("plugin", []):
        load_plugin(Path(path))
    asked["set"] = settings.method_settings(flags.get("set_", []), file.get("set", {}))
    asked["sweep"] = settings.swept_settings(flags.get("sweep", []), file.get("sweep", {}))
    from bench.model.device import choose_device, choose_precision  # torch comes in here

    device = choose_device(asked.get("device", "auto"))
    grid = _grid(asked, choose_precision(asked.get("precision", "auto"), device))
    path = Path(asked.get("out") or RESULTS / grid.suite)
    found = Store.find(path)
    whole = _proved(plan(grid), grid, found, device, fetch=not flags["plan"])
    trials, choice, missing = _to_run(whole, found)
    print_plan(console, whole, choice, len(trials), len(missing), path)
    if flags["plan"]:
        print_cells(console, [*whole.trials, *choice.cells], {cell.id for cell in [*trials, *missing]})
        return 0
    from bench.model.memory import check_memory
    from bench.progress import progress
    from bench.runner import Options, prepare, run
    from bench.train.room import DataRoom

    lanes, token_budget = asked.get("lanes", 8), asked.get("token_budget")
    options = Options(device, lanes, token_budget, asked.get("save_tuned", True), asked.get("checkpointing", False))
    ahead = [*trials, *missing, *possible(whole, choice.waiting)]
    check_memory(ahead, device, lanes, token_budget, options.checkpointing)  # before minutes of reading
    room = DataRoom()
    begun = time.perf_counter()
    prepare([*trials, *missing, *choice.waiting], room)  # before anything is written: bad input leaves no folder behind
    _print_encoded(console, room.num_items, room.store.num_tokenised, time.perf_counter() - begun)
    store = Store.create(path)
    with store.writing():
        store.write_plan([*whole.trials, *choice.cells, *choice.waiting])
        records: list[Record] = []
        if trials:
            with progress(console, len(trials)) as audience:
                records = run(trials, store, options, audience, room)
            choice = choose(whole, store, {record.id for record in records})
            store.write_plan([*whole.trials, *choice.cells, *choice.waiting])
            print_choice(console, choice)
        missing = store.missing(choice.cells)
        prepare(missing, room)  # what is chosen may have other lengths than what was read ahead
        with progress(console, len(missing)) as audience:
            records += run(missing, store, options, audience, room)
    return _close(console, records, choice, path)


def _to_run(whole: Plan, found: Store | None) -> tuple[list[Cell], Choice, list[Cell]]:
    """The trials still to be run, what is chosen so far, and the scoring cells of that still to be run."""
    choice = choose(whole, found)
    missing = found.missing(choice.cells) if found else list(choice.cells)
    return trials_to_run(whole, found), choice, missing


def _proved(whole: Plan, grid: Grid, found: Store | None, device: Any, fetch: bool) -> Plan:
    """The plan, made anew where a model that is still to be run shows that it lacks something."""
    from bench.model.proofs import proofs_of

    trials, choice, missing = _to_run(whole, found)
    ahead = [*trials, *missing, *choice.waiting]
    models = [find_model(cell.model_path) for cell in ahead]
    proofs = proofs_of(models, device, fetch)
    if any(proof.limits for proof in proofs.values()):
        whole = plan(grid, proofs)
    return replace(whole, notes=(*whole.notes, *unproved_notes(models, proofs)))


def _close(console: Console, records: list[Record], choice: Choice, path: Path) -> int:
    """Say what came of a run; the exit code. A trial that diverged has lost, and nothing went wrong."""
    failed = [each for each in records if each.status != "done" and (each.cell.stage, each.status) != LOST]
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


def _grid(asked: dict[str, Any], precision: Any) -> Grid:
    protocol = asked.get("protocol", "holdout")
    if protocol not in get_args(Protocol):
        raise unknown("protocol", protocol, get_args(Protocol))
    for key, least in (("lanes", 1), ("token_budget", 1), ("trials", 1)):
        if asked.get(key) is not None and asked[key] < least:
            raise UsageError(f"--{key.replace('_', '-')} {asked[key]} is not possible: it must be at least {least}")
    limits = dict.fromkeys(("train_rows", "scored_rows"), asked["limit"]) if "limit" in asked else {}
    return Grid(
        suite=asked.get("suite", "smoke"),
        tasks=settings.names(asked.get("tasks")),
        methods=settings.names(asked.get("methods")),
        models=settings.names(asked.get("models")),
        seeds=settings.seeds(asked.get("seeds")),
        settings=asked["set"],
        sweep=asked["sweep"],
        trials=asked.get("trials", 0),
        vary=settings.names(asked.get("vary")),
        budget={**limits, **{key: asked[key] for key in BUDGET_KEYS if key in asked}},
        data=Path(asked["data"]) if asked.get("data") else None,
        protocol=protocol,
        precision=precision,
    )


def report_folders(
    folders: Sequence[Path],
    formats: str,
    published: bool,
    to: Path | None,
    plugins: list[Path],
    reference: str | None,
    margin: float,
    samples: int,
) -> None:
    """Write the report of some results folders (default: the newest) and print its tables."""
    from bench.report.files import check, collect, write
    from bench.report.tables.console import print_table

    for path in plugins:
        load_plugin(path)
    wanted = set(settings.names(formats))
    check(wanted)
    paths = list(folders) or [newest_results()]
    averages = {name: suite.average for name, suite in suites().items() if suite.average}
    report = collect(paths, averages, reference, margin)
    for warning in report.warnings:
        print(f"warning: {' '.join(warning.split())}", file=sys.stderr)
    for table in (*report.tables, *report.verdict_tables):
        print_table(table)
        for further in report.further_tables.get(table.suite, ()):
            print_table(further)
    for path in write(report, wanted, published, to, samples):
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)


def newest_results() -> Path:
    """The results folder under results/ that was written to last; UsageError when there is none."""
    found = sorted(RESULTS.glob("*/store.json"), key=lambda mark: _written(mark.parent))
    if not found:
        raise UsageError("no results folder under results/; make one with `bench run`, or name one")
    return found[-1].parent


def _written(folder: Path) -> float:
    parts = [folder, folder / "cells", folder / "plans"]
    return max(path.stat().st_mtime for path in parts if path.exists())


def list_names(what: str, plugins: list[Path]) -> None:
    """Print the known methods, suites, tasks or models."""
    for path in plugins:
        load_plugin(path)
    listings = {"methods": _methods, "suites": _suites, "tasks": _tasks, "models": _models}
    if what not in listings:
        raise unknown("listing", what, listings)
    console = Console()
    if not console.is_terminal:
        console.width = LISTING_WIDTH
    table = listings[what]()
    table.columns[0].no_wrap = True  # names, to be typed as they stand
    console.print(table)


def _methods() -> Table:
    table = Table("method", "settings (default)", "what it is")
    for name, kind in methods().items():
        defaults = ", ".join(f"{key}={field.default}" for key, field in kind.model_fields.items())
        table.add_row(name, defaults, (kind.__doc__ or "").strip().splitlines()[0])
    return table


def _suites() -> Table:
    table = Table("suite", "tasks", "models", "average")
    for name, suite in suites().items():
        models = ", ".join(Path(model).name for model in suite.models)
        table.add_row(name, ", ".join(task.name for task in suite.tasks), models, ", ".join(suite.average))
    return table


def _tasks() -> Table:
    table = Table("task", "kind", "suites", "classes", "metrics", "scored", "source", "licence")
    places: dict[int, tuple[Task, list[str]]] = {}
    for name, suite in suites().items():
        for task in suite.tasks:
            places.setdefault(id(task), (task, []))[1].append(name)
    for task, names in places.values():
        classes = str(len(task.classes)) if task.classes else ""
        metrics = ", ".join(task.metrics)
        table.add_row(
            task.name, task.kind, ", ".join(names), classes, metrics, task.scored, _source(task), task.licence
        )
    return table


def _source(task: Task) -> str:
    if task.source.generate is not None:
        return "generated"
    hub = "/".join(part for part in (task.source.hub, task.source.config) if part)
    return hub or f"local: {task.source.local[0]}"


def _models() -> Table:
    table = Table("suite or family", "model", "parameters", "path, or why it cannot be loaded")
    for name, suite in suites().items():
        for model in suite.models:
            if expand(model) is None:
                table.add_row(name, Path(model).name if Path(model).is_dir() else model, _size(model), model)
    for family, members in SCALES.items():
        for member in members:
            place = member.remark or member.reference
            table.add_row(family, f"{family}:{member.short}", _millions(member.parameters), place)
    return table


def _size(model: str) -> str:
    """Millions of parameters: of a folder from its weights' headers, of a hub id where a family lists it."""
    if Path(model).is_dir():
        return _millions(sum(map(math.prod, (weight_shapes(find_model(model)) or {}).values())))
    return _millions(listed_size(model))


def _millions(parameters: int | None) -> str:
    return f"{parameters / 1e6:,.1f} M" if parameters else ""


def show_cell(cell_id: str, folder: Path | None) -> None:
    """Print a cell's record as JSON, and what its settings were chosen from on standard error, out of JSON's way."""
    store = Store.open(folder or newest_results())
    record = store.record(cell_id)
    Console().print_json(record.model_dump_json())
    if record.cell.tried:
        Console(stderr=True).print(trials_table(record, store))


def export_cell(cell_id: str, to: Path, folder: Path | None, plugins: list[Path]) -> None:
    """Write a finished cell's adapter in PEFT's format."""
    for path in plugins:
        load_plugin(path)
    store = Store.open(folder or newest_results())
    from bench.export import export

    for path in export(store, cell_id, to):
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)
