"""Rows that are asked and not scored: they are read as those of a split are, but for the answers, which nobody knows.

A task's own adapter looks for a row's answer where its source has it. What it looks for and does not find is nothing,
which passes where only an answer is wanted; then an answer in form stands in the row (bench.data.kind.KindData), so
that all else of the row is looked at as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.data.examples import flat_rows, with_whole_characters
from bench.data.kind import data_of
from bench.data.located import Located
from bench.data.mapping import check_columns
from bench.data.tally import Tally
from bench.errors import UsageError
from bench.task import Example, Task

NOTHING = type("nothing", (list,), {})()  # an empty list, by whose type a message says "found nothing"
LAID_OUT = {"columns", "word_column", "tag_column"}  # how a column file's words lie; they are given as words


@dataclass(frozen=True)
class Question:
    """An example to be answered, and what of its source's row goes beside the answer, by the names of columns."""

    kept: Mapping[str, Any]
    example: Example


class Questions:
    """Reads the rows of a task, `answered` or not. `no_example` counts what of the source stands for no example,
    `doubtful` the examples that training would have left out.
    """

    def __init__(self, task: Task, answered: bool) -> None:
        self._task, self._kind, self._answered = task, data_of(task), answered
        self._read_row = self._kind.reader(task)
        self._number = 0
        self._checked: set[str] = set()  # files whose columns are there
        self.no_example, self.repaired, self.doubtful = Tally(), Tally(), Tally()

    def read(self, rows: Sequence[Located]) -> Iterator[Question]:
        """The examples of these rows, in their order. UsageError names the row that does not fit.

        All rows of a column file must come together: what its columns are is told from the whole of it.
        """
        whole = [with_whole_characters(row) for row in rows]
        flat: list[Located] = []
        kept: list[Mapping[str, Any]] = []
        for source, arranged in zip(whole, self._kind.arranged(self._task, whole, self._answered), strict=True):
            of_row = self._flat(arranged)
            flat += of_row
            kept += [source.fields] * len(of_row)
        mended = self._kind.mended(self._task, flat, self.repaired)
        for row, fields in zip(mended, kept, strict=True):
            reason, example = self._read_row(row, self._number)
            if reason:
                self.doubtful.note(reason, row.place)
            self._number += 1
            yield Question(_beside(fields, example), example)

    def _flat(self, row: Located) -> list[Located]:
        if self._task.is_data and row.source not in self._checked and not self._kind.has_own_layout(row.fields):
            check_columns(self._task, row.fields, row.source, self._answered)
            self._checked.add(row.source)
        if self._answered:
            return list(flat_rows(self._task, [row], self.repaired, self.no_example))
        rows = self._by_columns(row) if self._task.is_data else self._by_adapter(row)
        stand_in = self._kind.stand_in
        return [replace(row, fields={**row.fields, **stand_in(self._task, row.fields)}) for row in rows]

    def _by_columns(self, row: Located) -> list[Located]:
        """Of a task of a user's own: without its column of answers."""
        return list(flat_rows(self._task, [row], self.repaired, self.no_example, labelled=False))

    def _by_adapter(self, row: Located) -> list[Located]:
        fields = _Fields(row.fields)
        lenient = replace(row, fields=fields)
        skipped = self.no_example.total
        try:
            rows = list(flat_rows(self._task, [lenient], self.repaired, self.no_example))
        except UsageError as error:
            if "found nothing" not in str(error):
                raise
            raise UsageError(f"{error}; the row has {_named(row.fields)}") from None
        if not rows and fields.missing and self.no_example.total == skipped:
            raise UsageError(f"{row.place}: field {fields.missing[0]!r} is missing; the row has {_named(row.fields)}")
        return rows


class _Fields(dict[str, Any]):
    """A row's fields, and those of its parts: what is not there is nothing. `missing` are the names of such."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__({name: _lenient(value) for name, value in fields.items()})
        self.missing: list[str] = []

    def __missing__(self, name: str) -> Any:
        self.missing.append(name)
        return NOTHING

    def __or__(self, others: Mapping[str, Any]) -> _Fields:  # type: ignore[override]
        """With others, as an adapter puts a part and what stands around it together; lenient still."""
        joined = _Fields({**self, **others})
        joined.missing = self.missing
        return joined


def _lenient(value: Any) -> Any:
    if isinstance(value, dict):
        return _Fields(value)
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return [_lenient(part) for part in value]
    return value


def _named(fields: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, fields))) or "nothing"


def _has_parts(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, dict | list) for part in value))


def _beside(fields: Mapping[str, Any], example: Example) -> dict[str, Any]:
    """The id and the columns of a row; of one that has parts (an article with its questions) the example's texts too,
    beside what is a value, or a list of values.
    """
    columns = {name: value for name, value in fields.items() if name not in LAID_OUT and not _has_parts(value)}
    texts = example.texts if len(columns) < len(fields) else {}
    named = {} if "id" in columns or str(columns.get("idx")) == example.id else {"id": example.id}
    return {**named, **{name: text for name, text in texts.items() if name not in columns}, **columns}
