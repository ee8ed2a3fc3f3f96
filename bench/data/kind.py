"""What a kind of task is on the way from rows to token ids. Loads neither torch nor numpy."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.data.found import Asked, Found
from bench.data.located import Located
from bench.data.mapping import Fields, marks, text_cell, texts_of, with_label
from bench.data.recognised import Recognised
from bench.data.row_fields import fields_of
from bench.data.slots import Slots
from bench.data.tally import Tally
from bench.kind import KindFacts, find_kind
from bench.task import Example, Task

if TYPE_CHECKING:
    from bench.data.rows import Item
    from bench.data.specials import Special
    from bench.data.tokens import TokenStore

ReadRow = Callable[[Located, int], tuple[str, Example]]  # why nothing can be learned from it, or ""; and the example
LayOut = Callable[[Sequence[Example]], "list[Item]"]


@dataclass(frozen=True)
class LayoutSpec:
    """What token ids are laid out for: tokenizer, slots, form (`cloze`, else plain) and length.

    `max_length` bounds text and special tokens; slots come on top, and so does `context`, the tokens that stand before
    the text of every example of a form (bench.data.context).
    """

    special: Special
    store: TokenStore
    slots: Slots
    cloze: bool
    max_length: int
    context: Sequence[int] = ()


class KindData(KindFacts, ABC):
    """Reads the rows of a task into Examples and lays these out as items."""

    def arranged(self, task: Task, rows: list[Located], answered: bool = True) -> list[Located]:
        """A source's rows before the task's own adapter sees them, one for each. UsageError for a file that does not
        fit. Rows that are not `answered` may lack what an adapter looks for: it is put there.
        """
        return rows

    def mended(self, task: Task, rows: list[Located], repaired: Tally) -> list[Located]:
        """All rows of a split in the harness's fields, mended before they are read one by one; what is done is counted.

        UsageError names the row that cannot be read.
        """
        return rows

    def counted(self, rows: Sequence[Located]) -> str:
        """What these rows are called when they are counted."""
        return "rows"

    def recognised(self, found: Found, asked: Asked) -> Recognised | None:
        """How a user's rows would be read as a task of this kind; None where their columns are not such.

        UsageError where they are, but it is not clear which is which, or the labels are none.
        """
        return None

    def has_own_layout(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of a source lies as this kind's files do, and not in the columns that a task names."""
        return False

    def settled(self, task: Task, train: Sequence[Example]) -> Task:
        """A user's own task with what its train rows alone may tell."""
        return task

    def mapped(self, task: Task, row: Fields, labelled: bool = True) -> Iterable[Fields]:
        """The rows in the kind's fields that a row of a user's own data stands for, by the columns that `task.fields`
        names; with `labelled` false without what is asked for. ValueError for what does not fit.
        """
        texts = {name: text_cell(task.fields, row, name) for name in texts_of(task)}
        return with_label(task.fields, row, texts) if labelled else [{**marks(task.fields, row), **texts}]

    @abstractmethod
    def reader(self, task: Task) -> ReadRow:
        """What turns a row (and its number) into an Example; the kind's docstring lists the fields of a row.

        It raises UsageError, with the row's place, for a row that does not fit.
        """

    def stand_in(self, task: Task, fields: Mapping[str, Any]) -> dict[str, Any]:
        """For a row in the harness's fields that is asked and not scored: a right answer in form, which nobody looks
        at, in the fields that hold it.
        """
        return {"label": self.made_up(task, 0, ("a",), random.Random(0))["label"]}

    @abstractmethod
    def layout(self, task: Task, spec: LayoutSpec) -> LayOut:
        """What turns examples into items, in their order, at least one each. UsageError where that cannot be."""

    @abstractmethod
    def made_up(self, task: Task, number: int, words: Sequence[str], rng: random.Random) -> dict[str, Any]:
        """A row of random `words` in the kind's fields, for checks without data; labels go round by `number`."""

    def solved(self, task: Task, example: Example) -> dict[str, str]:
        """The fields of an example with its right answer's text as the candidate. Asked where there is a cloze form."""
        raise NotImplementedError(f"a {self.name} task has no cloze form")

    def strata(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Of each example the stratum in which rows are held out of train; an empty one has no say in its group's."""
        return [example.labels if len(example.labels) == 1 else () for example in examples]

    def fields(self, task: Task) -> tuple[str, ...]:
        """The names of the texts that are laid out, in their order."""
        return fields_of(task.plain)

    def centre(self, example: Example) -> Mapping[str, int]:
        """By field, the character that must be seen where a text is too long to be shown whole."""
        return {}


def data_of(task: Task) -> KindData:
    """How the task's kind reads rows. TypeError for a kind that says nothing of it."""
    return kind_called(task.kind)


def kind_called(name: str) -> KindData:
    """The kind of that name, as `data_of` has it."""
    kind = find_kind(name)
    if not isinstance(kind, KindData):
        raise TypeError(f"kind {name!r} ({type(kind).__module__}) is no bench.score.kind.TaskKind")
    return kind
