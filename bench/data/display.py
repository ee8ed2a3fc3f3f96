"""What of an example a person reads beside its prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.data.kind import data_of
from bench.task import CANDIDATE, Example, Task

MOST_CHARACTERS = 2000  # of one field
MOST_WORDS = 400
CUT = "…"


def example_table(task: Task, examples: Sequence[Example]) -> dict[str, list[Any]]:
    """The columns of a file of examples, a row each (see bench.store.examples): `id`, `fields`, `words`, `candidates`.

    `fields` are (name, text) in the order in which they are laid out, each of at most 2,000 characters; of a context
    that is searched for a span, those around the first right answer. Words are of tagging, candidates of a choice.
    """
    return {
        "id": [example.id for example in examples],
        "fields": [_fields(task, example) for example in examples],
        "words": [list(example.words[:MOST_WORDS]) for example in examples],
        "candidates": [[_cut(choice[CANDIDATE]) for choice in example.choices] for example in examples],
    }


def _fields(task: Task, example: Example) -> list[tuple[str, str]]:
    kind = data_of(task)
    laid_out = [name for name in kind.fields(task) if name in example.texts]
    ordered = dict.fromkeys([*laid_out, *example.texts])  # what only the cloze form has comes last
    centre = kind.centre(example)
    return [
        (name, _around(example.texts[name], centre[name]) if name in centre else _cut(example.texts[name]))
        for name in ordered
    ]


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + CUT


def _around(text: str, place: int) -> str:
    """At most MOST_CHARACTERS of the text, the place about in the middle."""
    first = max(0, min(place - MOST_CHARACTERS // 2, len(text) - MOST_CHARACTERS))
    last = first + MOST_CHARACTERS
    return (CUT if first else "") + text[first:last] + (CUT if last < len(text) else "")
