"""What goes through the backbone: rows of tokens, and the items they make up.

An item is what a batch counts: one example; of a span task one window of its context. Its rows go through the backbone
together: one, or for a choice one per candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence for the backbone. Positions count from 0, slots included.

    `ids` are what the encoder of an encoder–decoder reads.
    """

    ids: list[int]
    types: list[int]
    slots: list[int]  # slots[i] is the position of prompt vector i
    read: list[int]  # the positions whose hidden states the head reads
    tokens: list[int] = field(default_factory=list)  # per position read the token wanted there, where the head asks
    decoder: list[int] = field(default_factory=list)  # what a decoder is fed; `read` then counts in this

    @property
    def length(self) -> int:
        return max(len(self.ids), len(self.decoder))

    @property
    def num_tokens(self) -> int:
        return len(self.ids) + len(self.decoder)


@dataclass(frozen=True, slots=True)
class Item:
    """Rows to be scored together, and what is wanted of the scores.

    `targets` says it per position read (per row for a choice): the class wanted there; where positions compete, bit c
    is set when column c should point there (a choice has one column; a span two: its start and its end). Of a
    regression it is the number wanted.
    `places` tells what a target is about: the word of the example (tagging), the candidate (choice). `spans` are the
    characters of the context that each position after the first stands for (span).
    """

    example: int
    rows: tuple[Row, ...]
    targets: Sequence[float]
    places: list[int]
    cut: bool  # some of the text is in no row, because it was longer than max_length
    spans: list[tuple[int, int]] = field(default_factory=list)

    @property
    def longest(self) -> int:
        return max(row.length for row in self.rows)

    @property
    def num_tokens(self) -> int:
        return sum(row.num_tokens for row in self.rows)

    @property
    def num_read(self) -> int:
        return sum(len(row.read) for row in self.rows)


def way_laid(items: Sequence[Item]) -> tuple[bool, ...]:
    """How the rows of a set are laid out, as far as what is done with a micro-batch depends on it."""
    first = items[0].rows[0] if items else None
    return (bool(first and first.decoder), bool(first and first.tokens))
