"""What `bench run --plan` foretells: time and memory of what is outstanding, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.cell import Plan
from bench.commands.forecast_table import show
from bench.errors import UsageError
from bench.plan.forecast import Known, forecast
from bench.plan.seen import Experience, Seen, seen
from bench.plan.selection import Outstanding
from bench.resolved import resolve
from bench.store.record import Record
from bench.store.store import Store

if TYPE_CHECKING:
    from bench.execute.probe import Probe
    from bench.train.groups import Group
    from bench.train.options import Options

NEWEST = 5000  # records that are read of other folders


def print_forecast(
    console: Console,
    whole: Plan,
    left: Outstanding,
    path: Path,
    options: Options,
    num_workers: int = 1,
    probing: bool = True,
) -> None:
    """Foretell what is left of a plan on so many devices like the options' one, and print it.

    From the records at `path` and beside it; with `probing` a few steps are run of what they do not tell.
    """
    if not (left.trials or left.cells or left.choice.waiting):
        return
    from bench.execute.probe import Probe, token_flops
    from bench.model.device import device_name
    from bench.train.groups import groups
    from bench.train.memory import bytes_needed

    cut: list[Group] = []
    for stage in (left.trials, left.cells, left.choice.waiting):
        cut += groups([resolve(cell) for cell in stage], options.max_lanes, num_workers)
    name = device_name(options.device)
    found, probe = seen(records_beside(path, whole)), Probe(options)
    if probing:
        found += _probed(console, cut, Experience(found, name), probe)
    known = Known(
        experience=Experience(found, name),
        flops=token_flops,
        count=probe.count if probing else lambda resolved: None,
        bytes_needed=lambda cells: bytes_needed(cells, options.device, options.token_budget, options.checkpointing),
    )
    waiting = {cell.id for cell in left.choice.waiting}
    show(console, forecast([group.cells for group in cut], waiting, known, num_workers))


def records_beside(path: Path, whole: Plan) -> list[Record]:
    """The records in a results folder and those beside it, the plan's models first; what cannot be read is left out."""
    models = {cell.model_fingerprint for cell in (*whole.cells, *whole.trials)}
    folders = [path, *sorted(folder.parent for folder in path.parent.glob("*/store.json") if folder.parent != path)]
    records: list[Record] = []
    for folder in folders:
        with suppress(UsageError, OSError):
            records += Store.open(folder).records(broken=lambda _: None)
    own = [record for record in records if record.cell.model_fingerprint in models]
    others = [record for record in records if record.cell.model_fingerprint not in models]
    return own + others[:NEWEST]


def _probed(console: Console, cut: Sequence[Group], experience: Experience, probe: Probe) -> list[Seen]:
    """What short runs tell of models and kinds of methods that no record tells of."""
    found: list[Seen] = []
    tried: set[tuple[object, ...]] = set()
    for group in cut:
        first = group.cells[0]
        key = (first.cell.model_fingerprint, first.cell.precision, first.method.changes_weights)
        if key in tried or experience.knows(first):
            continue
        tried.add(key)
        methods = ", ".join(dict.fromkeys(resolved.cell.method for resolved in group.cells))
        line = f"probing {first.cell.model} with {methods}; no earlier run tells (--no-probe leaves this out)"
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)
        found += seen(probe.measure(group), probed=True)
    return found
