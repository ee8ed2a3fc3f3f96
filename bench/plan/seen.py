"""What finished cells have cost, and which of them tell most of a cell that is still to run. No torch here."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bench.cell import Cell
from bench.errors import UsageError
from bench.plan.ranges import Range
from bench.plan.trained import read_once, rows_evaluated
from bench.registry import build, find_method
from bench.resolved import ResolvedCell
from bench.store.record import Record
from bench.tuning import Method

Flops = Callable[[ResolvedCell], float]
PROBED = Range(0.5, 1.0, 1.5)  # of what a probe tells: it is over in a moment
ARITHMETIC = Range(0.5, 1.0, 2.0)  # of what another model tells: the larger one often makes better use of a device


@dataclass(frozen=True, eq=False)
class Seen:
    """A finished cell with its method; `probed` when it was a short one, run to learn what it costs."""

    record: Record
    method: Method
    probed: bool = False

    @property
    def evaluated(self) -> int:
        """Rows it was evaluated on, those of every evaluation counted."""
        return rows_evaluated(self.record)

    @property
    def rest_seconds(self) -> float:
        """What belongs to no batch and to nothing that cells share: attaching, checks, compiling, writing."""
        costs = self.record.costs
        shared = (costs.load_seconds or 0.0) + (costs.encode_seconds or 0.0)
        return max(0.0, costs.seconds - costs.train_seconds - costs.evaluate_seconds - shared)


def kind_of(method: Method) -> tuple[bool, bool]:
    """What decides how a method uses the device: does it change the weights, does anything train."""
    return (method.changes_weights, method.trains)


def seen(records: Iterable[Record], probed: bool = False) -> list[Seen]:
    """The finished ones of these records; left out are those of methods that this process does not know."""
    found = []
    for record in records:
        if record.status == "done":
            try:
                method = build(find_method(record.cell.method), record.cell.settings)
            except UsageError:
                continue
            found.append(Seen(record, method, probed))
    return found


@dataclass(frozen=True)
class Source:
    """Where the numbers of a forecast are from: finished cells, and in `words` which, or a probe of so many steps."""

    words: str
    probe_steps: int = 0

    def told(self, num_records: int) -> str:
        """ "12 records of the same methods and tasks", "a probe of 20 steps, …"."""
        if self.probe_steps:
            return f"a probe of {self.probe_steps} steps{self.words}"
        return f"{num_records} record{'s' if num_records != 1 else ''}{self.words}"


@dataclass(frozen=True)
class Rates:
    """What a cell costs, by cells like it: `source` says in words how they are like it, `ids` which they are.

    Seconds a token that is trained on, and a row that is evaluated; `rest` of each cell; `joint_step` of a first stage,
    for each step of the cell; `peak_bytes` of a loop, 0 where none tells. `once`: items go through the model once.
    """

    source: Source
    ids: frozenset[str]
    token: Range
    row: Range
    rest: Range
    joint_step: float = 0.0
    peak_bytes: int = 0
    once: bool = False


class Experience:
    """Finished cells, and what of them bears on another that is to run on the device of this name, which so many
    workers share: what had as many beside it took as long. What had the device to itself would be as many times slower
    where nothing is gained by sharing; of other numbers of workers nobody can say.
    """

    def __init__(self, found: Sequence[Seen], device: str, sharing: int = 1) -> None:
        self.device, self.sharing = device, sharing
        tells = [each for each in found if each.record.workers in (1, sharing)]
        self.here = [each for each in tells if each.record.provenance.get("device") == device]
        self._of_task: dict[tuple[object, ...], list[Seen]] = defaultdict(list)
        for each in found:
            self._of_task[_data(each.record.cell)].append(each)
        self._of_model: dict[tuple[object, ...], list[Seen]] = defaultdict(list)
        for each in self.here:
            self._of_model[_use(each.record.cell, each.method)].append(each)
        self._rates: dict[tuple[object, ...], Rates | None] = {}

    def knows(self, resolved: ResolvedCell) -> bool:
        """Whether cells of its kind have finished on its model on this device."""
        return _use(resolved.cell, resolved.method) in self._of_model

    def of_task(self, cell: Cell) -> Sequence[Seen]:
        """Those of the same task and data, on any device."""
        return self._of_task.get(_data(cell), [])

    def rates(self, resolved: ResolvedCell, lanes: int, flops: Flops) -> Rates | None:
        """By cells of the same model, the likest first: of one line and task, of the method, of its kind; else, by
        arithmetic, those of the model that is nearest in size. None where this device has seen nothing of the kind.

        `flops` are those of a token in training, 0.0 where a model's size is unknown.
        """
        cell = resolved.cell
        key = (_use(cell, resolved.method), cell.method, repr(cell.settings), cell.task, cell.budget.batch_size, lanes)
        if key not in self._rates:
            self._rates[key] = self._likest(resolved, lanes) or self._by_arithmetic(resolved, lanes, flops)
        return self._rates[key]

    def _likest(self, resolved: ResolvedCell, lanes: int) -> Rates | None:
        cell = resolved.cell
        of_model = self._of_model.get(_use(cell, resolved.method), [])
        of_model = [each for each in of_model if not each.probed] or of_model
        narrowing: tuple[tuple[str, Callable[[Cell], bool]], ...] = (
            (" of the same lines and tasks", lambda other: _line(other) == _line(cell) and other.task == cell.task),
            (" of other settings", lambda other: other.method == cell.method and other.task == cell.task),
            (" of other tasks", lambda other: other.method == cell.method),
            (" of other methods", lambda _: True),
        )
        for words, alike in narrowing:
            found = [each for each in of_model if alike(each.record.cell)]
            if found:
                near = _nearest(self._as_shared(found), lanes * cell.budget.batch_size)
                return self._slowed(_measured(near, words, lanes), near)
        return None

    def _as_shared(self, found: list[Seen]) -> list[Seen]:
        """Those that shared the device as it will be shared, where there are any."""
        return [each for each in found if each.record.workers == self.sharing] or found

    def _slowed(self, rates: Rates, found: Sequence[Seen]) -> Rates:
        """What such cells cost as the device will be shared: by sharing it workers may gain nothing, or all of it."""
        if found[0].record.workers == self.sharing:
            return rates
        source = replace(rates.source, words=f"{rates.source.words}, slower {self.sharing} times beside others")
        slower = Range(1.0, float(self.sharing), float(self.sharing))
        return replace(
            rates,
            source=source,
            token=rates.token * slower,
            row=rates.row * slower,
            joint_step=rates.joint_step * self.sharing,
        )

    def loading(self, cell: Cell, changes_weights: bool) -> float:
        """Seconds of loading a model once, for all cells that share it; of one that is changed, for its cell."""
        found = [each for each in self.here if each.record.cell.model_fingerprint == cell.model_fingerprint]
        costs = [each.record.costs for each in found if each.method.changes_weights == changes_weights]
        if changes_weights:
            return _mean([cost.load_seconds for cost in costs])
        shares = Counter(cost.load_seconds or 0.0 for cost in costs)  # those who shared one loading have equal parts
        return _mean([share * users for share, users in shares.items()])

    def encoding(self, cell: Cell) -> float:
        """Seconds of reading and encoding a task once for a model."""
        found = [each.record for each in self.of_task(cell) if each.record.provenance.get("device") == self.device]
        alike = [
            record
            for record in found
            if record.cell.model_fingerprint == cell.model_fingerprint and record.costs.encode_seconds
        ]
        shares = Counter((record.costs.encode_seconds or 0.0, record.cell.method) for record in alike)
        return max((share * users for (share, _), users in shares.items()), default=0.0)

    def _by_arithmetic(self, resolved: ResolvedCell, lanes: int, flops: Flops) -> Rates | None:
        cell, wanted = resolved.cell, flops(resolved)
        found = [
            each
            for each in self.here
            if kind_of(each.method) == kind_of(resolved.method)
            and each.record.cell.precision == cell.precision
            and each.record.costs.model_flops
            and each.record.costs.tokens
        ]
        if not (found and wanted):
            return None

        def needed(each: Seen) -> float:
            return (each.record.costs.model_flops or 0.0) / each.record.costs.tokens

        closest = min(found, key=lambda each: abs(math.log(needed(each) / wanted))).record.cell
        near = [each for each in found if each.record.cell.model_fingerprint == closest.model_fingerprint]
        near = [each for each in near if each.method.name == resolved.method.name] or near
        near = _nearest(self._as_shared(near), lanes * cell.budget.batch_size)
        factor = ARITHMETIC.times(wanted * len(near) / sum(map(needed, near)))
        rates = _measured(near, "", lanes)
        used = [each.record.utilization for each in near if each.record.utilization]
        rate = f" at {100 * _mean(used):.2g} % of the peak" if used else ""
        first = near[0].record.cell
        source = Source(f" of {first.method} on {first.model}, by arithmetic{rate} as seen there, to a factor of 2")
        by_size = replace(
            rates,
            source=source,
            token=rates.token * factor,
            row=rates.row * factor,
            joint_step=rates.joint_step * factor.likely,
            peak_bytes=0,
        )
        return self._slowed(by_size, near)


def _measured(found: Sequence[Seen], words: str, lanes: int) -> Rates:
    records = [each.record for each in found]
    costs = [record.costs for record in records]
    beside = costs[0].lanes
    width = PROBED if found[0].probed else Range.exactly(1.0)
    if max(beside, lanes) >= 2 * min(beside, lanes):
        words += f", {beside} in a loop" if beside > 1 else ", alone in a loop"
    return Rates(
        source=Source(words, max(cost.steps for cost in costs) if found[0].probed else 0),
        ids=frozenset(record.id for record in records),
        token=Range.seen((cost.train_seconds, cost.tokens) for cost in costs) * width,
        row=Range.seen((each.record.costs.evaluate_seconds, each.evaluated) for each in found) * width,
        rest=Range.seen((each.rest_seconds, 1) for each in found) * width,
        joint_step=Range.seen((cost.joint_seconds, cost.steps) for cost in costs).likely,
        peak_bytes=max(cost.peak_bytes for cost in costs),
        once=all(map(read_once, records)),
    )


def _nearest(found: Sequence[Seen], rows: int) -> list[Seen]:
    """Those whose steps had about so many rows, all lanes of a loop together: what fills a device."""

    def distance(each: Seen) -> float:
        record = each.record
        return abs(math.log(record.costs.lanes * record.cell.budget.batch_size / rows))

    closest = min(map(distance, found))
    return [each for each in found if distance(each) <= closest + 1e-6]


def _line(cell: Cell) -> tuple[object, ...]:
    return (cell.method, cell.settings)


def _data(cell: Cell) -> tuple[object, ...]:
    return (cell.task, cell.task_version, cell.data_fingerprint)


def _use(cell: Cell, method: Method) -> tuple[object, ...]:
    """A model, and in which way a method uses it."""
    return (cell.model_fingerprint, cell.precision, *kind_of(method))


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0
