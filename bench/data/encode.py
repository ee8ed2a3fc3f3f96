"""Examples become token ids, with the prompt slots already in their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bench.data.kind import LayoutSpec, data_of
from bench.data.rows import Item
from bench.data.specials import Reader, special
from bench.data.tokens import TokenStore
from bench.errors import UsageError
from bench.task import Example, Task
from bench.tuning import Slots

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
        self.task = task
        cloze = form == "cloze" and task.has_cloze
        known, store = special(tokenizer, reader), store or TokenStore()
        self._lay = data_of(task).layout(task, LayoutSpec(known, store, slots, cloze, max_length, context))

    def encode(self, examples: Sequence[Example]) -> list[Item]:
        """The items of the examples, in order: one each, but for spans one per window.

        UsageError when what must not be cut is longer than max_length.
        """
        try:
            return self._lay(examples)
        except UsageError as error:
            raise UsageError(f"task {self.task.name!r}: {error}") from None
