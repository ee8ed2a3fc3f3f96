"""A step's items, from whichever lanes, cut into micro-batches so that a lane's numbers do not depend on its company.

Floats are rounded, and how a matrix product rounds may depend on its shape: on a processor in the last bits, in bf16 on
a GPU visibly once training has blown it up. So what a row comes to must have the same bits whoever shares the loop.
There are three ways, by what a device is good at and has been seen to do:

- `own`: a micro-batch has rows of one lane, sorted by length and padded to the longest. Nothing is wasted; many small
  micro-batches cost little where arithmetic is slow (a CPU).
- `fixed`: rows of lanes that are alike share micro-batches. A row is padded to the bucket of its own length, and a
  bucket's micro-batches all have the same number of rows, empty ones filling the last.
- `queued`: the same rows in the same order, in micro-batches of whatever shape costs least. For kernels that have been
  seen to give a row the same bits in either shape (bench.model.passes tries every pair before it is used), and for
  lanes that never have company.

Each way a lane's items go in an order that depends on nothing but the items.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench.data.table import Integers, ItemSizes

LADDER = (16, 32, 64, 128)  # rows of a micro-batch on a GPU
FIXED_ROWS = 32  # of a fixed micro-batch, if its tokens allow
FEW = 4  # positions or tokens that are not worth a bucket


@dataclass(frozen=True)
class Tickets:
    """Items on their way through the backbone: (n,) each, those of a lane one after another."""

    items: Integers  # of the table
    owners: Integers  # whose they are
    places: Integers  # the number of each among its owner's
    seeds: Integers  # of each one's dropout in this step

    def __len__(self) -> int:
        return len(self.items)

    def of(self, chosen: Integers) -> Tickets:
        return Tickets(self.items[chosen], self.owners[chosen], self.places[chosen], self.seeds[chosen])


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a micro-batch are padded to."""

    rows: int
    length: int
    fed: int  # tokens that a decoder is fed; 0 without one
    read: int  # positions that heads read
    width: int  # most rows of an item

    @property
    def longest(self) -> int:
        return max(self.length, self.fed)


@dataclass(frozen=True)
class Cut:
    """Tickets that go through the backbone together, by their numbers, and the shape they are padded to.

    `covers`: of a queued one the shapes of its tickets' buckets, which are the fixed ones where there is a ladder.
    """

    chosen: Integers
    shape: Shape
    covers: tuple[Shape, ...] = ()


def own(sizes: ItemSizes, tickets: Tickets, token_budget: int) -> Iterator[Cut]:
    """Micro-batches of one lane each, longest rows first, rows × longest within the budget; one item passes whole."""
    longest = sizes.longest[tickets.items]
    order = np.lexsort((-longest, tickets.owners))
    edges = np.flatnonzero(np.diff(tickets.owners[order])) + 1
    for of_lane in np.split(order, edges):
        start = 0
        while start < len(of_lane):
            rows = sizes.rows[tickets.items[of_lane[start:]]].cumsum()
            count = max(1, int(np.searchsorted(rows * longest[of_lane[start]], token_budget, side="right")))
            chosen = of_lane[start : start + count]
            yield Cut(chosen, _exact(sizes, tickets.items[chosen]))
            start += count


def _exact(sizes: ItemSizes, items: Integers) -> Shape:
    of_items = [int(values[items].max()) for values in (sizes.length, sizes.fed, sizes.read, sizes.rows)]
    return Shape(int(sizes.rows[items].sum()), *of_items)


@dataclass(frozen=True)
class Buckets:
    """How fixed and queued micro-batches are shaped on a backbone.

    `positions` bounds lengths (0: no bound). `wants_tokens`: each position read costs the scores of a vocabulary.
    `fixed_cost` is what a micro-batch costs besides its tokens, in tokens. `ladder` has the rows of queued ones; where
    shapes may be many, since none is captured or tried beside another, it is empty, and each is as large as its rows.
    """

    token_budget: int
    positions: int
    wants_tokens: bool
    fixed_cost: int
    ladder: tuple[int, ...] = LADDER

    def fixed(self, sizes: ItemSizes, tickets: Tickets) -> Iterator[Cut]:
        """An item with more rows than a micro-batch goes alone."""
        order, shapes = self.ordered(sizes, tickets)
        for run, shape in _runs(order, shapes):
            yield from _filled(sizes, tickets, run, shape)

    def queued(self, sizes: ItemSizes, tickets: Tickets) -> Iterator[Cut]:
        """In the order of `fixed`; neighbouring buckets share micro-batches where that costs less."""
        order, shapes = self.ordered(sizes, tickets)
        runs = list(_runs(order, shapes))
        if not self.ladder:
            runs = [(run, _exact(sizes, tickets.items[run])) for run, _ in runs]
        for first, last in self._groups(sizes, tickets, runs):
            chosen = np.concatenate([run for run, _ in runs[first:last]])
            of_runs = np.repeat(np.arange(first, last), [len(run) for run, _ in runs[first:last]])
            for cut in self._chunks(sizes, tickets, chosen, _over(shape for _, shape in runs[first:last])):
                cut_runs, of_runs = of_runs[: len(cut.chosen)], of_runs[len(cut.chosen) :]
                covers = tuple(shape for _, shape in runs[cut_runs[0] : cut_runs[-1] + 1])
                yield Cut(cut.chosen, cut.shape, covers)

    def ordered(self, sizes: ItemSizes, tickets: Tickets) -> tuple[Integers, list[Shape]]:
        """The tickets' numbers by the buckets of their items, the longest first; and each one's fixed shape."""
        keys = np.stack([values[tickets.items] for values in (sizes.length, sizes.fed, sizes.read, sizes.rows)], axis=1)
        different, kinds = np.unique(keys, axis=0, return_inverse=True)
        kinds = kinds.reshape(-1)  # numpy 2.0 has it (n, 1)
        shapes = [self.shape_of(*key) for key in different.tolist()]
        ranks = np.array([(shape.length, shape.fed, shape.read, shape.width) for shape in shapes], np.int64)[kinds]
        order = np.lexsort([tickets.places, tickets.owners, -keys[:, 0], *(-ranks.T[::-1])])
        return order, [shapes[kind] for kind in kinds[order].tolist()]

    def shape_of(self, length: int, fed: int, read: int, rows: int) -> Shape:
        """The fixed shape of an item of these sizes."""
        padded = self._padded(length, 32)
        padded_fed = self._padded(fed, 8) if fed > FEW else fed
        width = rows if rows == 1 else bucket(rows, 2)
        longest = max(padded, padded_fed)
        count = next((rung for rung in (FIXED_ROWS, LADDER[0]) if rung * longest <= self.token_budget), 0)
        return Shape(max(count or max(1, self.token_budget // longest), rows), padded, padded_fed,
                     self._read(read, longest), width)  # fmt: skip

    def _padded(self, length: int, least: int) -> int:
        size = bucket(length, least)
        return max(length, min(size, self.positions)) if self.positions else size

    def _read(self, read: int, longest: int) -> int:
        if read <= FEW:
            return 1 if read == 1 else FEW
        return bucket(read, 8) if self.wants_tokens else longest  # every token is read

    def _groups(self, sizes: ItemSizes, tickets: Tickets, runs: list[tuple[Integers, Shape]]) -> list[tuple[int, int]]:
        """Which neighbouring buckets go together: the division of the least cost, by dynamic programming."""
        num_rows = [int(sizes.rows[tickets.items[run]].sum()) for run, _ in runs]
        best: list[tuple[float, int]] = [(0.0, 0)]  # of the first so many buckets: cost, where the last group begins
        for last in range(1, len(runs) + 1):
            options = []
            for first in range(last):
                shape = _over(shape for _, shape in runs[first:last])
                options.append((best[first][0] + self._cost(sum(num_rows[first:last]), shape), first))
            best.append(min(options))
        groups: list[tuple[int, int]] = []
        last = len(runs)
        while last:
            groups.append((best[last][1], last))
            last = best[last][1]
        return groups[::-1]

    def _cost(self, num_rows: int, shape: Shape) -> float:
        longest, most = shape.longest, self._most_rows(shape)
        full, rest = divmod(num_rows, most)
        tokens = full * most * longest + (self._rung(rest, most) * longest if rest else 0)
        return tokens + (full + bool(rest)) * self.fixed_cost

    def _most_rows(self, shape: Shape) -> int:
        """Of a micro-batch of rows so long."""
        fitting = max(1, self.token_budget // shape.longest)
        return max((rung for rung in self.ladder if rung <= fitting), default=fitting)

    def _rung(self, rows: int, most: int) -> int:
        return min(next((rung for rung in self.ladder if rung >= rows), rows), max(most, rows))

    def _chunks(self, sizes: ItemSizes, tickets: Tickets, chosen: Integers, over: Shape) -> Iterator[Cut]:
        most = self._most_rows(over)
        for cut in _filled(sizes, tickets, chosen, replace(over, rows=most)):
            need = _exact(sizes, tickets.items[cut.chosen])
            yield Cut(cut.chosen, replace(over, rows=self._rung(need.rows, most)) if self.ladder else need)


def ladder_of(sizes: ItemSizes, tickets: Tickets) -> tuple[int, ...]:
    """For a lane that is alone whatever else runs: where its step has few rows, micro-batches begin with as few."""
    return (min(LADDER[0], bucket(int(sizes.rows[tickets.items].sum()), 1)), *LADDER)


def _runs(order: Integers, shapes: list[Shape]) -> Iterator[tuple[Integers, Shape]]:
    start = 0
    for at in range(1, len(shapes) + 1):
        if at == len(shapes) or shapes[at] != shapes[start]:
            yield order[start:at], shapes[start]
            start = at


def _filled(sizes: ItemSizes, tickets: Tickets, run: Integers, shape: Shape) -> Iterator[Cut]:
    """Micro-batches of one shape, each filled with as many items as it has rows for."""
    start = 0
    rows = sizes.rows[tickets.items[run]].cumsum()
    while start < len(run):
        before = rows[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(rows, before + shape.rows, side="right")))
        yield Cut(run[start:end], shape)
        start = end


def _over(shapes: Iterator[Shape]) -> Shape:
    """What holds rows of any of the shapes."""
    each = [(shape.rows, shape.length, shape.fed, shape.read, shape.width) for shape in shapes]
    return Shape(*map(max, zip(*each, strict=True)))


def bucket(length: int, least: int) -> int:
    """The length that a row is padded to: multiples of 32 up to 128, powers of two and the middles between them."""
    size = least
    while size < length:
        size *= 2
    middle = size * 3 // 4
    return middle if length <= middle and middle > 64 else size
