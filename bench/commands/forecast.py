"""What `bench run --plan` foretells: time and memory of what is outstanding, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.commands.forecast_table import show
from bench.commands.lines import print_line
from bench.errors import UsageError
from bench.plan.amounts import nobody_reads
from bench.plan.cost import Costs
from bench.plan.forecast import Known, forecast
from bench.plan.seen import Experience, Seen, kind_of, seen
from bench.plan.selection import Outstanding
from bench.resolved import resolve
from bench.store.record import Record
from bench.store.store import Store

if TYPE_CHECKING:
    from bench.execute.executor import Devices
    from bench.execute.probe import Probe
    from bench.train.groups import Group
    from bench.train.options import Options

MOST_READ = 4000  # records, about a millisecond each


def print_forecast(
    console: Console,
    left: Outstanding,
    path: Path,
    options: Options,
    seats: Sequence[Devices],
    probing: bool = True,
) -> None:
    """Foretell what is left of a plan by workers on these devices, all like the options' one, and print it.

    From the records at `path` and beside it; with `probing` a few steps are run of what they do not tell.
    """
    if not left.every:
        return
    from bench.execute.devices import sharing_gpu
    from bench.execute.probe import Probe, token_flops
    from bench.model.device import device_name
    from bench.train.groups import groups
    from bench.train.memory import bytes_needed

    found, probe = seen(records_beside(path)), Probe(options)
    cost = Costs(found).tokens
    cut: list[Group] = []
    for stage in (left.trials, left.cells, left.choice.waiting):
        cut += groups([resolve(cell) for cell in stage], options.max_lanes, len(seats), cost)
    name, sharing = device_name(options.device), max(sharing_gpu(seats))
    if probing:
        found += _probed(console, cut, Experience(found, name, sharing), probe)
    known = Known(
        experience=Experience(found, name, sharing),
        flops=token_flops,
        count=probe.count if probing else nobody_reads,
        lengths=probe.tokens if probing else nobody_reads,
        bytes_needed=lambda cells: bytes_needed(cells, options.devices, options.token_budget, options.checkpointing),
    )
    waiting = {cell.id for cell in left.choice.waiting}
    num_devices = len(set(seats)) if sharing > 1 else len(seats)
    told = forecast([group.cells for group in cut], waiting, known, len(seats), num_devices)
    show(console, told, alone=probing)


def records_beside(path: Path) -> list[Record]:
    """Records of finished cells in a results folder and in those beside it, the last written first, as many as are soon
    read; what cannot be read is left out.
    """
    others = sorted(path.parent.glob("*/store.json"), key=lambda mark: _written(mark.parent), reverse=True)
    records: list[Record] = []
    for folder in dict.fromkeys([path, *(mark.parent for mark in others)]):
        with suppress(UsageError, OSError):
            store = Store.open(folder)
            for cell_id in sorted(store.done())[: MOST_READ - len(records)]:  # ids are hashes: the first are any
                with suppress(UsageError):
                    records += store.records_of([cell_id]).values()
    return records


def _written(folder: Path) -> float:
    cells = folder / "cells"
    return (cells if cells.is_dir() else folder).stat().st_mtime


def _probed(console: Console, cut: Sequence[Group], experience: Experience, probe: Probe) -> list[Seen]:
    """What short runs tell of models and kinds of methods that no record tells of."""
    found: list[Seen] = []
    tried: set[tuple[object, ...]] = set()
    for group in cut:
        new = tuple(resolved for resolved in group.cells if not experience.knows(resolved))
        first = group.cells[0].cell
        key = (first.model_fingerprint, first.precision, *sorted({kind_of(resolved.method) for resolved in new}))
        if not new or key in tried:
            continue
        tried.add(key)
        methods = ", ".join(dict.fromkeys(resolved.cell.method for resolved in new))
        line = f"probing {first.model} with {methods}; no earlier run tells (--no-probe leaves this out)"
        print_line(console, line, "dim")
        found += seen(probe.measure(replace(group, cells=new)), probed=True)
    return found
