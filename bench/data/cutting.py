"""A step's items, from whichever lanes, cut into micro-batches so that a lane's numbers do not depend on its company.

Floats are rounded, and how a matrix product rounds depends on its shape: on a processor in the last bits, in bf16 on a
GPU visibly once training has blown it up. So a row must run in the same shape whoever shares the loop. There are two
ways, by what a device is good at:

- `own`: a micro-batch has rows of one lane, sorted by length and padded to the longest. Nothing is wasted; many small
  micro-batches cost little where arithmetic is slow (a CPU).
- `fixed`: rows of many lanes share micro-batches of fixed shapes. A row is padded to the bucket of its own length, and
  a bucket's micro-batches all have the same number of rows, empty ones filling the last. Large micro-batches keep a GPU
  busy. Only lanes whose prompts and heads have one shape share. That a row's bits do not depend on its place in a
  micro-batch, as they may on a processor, is tried out on a GPU in tests/train/test_company.py.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.data.rows import Item, Row

MOST_ROWS = 64  # of a fixed micro-batch: a bucket of short rows would be mostly empty with more
FEW = 4  # positions or tokens that are not worth a bucket


@dataclass(frozen=True, slots=True)
class Ticket:
    """An item on its way through the backbone: whose it is and which draw of dropout belongs to it."""

    lane: int  # index among the lanes of the loop
    item: Item
    seed: int = 0  # of this item's dropout in this step


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of a fixed micro-batch are padded to."""

    rows: int
    length: int
    fed: int  # tokens that a decoder is fed; 0 without one
    read: int  # positions that heads read


@dataclass(frozen=True)
class Cut:
    """Tickets that go through the backbone together; without a shape they are padded to the largest of them."""

    tickets: list[Ticket]
    shape: Shape | None = None


def own(tickets: Sequence[Ticket], token_budget: int) -> Iterator[Cut]:
    """Micro-batches of one lane each, longest rows first, rows × longest within the budget; one item passes whole."""
    for _, of_lane in groupby(sorted(tickets, key=lambda ticket: ticket.lane), key=lambda ticket: ticket.lane):
        for batch in _divided(sorted(of_lane, key=lambda ticket: -ticket.item.longest), token_budget):
            yield Cut(batch)


def _divided(queue: Sequence[Ticket], token_budget: int) -> Iterator[list[Ticket]]:
    batch: list[Ticket] = []
    rows = 0
    for ticket in queue:
        more = len(ticket.item.rows)
        if batch and (rows + more) * batch[0].item.longest > token_budget:
            yield batch
            batch, rows = [], 0
        batch.append(ticket)
        rows += more
    if batch:
        yield batch


def fixed(tickets: Sequence[Ticket], token_budget: int, kinds: Sequence[Hashable], positions: int) -> Iterator[Cut]:
    """Micro-batches of fixed shapes. Lanes of equal `kinds` share them; `positions` bounds lengths (0: no bound).

    An item with more rows than a micro-batch goes alone. A lane's own items keep an order that depends on nothing else.
    """
    buckets: dict[tuple[int, Hashable, Shape], list[Ticket]] = {}
    for ticket in tickets:
        shape = _shape(ticket.item, token_budget, positions)
        buckets.setdefault((-shape.length, kinds[ticket.lane], shape), []).append(ticket)
    for (_, _, shape), queue in sorted(buckets.items(), key=lambda entry: _by_size(entry[0][2])):
        batch: list[Ticket] = []
        rows = 0
        for ticket in queue:
            more = len(ticket.item.rows)
            if batch and rows + more > shape.rows:
                yield Cut(batch, shape)
                batch, rows = [], 0
            batch.append(ticket)
            rows += more
        if batch:
            yield Cut(batch, shape)


def _by_size(shape: Shape) -> tuple[int, ...]:
    return (-shape.length, -shape.fed, -shape.read, -shape.rows)


def _shape(item: Item, token_budget: int, positions: int) -> Shape:
    longest, fed, read = (
        max(len(sequence) for sequence in of_rows)
        for of_rows in zip(*((row.ids, row.decoder, row.read) for row in item.rows), strict=True)
    )
    length = max(longest, min(bucket(longest, 16), positions or longest * 2))
    if fed > FEW:
        fed = max(fed, min(bucket(fed, 8), positions or fed * 2))
    if read > FEW:  # words to be said are few, and each costs the scores of a vocabulary; else every token is read
        read = bucket(read, 8) if any(row.tokens for row in item.rows) else max(length, fed)
    return Shape(max(1, min(MOST_ROWS, token_budget // length), len(item.rows)), length, fed, read)


def bucket(length: int, least: int) -> int:
    """The length that a row is padded to: powers of two from `least` on, and above 64 the middles between them."""
    size = least
    while size < length:
        size *= 2
    middle = size * 3 // 4
    return middle if length <= middle and middle > 64 else size


def row_places(tickets: Sequence[Ticket]) -> list[tuple[Ticket, int, Row]]:
    """The rows of tickets one after another, each with its ticket and its number in the item."""
    return [(ticket, number, row) for ticket in tickets for number, row in enumerate(ticket.item.rows)]
