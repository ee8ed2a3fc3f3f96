"""What the outstanding cells of a plan will take: seconds and bytes by group, and the whole on so many workers.

Everything is told from finished cells (bench.plan.seen), be they of earlier runs or of a probe; where they say nothing
of a cell, its time is unknown, and is told so. No torch here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.cell import Cell
from bench.joint import stage_key
from bench.plan.amounts import Amount, Count, Lengths, amount, nobody_reads
from bench.plan.ranges import NONE, Range
from bench.plan.schedule import Piece, Schedule, schedule
from bench.plan.seen import Experience, Flops, Rates, Source
from bench.resolved import ResolvedCell
from bench.store.alone import most_seconds

Cells = Sequence[ResolvedCell]  # that train in one loop


@dataclass(frozen=True)
class Known:
    """How what is known of a cell that is still to run can be had: finished cells, sizes, and the data themselves."""

    experience: Experience
    flops: Flops = lambda resolved: 0.0  # of a token in training; 0.0: the model's size is unknown
    count: Count = nobody_reads  # rows of a cell that neither a record nor the task tells
    lengths: Lengths = nobody_reads  # tokens of a row, where no record tells
    bytes_needed: Callable[[Cells], int] = lambda cells: 0  # by the memory model; 0: it cannot say


@dataclass(frozen=True)
class GroupForecast:
    """Of cells in one loop: seconds without loading the model (None: unknown), bytes of the device (0: unknown) and
    whether they were seen or are the memory model's; the `sources` of its seconds, each with the ids of its records.
    """

    cells: tuple[ResolvedCell, ...]
    seconds: Range | None
    load_seconds: float
    num_bytes: int
    bytes_seen: bool
    sources: Mapping[Source, frozenset[str]]
    assumed: tuple[str, ...]

    @property
    def first(self) -> Cell:
        return self.cells[0].cell


@dataclass(frozen=True)
class Forecast:
    """Of a whole plan by `num_workers` on `num_devices` of this name.

    `wall` and `device` seconds; `waiting` is the share of the devices' time that goes by because trials are not over;
    `encoding` seconds are before all else, and in `wall`. Cells whose time is `unknown` are in none of them.
    """

    groups: tuple[GroupForecast, ...]
    num_workers: int
    num_devices: int
    device_name: str
    wall: Range
    device: Range
    waiting: float
    encoding: float
    unknown: int

    @property
    def alone(self) -> float:
        """Seconds at most, after all else, for measuring alone what shared a loop or a device (bench.store.alone)."""
        device_shared = self.num_workers > self.num_devices
        shares = any(group.first.stage == "score" and (device_shared or len(group.cells) > 1) for group in self.groups)
        return most_seconds(self.device.likely / self.num_devices) if shares else 0.0

    @property
    def most_bytes(self) -> int:
        return max((group.num_bytes for group in self.groups), default=0)


def forecast(
    groups: Sequence[Cells], waiting: Collection[str], known: Known, num_workers: int, num_devices: int | None = None
) -> Forecast:
    """What groups of cells take on so many workers and devices, by default one each, of the kind that `known` tells of.

    `waiting` are the ids of cells that cannot begin before all trials are over.
    """
    num_devices = num_workers if num_devices is None else num_devices
    first_stages: set[tuple[str, ...]] = set()
    told = tuple(_of_group(tuple(group), known, first_stages) for group in groups)
    timed = [(group, group.seconds) for group in told if group.seconds is not None]
    places = {(each.cell.task, each.cell.model_fingerprint): each.cell for group in told for each in group.cells}
    encoding = sum(known.experience.encoding(cell) for cell in places.values())
    low, likely, high = (
        schedule([_piece(group, getattr(seconds, end), waiting) for group, seconds in timed], num_workers)
        for end in ("low", "likely", "high")
    )
    return Forecast(
        groups=told,
        num_workers=num_workers,
        num_devices=num_devices,
        device_name=known.experience.device,
        wall=_ordered(low.wall_seconds, likely.wall_seconds, high.wall_seconds) + Range.exactly(encoding),
        device=_ordered(*(each.busy_seconds * num_devices / num_workers for each in (low, likely, high))),
        waiting=_waiting_share(likely, num_workers),
        encoding=encoding,
        unknown=sum(len(group.cells) for group in told if group.seconds is None),
    )


def _of_group(cells: tuple[ResolvedCell, ...], known: Known, first_stages: set[tuple[str, ...]]) -> GroupForecast:
    """`first_stages` are those that have been counted, and get this group's."""
    experience, lanes = known.experience, len(cells)
    of_cells: list[tuple[ResolvedCell, Rates | None, Amount | None]] = [
        (
            resolved,
            experience.rates(resolved, lanes, known.flops),
            amount(resolved, experience.of_task(resolved.cell), known.count, known.lengths),
        )
        for resolved in cells
    ]
    seconds: Range | None = NONE
    for resolved, rates, work in of_cells:
        if rates is None or work is None or seconds is None:
            seconds = None
            continue
        trained = rates.token * (work.once if rates.once else work.tokens)
        seconds = seconds + trained + rates.row.times(work.evaluated) + rates.rest
        if resolved.cell.joint and (key := stage_key(resolved)) not in first_stages:
            first_stages.add(key)
            seconds = seconds + Range.exactly(rates.joint_step * work.steps)
    first, seen_bytes = cells[0], max((rates.peak_bytes for _, rates, _ in of_cells if rates), default=0)
    return GroupForecast(
        cells=cells,
        seconds=seconds,
        load_seconds=experience.loading(first.cell, first.method.changes_weights),
        num_bytes=seen_bytes or known.bytes_needed(cells),
        bytes_seen=bool(seen_bytes),
        sources=_sources(rates for _, rates, _ in of_cells if rates),
        assumed=tuple(dict.fromkeys(work.assumed for _, _, work in of_cells if work and work.assumed)),
    )


def _sources(rates: Iterable[Rates]) -> dict[Source, frozenset[str]]:
    sources: dict[Source, frozenset[str]] = {}
    for each in rates:
        sources[each.source] = sources.get(each.source, frozenset()) | each.ids
    return sources


def _piece(group: GroupForecast, seconds: float, waiting: Collection[str]) -> Piece:
    """A model whose weights change is loaded anew for each cell; one that is frozen once on each worker."""
    alone = group.cells[0].method.changes_weights
    load = group.load_seconds
    return Piece(
        seconds=seconds + (load if alone else 0.0),
        model=group.first.model_fingerprint,
        load_seconds=0.0 if alone else load,
        trial=group.first.stage == "trial",
        waits=any(resolved.cell.id in waiting for resolved in group.cells),
    )


def _waiting_share(run: Schedule, num_workers: int) -> float:
    return run.waiting_seconds / (run.wall_seconds * num_workers) if run.wall_seconds else 0.0


def _ordered(*ends: float) -> Range:
    """List scheduling may take longer with shorter pieces (Graham's anomalies)."""
    low, likely, high = sorted(ends)
    return Range(low, likely, high)
