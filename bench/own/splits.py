"""How a user's rows come to train and the split that is scored: by files, a column, the hub, or one that is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.data.found import no_column
from bench.data.kind import kind_called
from bench.data.located import Located
from bench.data.mapping import columns_of
from bench.data.recognised import Recognised
from bench.data.sources import own_rows
from bench.data.values import is_nothing, label_text
from bench.errors import UsageError
from bench.own.places import NAMES, Lying, split_called
from bench.task import Division, Source, Split, Task

COLUMNS = ("split", "fold", "subset", "partition", "set")  # that say of a row which split it is of
ANSWERS = ("label", "ordinal", "letter", "right", "key", "tags", "answers")  # the fields of what is asked for
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
HIDDEN = -1  # the hub's mark of a label that is not public


@dataclass(frozen=True)
class Unread:
    """Rows that lie somewhere, of which nothing else is known yet; `column` says of each which split it is of."""

    lying: Lying
    source: Source
    column: str = ""

    @property
    def splits(self) -> tuple[Split, ...]:
        return tuple(split for split in NAMES if split in (self.source.files or self.source.hub_splits))

    def rows(self, split: Split) -> tuple[list[Located], int]:
        """The rows of a split, and how many its file has. UsageError for what cannot be read."""
        unnamed: dict[str, Any] = {"name": self.lying.name, "source": self.source, "fields": {"?": "?"}, "obtain": ""}
        try:
            rows, count = own_rows(Task.model_construct(**unnamed), split, self.lying.folder)
        except UsageError as error:
            raise UsageError(f"{error}{_reading_hint(self.lying.called(split), str(error))}") from None
        return [row for row in rows if not self.column or self._of(row) == split], count

    def _of(self, row: Located) -> Split | None:
        return split_called(label_text(row.fields.get(self.column)))


def _reading_hint(name: str, said: str) -> str:
    if name.removesuffix(".gz").casefold().endswith(TABLES) or "column" not in said or " " in name:
        return ""
    hint = "a table or JSON needs a name that ends in .csv, .tsv, .json, .jsonl or .parquet"
    return f". It was read as a column file (a word and its tag a line); {hint}"


def by_column(unread: Unread, asked: str, named: Sequence[str]) -> Unread:
    """The rows with their splits told by a column: the one asked for, or one of such a name with such values alone.

    UsageError for values that name no split, and where train or all others lack.
    """
    if len(unread.splits) > 1:
        if asked:
            raise UsageError(
                f"--split-by {asked}: {unread.lying.how} are splits already; give one file, or leave it out"
            )
        return unread
    rows, _ = unread.rows("train")
    if asked and rows and not any(asked in row.fields for row in rows):
        raise no_column(asked, rows[0].fields, unread.lying.called("train"))
    for column in (
        [asked] if asked else [name for name in _first(rows) if name.casefold() in COLUMNS and name not in named]
    ):
        values = Counter(label_text(row.fields.get(column)) for row in rows)
        splits = {split_called(value) for value in values}
        if None not in splits and "train" in splits and len(splits) > 1:
            return Unread(unread.lying, _divided_by(unread.source, column, splits), column)
        if asked:
            shown = ", ".join(f"{value!r} {count}" for value, count in values.most_common(6))
            raise UsageError(f"--split-by {asked}: its values are {shown}; they must be train, and dev or test")
    return unread


def _first(rows: Sequence[Located]) -> dict[str, Any]:
    return rows[0].fields if rows else {}


def _divided_by(source: Source, column: str, splits: set[Split | None]) -> Source:
    of = {split: names for split, names in NAMES.items() if split in splits}
    changes: dict[str, Any] = {"split_column": column, "local_splits": of}
    for places in ("files", "hub_splits"):
        known = getattr(source, places)
        changes[places] = dict.fromkeys(of, known["train"]) if known else {}
    return source.model_copy(update=changes)


def scored(unread: Unread, recognised: Recognised, division: Division | None) -> tuple[Source, Split, list[str]]:
    """The source with the split that is scored: test, or dev where no test has labels; where there is neither, one is
    made of train. And what there is to say of the others.
    """
    notes: list[str] = []
    for split in ("test", "dev"):
        if split not in unread.splits:
            continue
        rows, _ = unread.rows(split)
        if rows and _is_labelled(rows, recognised):
            _check_columns(rows, recognised, unread.lying.called(split))
            return unread.source, split, notes
        notes.append(f"{unread.lying.called(split)} has {'no labels' if rows else 'no rows'} and is not read")
    changes: dict[str, Any] = {"division": division or Division()}
    for places in ("files", "hub_splits"):
        known = getattr(unread.source, places)
        changes[places] = {"train": known["train"], "dev": known["train"]} if known else {}
    return unread.source.model_copy(update=changes), "dev", notes


def _is_labelled(rows: Sequence[Located], recognised: Recognised) -> bool:
    """Whether any row has a label."""
    if kind_called(recognised.kind).has_own_layout(rows[0].fields):
        return True
    answers = [column for name, column in recognised.fields.items() if name in ANSWERS and isinstance(column, str)]
    values = (row.fields.get(column) for row in rows for column in answers)
    return any(not is_nothing(value) and value != HIDDEN for value in values)


def _check_columns(rows: Sequence[Located], recognised: Recognised, called: str) -> None:
    """UsageError where the scored split lacks a column that train has."""
    present = dict.fromkeys(name for row in rows[:100] for name in row.fields)
    has_own_layout = kind_called(recognised.kind).has_own_layout(rows[0].fields)
    for name in columns_of(recognised.fields):
        if name not in present and not has_own_layout:
            raise no_column(name, present, called)
