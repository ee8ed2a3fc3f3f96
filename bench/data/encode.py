"""Examples become token ids, with the prompt slots already in their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bench.data.forms import Form as Layout
from bench.data.rows import Item
from bench.data.sequences import tagged, windows
from bench.data.slots import Slots
from bench.data.specials import Reader, special
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.task import SLOT_MARK, Example, Task

Form = Literal["plain", "cloze"]


class Encoder:
    """Lays out a task's examples for one tokenizer, form and slot plan.

    `max_length` bounds text and special tokens (slots come on top). Of a form the longest field is cut first, at its
    end; contexts of spans are divided into windows; sentences to be tagged are cut at the end. Where the model's tokens
    see only those before them (`reader.causal`), a sequence is read at its last token, and a cloze form ends where its
    [MASK] would stand: the next token is scored. With a decoder (`reader.start`) both are read there. `context` are
    tokens that stand before the text of every example of a form, on top of `max_length` as slots are
    (bench.data.context).
    """

    def __init__(
        self,
        tokenizer: Any,
        task: Task,
        form: Form,
        slots: Slots,
        max_length: int,
        store: TokenStore | None = None,
        reader: Reader | None = None,
        context: Sequence[int] = (),
    ) -> None:
        self.task, self.max_length = task, max_length
        self.special = special(tokenizer, reader)
        self.store = store or TokenStore()
        self.front = slots.count
        if task.kind in ("tagging", "span"):
            return
        cloze = form == "cloze" and task.pattern is not None
        pattern = str(task.pattern) if cloze else task.plain
        if slots.place == "pattern" and SLOT_MARK in pattern:
            self.front = 0
        at_marks = 0 if self.front else slots.count
        candidate = cloze and task.kind == "choice"
        self.layout = Layout(self.special, self.store, pattern, self.front, at_marks, max_length, candidate, context)

    def encode(self, examples: Sequence[Example]) -> list[Item]:
        """The items of the examples, in order: one each, but for spans one per window.

        UsageError when what must not be cut is longer than max_length.
        """
        try:
            return self._items(examples)
        except UsageError as error:
            raise UsageError(f"task {self.task.name!r}: {error}") from None

    def _items(self, examples: Sequence[Example]) -> list[Item]:
        if self.task.kind == "tagging":
            return list(tagged(self.special, self.store, self.front, examples, self.max_length))
        if self.task.kind == "span":
            overlap = self.task.stride
            return list(windows(self.special, self.store, self.front, examples, self.max_length, overlap))
        if self.task.kind == "choice":
            return self._choices(examples)
        rows = self.layout.lay([example.texts for example in examples])
        return [
            Item(number, (row,), list(example.labels), [0], cut)
            for number, (example, (row, cut)) in enumerate(zip(examples, rows, strict=True))
        ]

    def _choices(self, examples: Sequence[Example]) -> list[Item]:
        """A row for every candidate; those of an example make one item."""
        laid = iter(self.layout.lay([{**example.texts, **own} for example in examples for own in example.choices]))
        items = []
        for number, example in enumerate(examples):
            found = [next(laid) for _ in example.choices]
            targets = [int(at in example.labels) for at in range(len(found))]
            rows, cuts = zip(*found, strict=True)
            items.append(Item(number, rows, targets, list(range(len(rows))), any(cuts)))
        return items
