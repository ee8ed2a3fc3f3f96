"""A user's choices: questions with candidates, in a list or in columns of their own, and which of them is right."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bench.data.found import Asked, Found
from bench.data.mapping import Columns, Fields, cell, marks, text_cell
from bench.data.recognised import LABELS, Recognised, forms, length_of
from bench.data.values import label_text, whole_number
from bench.errors import UsageError
from bench.task import CANDIDATE

LISTS = ("choices", "options", "candidates", "endings", "alternatives")
RIGHT = ("answer", "answerkey", "answer_key", "correct", "correct_answer", "gold", "answer_idx", "correct_option")
_NUMBERED = re.compile(r"(choice|option|ending|candidate|alternative|alt|sol|solution|answer)s?[_ -]?([0-9a-e])", re.I)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def recognised_candidates(found: Found, asked: Asked) -> Recognised | None:
    """A list of candidates, or columns of them with one stem, and a label that says which is right."""
    choices = _choices(found)
    if not choices:
        return None
    of_choices = {choices} if isinstance(choices, str) else set(choices)
    label = asked.label or _first(found, (*LABELS, *RIGHT), of_choices)
    if not label:
        return None
    texts = asked.texts or tuple(
        column.name for column in found.free(asked) if column.is_text and column.name not in {label, *of_choices}
    )
    if not texts:
        raise UsageError(f"{found.source}: which column is the question? It has {found.listed()}; say it with --text")
    named, plain = forms(texts)
    said = _said_by(found, choices, label)
    return Recognised(
        rank=4,
        fields={**named, "choices": choices, said: label},
        metrics=("accuracy",),
        label=f"which of {_shown(choices)} is right, by {label!r} ({HOW[said]})",
        plain=f"{plain}{' ' if '[SEP]' in plain else '[SEP]'}{{{CANDIDATE}}}",
        max_length=length_of(found, texts),
    )


HOW = {
    "key": "its own name", "label": "its number from 0", "ordinal": "its number from 1", "letter": "its letter", "right": "its text",
}  # fmt: skip


def candidate_row(columns: Columns, row: Fields, texts: Fields, labelled: bool) -> Fields:
    """The row's `choices` and the number of the right one. ValueError where they do not fit."""
    value, keys = _listed(columns, row)
    found: Fields = {**marks(columns, row), **texts, "choices": [{CANDIDATE: text} for text in value]}
    if not labelled:
        return found
    said = next(name for name in HOW if name in columns)
    right = cell(columns, row, said)
    if right is None:
        return {"no_example": "a row without a label"}
    number = _number(said, label_text(right), value, keys)
    if number is None or not 0 <= number < len(value):
        raise ValueError(f"{right!r} is none of its {len(value)} candidates ({HOW[said]})")
    return {**found, "label": number}


def _listed(columns: Columns, row: Fields) -> tuple[list[str], list[str]]:
    """The candidates' texts, and the names that the row itself gives them."""
    places = columns["choices"]
    if isinstance(places, tuple):
        listed = [text_cell({"of": place}, row, "of") for place in places]
        return listed, list(places)
    value = cell(columns, row, "choices")
    keys: list[Any] = []
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        value, keys = value["text"], value.get("label", [])
    if isinstance(value, list) and all(isinstance(each, dict) and "text" in each for each in value):
        value, keys = [each["text"] for each in value], [each.get("label", "") for each in value]
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"column {places!r} must hold a list of candidates, found {type(value).__name__}")
    return value, [label_text(key) for key in keys]


def _number(said: str, right: str, listed: Sequence[str], keys: Sequence[str]) -> int | None:
    if said in ("label", "ordinal"):
        number = whole_number(right)
        return None if number is None else number - (said == "ordinal")
    if said == "letter":
        return LETTERS.find(right.upper()) if len(right) == 1 else None
    names = list(keys) if said == "key" else [text.strip() for text in listed]
    return names.index(right) if right in names else None


def _said_by(found: Found, choices: str | tuple[str, ...], label: str) -> str:
    """How the labels say which candidate is right: the first way that fits all rows. UsageError where none does."""
    rows = [row for row in found.rows if cell({"label": label}, row.fields, "label") is not None]
    listed = [_of_row(choices, row.fields, row.place) for row in rows]
    given = [label_text(row.fields[label]) for row in rows]
    for said in HOW:
        numbers = [_number(said, right, *of_row) for right, of_row in zip(given, listed, strict=True)]
        if all(
            number is not None and 0 <= number < len(texts) for number, (texts, _) in zip(numbers, listed, strict=True)
        ):
            return said
    raise UsageError(f"{found.source}: label column {label!r} does not say which candidate is right, like {given[0]!r}")


def _of_row(choices: str | tuple[str, ...], fields: Fields, place: str) -> tuple[list[str], list[str]]:
    try:
        return _listed({"choices": choices}, fields)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None


def _choices(found: Found) -> str | tuple[str, ...]:
    listed = _first(found, LISTS, set())
    if listed and {"list", "object"} & set(found.columns[listed].types):
        return listed
    stems = defaultdict(list)
    for name in found.columns:
        if match := _NUMBERED.fullmatch(name):
            stems[match[1].casefold()].append(name)
    several = [tuple(sorted(names)) for names in stems.values() if len(names) > 1]
    return several[0] if len(several) == 1 else ""


def _first(found: Found, names: Sequence[str], without: set[str]) -> str:
    folded = {name.casefold(): name for name in found.columns if name not in without}
    return next((folded[name] for name in names if name in folded), "")


def _shown(choices: str | tuple[str, ...]) -> str:
    return repr(choices) if isinstance(choices, str) else f"{choices[0]!r} … {choices[-1]!r}"
