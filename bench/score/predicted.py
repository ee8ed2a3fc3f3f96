"""Predictions beside what was right, as metrics read them. Loads no numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Prediction = Sequence[int] | str | float  # for one example: class or candidate numbers, a text, a number
Found = TypeVar("Found")


@dataclass(frozen=True)
class PredictedRows:
    """Examples with what was said of them, a list each: the columns of predictions.parquet that metrics read.

    `labels` are the right class, a tag per word, the right candidates' texts, answers' texts (none: no answer), or a
    number; `predicted` is in the same form, "" says "no answer". Rows that differ in `predicted` alone may share
    `worked_out`.
    """

    labels: Sequence[Sequence[str]]
    predicted: Sequence[Sequence[str]]
    groups: Sequence[str | None]
    queries: Sequence[str | None]
    subsets: Sequence[str | None] = ()  # empty where no row is of one set of several
    worked_out: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, find: Callable[[PredictedRows], Found]) -> Found:
        """What a function finds in these rows, which must not read `predicted`: ten thousand cells of a task have the
        same labels.
        """
        if find not in self.worked_out:
            self.worked_out[find] = find(self)
        found: Found = self.worked_out[find]
        return found

    def only(self, numbers: Sequence[int]) -> PredictedRows:
        """The rows of these numbers, as of no set."""
        return PredictedRows(
            [self.labels[at] for at in numbers],
            [self.predicted[at] for at in numbers],
            [self.groups[at] for at in numbers],
            [self.queries[at] for at in numbers],
        )
