"""How a test encodes: a function of examples, for a tokenizer, a task's form, slots and a length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from bench.data.encode import encode
from bench.data.kind import LayoutSpec
from bench.data.rows import Item
from bench.data.slots import Slots
from bench.data.specials import Reader, special
from bench.data.tokens import TokenStore
from bench.task import Example, Task

Form = Literal["plain", "cloze"]


def encoder(
    tokenizer: Any, task: Task, form: Form, slots: Slots, length: int, reader: Reader | None = None,
    context: Sequence[int] = (),
) -> Callable[[Sequence[Example]], list[Item]]:  # fmt: skip
    spec = LayoutSpec(special(tokenizer, reader), TokenStore(), slots, form == "cloze", length, context)
    return lambda examples: encode(task, spec, examples)
