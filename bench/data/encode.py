"""Examples become token ids, with the prompt slots already in their places."""

from __future__ import annotations

from collections.abc import Sequence

from bench.data.kind import LayoutSpec, data_of
from bench.data.rows import Item
from bench.errors import UnfitModel, UsageError
from bench.task import Example, Task


def encode(task: Task, spec: LayoutSpec, examples: Sequence[Example]) -> list[Item]:
    """The items of the examples, in order: one each, but for spans one per window.

    Of a form the longest field is cut first, at its end; contexts of spans are divided into windows; sentences to be
    tagged are cut at the end. Where the model's tokens see only those before them (`special.causal`), a sequence is
    read at its last token, and a cloze form ends where its [MASK] would stand: the next token is scored. With a decoder
    (`special.opening`) both are read there. A task without a cloze form is laid out plain. UsageError when what must
    not be cut is longer than `max_length`, or when the tokenizer lacks what the form asks for.
    """
    lay = data_of(task).layout(task, spec)
    try:
        return lay(examples)
    except UnfitModel:  # no row is to blame
        raise
    except UsageError as error:
        raise UsageError(f"task {task.name!r}: {error}") from None
