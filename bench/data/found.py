"""What a user's rows have: their columns, and what stands in them. By it a kind tells whether they are its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bench.data.located import Located
from bench.data.values import finite_number, is_nothing, label_text
from bench.errors import UsageError, nearest

MOST_VALUES = 2000  # different ones of a column that are counted; with more it has no classes
LONGEST_VALUE = 200  # characters; a longer one is no label
SHOWN = 32  # characters of an example
TYPES = {str: "text", bool: "truth", int: "number", float: "number", list: "list", dict: "object"}


@dataclass
class Column:
    """A column over the rows: of its values the types, the labels they read as (None: too many, or some can be none),
    and where nothing stands.
    """

    name: str
    types: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] | None = field(default_factory=Counter)
    empty: list[str] = field(default_factory=list)  # places
    num_words: int = 0
    num_characters: int = 0
    example: str = ""

    def take(self, value: Any, place: str) -> None:
        if is_nothing(value):
            self.empty.append(place)
            return
        self.types[TYPES.get(type(value), type(value).__name__)] += 1
        text = value if isinstance(value, str) else label_text(value)
        self.example = self.example or " ".join(text.split())[: SHOWN + 1]
        if isinstance(value, str):
            self.num_words += value.count(" ") + 1
        self.num_characters += len(text)
        if self.labels is not None:
            if isinstance(value, list | dict) or len(text) > LONGEST_VALUE:
                self.labels = None
                return
            self.labels[label_text(value)] += 1
            if len(self.labels) > MOST_VALUES:
                self.labels = None

    @property
    def num_values(self) -> int:
        """Of rows in which something stands."""
        return self.types.total()

    @property
    def is_text(self) -> bool:
        return set(self.types) == {"text"}

    @property
    def is_numbers(self) -> bool:
        """Whether all that stands there reads as a number; of many that is only said when all were looked at."""
        if self.labels is None:
            return set(self.types) == {"number"}
        return (
            bool(self.labels)
            and "truth" not in self.types
            and all(finite_number(text) is not None for text in self.labels)
        )

    @property
    def words(self) -> float:
        """Of a value, on average."""
        return self.num_words / max(1, self.num_values)

    def shown(self) -> str:
        cut = self.example if len(self.example) <= SHOWN else self.example[:SHOWN] + "…"
        return f"{self.name!r} ({cut!r})" if cut else f"{self.name!r} (empty)"


@dataclass(frozen=True)
class Asked:
    """The columns that a user has named; empty where they have not."""

    texts: tuple[str, ...] = ()
    label: str = ""
    group: str = ""
    idx: str = ""
    split: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(filter(None, (*self.texts, self.label, self.group, self.idx, self.split)))


@dataclass(frozen=True)
class Found:
    """The rows of train, and their columns. `source` is what they are called: a file's name."""

    rows: Sequence[Located]
    source: str

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        columns: dict[str, Column] = {}
        for row in self.rows:
            for name, value in row.fields.items():
                column = columns.get(name)
                if column is None:
                    column = columns[name] = Column(name)
                column.take(value, row.place)
        return columns

    def check(self, asked: Asked) -> None:
        """UsageError for a column that is named and not there."""
        for name in asked.named:
            if name not in self.columns:
                raise no_column(name, self.columns, self.source)
        twice = [name for name, times in Counter((*asked.texts, asked.label)).items() if name and times > 1]
        if twice:
            raise UsageError(f"column {twice[0]!r} of {self.source} cannot be the text and the label at once")

    def free(self, asked: Asked) -> list[Column]:
        """The columns that nobody has named, numbers of rows aside."""
        return [
            column for name, column in self.columns.items() if name not in asked.named and name.casefold() not in INDEX
        ]

    def listed(self) -> str:
        """The columns with a value of each."""
        return ", ".join(column.shown() for column in [*self.columns.values()][:20]) or "none"


INDEX = ("", "unnamed: 0", "index", "idx", "id", "__index_level_0__")  # columns that number the rows


def no_column(name: str, known: Mapping[str, Any], source: str) -> UsageError:
    """The error for a column that is not there, with the nearest and all that are."""
    near = nearest(name, known)
    meant = f"; did you mean {near!r}?" if near else ";"
    return UsageError(f"{source} has no column {name!r}{meant} it has {', '.join(map(repr, known)) or 'none'}")
